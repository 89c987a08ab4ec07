"""Runs and model versions: who made what, when, and which version a name means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

from danlu.recipe.errors import UserError, nearest
from danlu.runs.database import Database, ModelVersionRow, RunArtifactRow, RunRow, now


class Registry:
    """Reads and writes the database; rows that it returns are detached and safe to keep."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def start_run(self, run_id: str, name: str, command: str, folder: Path) -> None:
        """Book a run as running."""
        with self.database.session() as session:
            session.add(
                RunRow(id=run_id, name=name, status="running", command=command, started=now(), folder=str(folder))
            )

    def finish_run(self, run_id: str, status: str, error: str | None = None) -> None:
        """Book a run as 'done' or 'failed'."""
        with self.database.session() as session:
            row = session.get_one(RunRow, run_id)
            row.status, row.finished, row.error = status, now(), error

    def book_artifact(self, run_id: str, stage: str, artifact: tuple[str, str, Path], status: str) -> None:
        """Book that a run's stage made or reused an artifact (kind, key, path)."""
        kind, key, path = artifact
        with self.database.session() as session:
            session.merge(RunArtifactRow(run_id=run_id, stage=stage, kind=kind, key=key, path=str(path), status=status))

    def runs(self, limit: int = 50) -> Sequence[RunRow]:
        """The newest runs first."""
        with self.database.session() as session:
            rows = session.scalars(select(RunRow).order_by(RunRow.started.desc(), RunRow.id.desc()).limit(limit)).all()
            session.expunge_all()
            return rows

    def run(self, run_id: str) -> tuple[RunRow, Sequence[RunArtifactRow]]:
        """A run and its artifacts, by id or by an unambiguous beginning of it.

        Raises:
            UserError: none, or several.
        """
        with self.database.session() as session:
            found = session.scalars(select(RunRow).where(RunRow.id.startswith(run_id, autoescape=True))).all()
            exact = [row for row in found if row.id == run_id] or list(found)
            if len(exact) != 1:
                ids = [row.id for row in exact] or [row.id for row in session.scalars(select(RunRow))]
                reason = f"'{run_id}' names {len(exact)} runs" if exact else f"there is no run '{run_id}'"
                raise UserError(reason, fix=nearest(run_id, ids[-20:]) if ids else "danlu run RECIPE makes the first")
            query = select(RunArtifactRow).where(RunArtifactRow.run_id == exact[0].id)
            artifacts = session.scalars(query).all()
            session.expunge_all()
            return exact[0], artifacts

    def finished_runs(self, name: str, command: str, stage: str, key: str) -> Sequence[RunRow]:
        """The finished runs of this name and command whose `stage` has the artifact `key`, the newest first."""
        query = (
            select(RunRow)
            .join(RunArtifactRow, RunArtifactRow.run_id == RunRow.id)
            .where(RunRow.name == name, RunRow.command == command, RunRow.status == "done")
            .where(RunArtifactRow.stage == stage, RunArtifactRow.key == key)
            .order_by(RunRow.started.desc(), RunRow.id.desc())
        )
        with self.database.session() as session:
            rows = session.scalars(query).all()
            session.expunge_all()
            return rows

    def register_model(
        self, name: str, run_id: str, export_key: str, path: Path, scores: Mapping[str, Any]
    ) -> ModelVersionRow:
        """The model version of an export: a new number, or the one it already has under this name."""
        with self.database.exclusive() as session:
            query = select(ModelVersionRow).where(
                ModelVersionRow.name == name, ModelVersionRow.export_key == export_key
            )
            row = session.scalars(query).one_or_none()
            if row is None:
                last = session.scalar(select(func.max(ModelVersionRow.version)).where(ModelVersionRow.name == name))
                row = ModelVersionRow(
                    name=name, version=(last or 0) + 1, run_id=run_id, export_key=export_key,
                    path=str(path), created=now(), scores=dict(scores),
                )  # fmt: skip
                session.add(row)
            row.scores = dict(scores) or row.scores
            session.flush()
            session.refresh(row)
            session.expunge(row)
            return row

    def models(self) -> Sequence[ModelVersionRow]:
        """Every model version, by name and number."""
        with self.database.session() as session:
            order = (ModelVersionRow.name, ModelVersionRow.version)
            rows = session.scalars(select(ModelVersionRow).order_by(*order)).all()
            session.expunge_all()
            return rows

    def model(self, spec: str) -> ModelVersionRow:
        """A version by 'name@number', or the newest by 'name'.

        Raises:
            UserError: no such name or number.
        """
        name, _, number = spec.partition("@")
        rows = [row for row in self.models() if row.name == name]
        if not rows:
            names = sorted({row.name for row in self.models()})
            fix = nearest(name, names) if names else "danlu run RECIPE registers the first"
            raise UserError(f"there is no model '{name}'", fix=fix)
        if not number:
            return rows[-1]
        for row in rows:
            if str(row.version) == number:
                return row
        raise UserError(
            f"'{name}' has no version '{number}'", fix=f"versions: {', '.join(str(r.version) for r in rows)}"
        )
