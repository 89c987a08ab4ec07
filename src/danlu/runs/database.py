"""The workspace's database: runs, artifacts, model versions. SQLite, brought up to date by Alembic on opening."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import JSON, ForeignKey, UniqueConstraint, create_engine, event, inspect, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from danlu.recipe.errors import UserError

HEAD = "0001"


class Table(DeclarativeBase):
    """Base of the tables."""


class RunRow(Table):
    """One `danlu run` (or a stage verb)."""

    __tablename__ = "runs"
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    status: Mapped[str]
    command: Mapped[str]
    started: Mapped[str]
    finished: Mapped[str | None]
    folder: Mapped[str]
    error: Mapped[str | None]


class RunArtifactRow(Table):
    """Which artifact a run's stage made or reused: the lineage of runs."""

    __tablename__ = "run_artifacts"
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    stage: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str]
    key: Mapped[str] = mapped_column(index=True)
    path: Mapped[str]
    status: Mapped[str]


class ModelVersionRow(Table):
    """A registered model: a name, a number counting from 1, and the export behind it."""

    __tablename__ = "model_versions"
    __table_args__ = (UniqueConstraint("name", "export_key"),)
    name: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str] = mapped_column(ForeignKey("runs.id"))
    export_key: Mapped[str]
    path: Mapped[str]
    created: Mapped[str]
    scores: Mapped[dict[str, Any]] = mapped_column(JSON)


def now() -> str:
    """The time as ISO 8601 text in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


class Database:
    """Sessions on the workspace's database file."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self.engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})
        event.listen(self.engine, "connect", _configure)
        with FileLock(path.with_suffix(".migrate.lock")):  # a new file takes its mode from one process at a time
            self._migrate()

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction: committed on leaving, rolled back on an error."""
        with Session(self.engine) as session, session.begin():
            yield session

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[Session]:
        """A transaction that no other writer can interleave with, for read-then-write."""
        with Session(self.engine) as session:
            session.execute(text("BEGIN IMMEDIATE"))
            yield session
            session.commit()

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _version(self) -> str | None:
        try:
            with self.engine.connect() as connection:
                if not inspect(connection).has_table("alembic_version"):
                    return None
                return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        except DatabaseError as error:
            raise UserError(
                f"the database cannot be opened: {error.orig}",
                where=str(self.path),
                fix="check the file and the disk; moved away, an empty one is made and artifacts are found again",
            ) from error

    def _migrate(self) -> None:
        """Bring the schema up to date; Alembic is imported only when there is something to do."""
        version = self._version()
        if version == HEAD:
            return
        if version is not None and version > HEAD:
            raise UserError(
                f"the database has schema {version}, and this danlu knows up to {HEAD}",
                where=str(self.path),
                fix="upgrade danlu, or use another workspace",
            )
        from danlu.runs.migrations import upgrade

        upgrade(self.engine)


def _configure(connection: Any, _record: Any) -> None:
    """Write-ahead log (readers never block), foreign keys on, and transactions begun by SQLAlchemy alone."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()
