"""The database and what is asked of it: migrations, runs, lineage, model versions."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect
from sqlalchemy.exc import IntegrityError, NoResultFound

import danlu.runs.migrations
from danlu.recipe import UserError
from danlu.runs.database import HEAD, Database, Table
from danlu.runs.registry import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """An empty registry with the run 'r1' in it."""
    registry = Registry(Database(tmp_path / "danlu.db"))
    registry.start_run("r1", "insurance", "run", tmp_path / "r1")
    return registry


# -- schema ----------------------------------------------------------------------------------------------------------


def test_migrations_from_empty_end_at_the_tables_of_the_code(tmp_path: Path) -> None:
    database = Database(tmp_path / "danlu.db")
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []
        assert context.get_current_revision() == HEAD
        tables = set(inspect(connection).get_table_names())
        unique = inspect(connection).get_unique_constraints("model_versions")
    assert tables == set(Table.metadata.tables) | {"alembic_version"}
    assert [constraint["column_names"] for constraint in unique] == [["name", "export_key"]]


def test_the_newest_migration_is_the_one_the_code_expects() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(danlu.runs.migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_opening_again_keeps_everything(tmp_path: Path, registry: Registry) -> None:
    registry.database.close()
    again = Registry(Database(tmp_path / "danlu.db"))
    assert [row.id for row in again.runs()] == ["r1"]


def test_a_database_of_a_newer_danlu_is_refused(tmp_path: Path) -> None:
    Database(tmp_path / "danlu.db").close()
    with sqlite3.connect(tmp_path / "danlu.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(UserError, match="9999"):
        Database(tmp_path / "danlu.db")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "danlu.db").write_text("this is a text file and no database at all\n" * 50)
    with pytest.raises(UserError, match="database"):
        Database(tmp_path / "danlu.db")


def test_two_processes_may_open_a_new_workspace_at_once(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from danlu.runs.database import Database; Database(Path(sys.argv[1]))"
    )
    path = str(tmp_path / "danlu.db")
    openers = [subprocess.Popen([sys.executable, "-c", script, path]) for _ in range(3)]
    assert [opener.wait(60) for opener in openers] == [0, 0, 0]


def test_an_error_rolls_back(registry: Registry) -> None:
    with pytest.raises(IntegrityError):
        registry.register_model("m", "no such run", "e1", Path("/e1"), {})
    with pytest.raises(IntegrityError):
        registry.start_run("r1", "again", "run", Path("/r1"))
    assert registry.models() == [] and len(registry.runs()) == 1
    assert registry.register_model("m", "r1", "e1", Path("/e1"), {}).version == 1


# -- runs ------------------------------------------------------------------------------------------------------------


def test_a_run_from_start_to_end(registry: Registry) -> None:
    row, artifacts = registry.run("r1")
    assert (row.status, row.finished, row.error, list(artifacts)) == ("running", None, None, [])
    registry.book_artifact("r1", "data", ("dataset", "k1", Path("/k1")), "made")
    registry.book_artifact("r1", "data", ("dataset", "k1", Path("/k1")), "reused")
    registry.book_artifact("r1", "train", ("trained", "k2", Path("/k2")), "made")
    registry.finish_run("r1", "failed", "a reason")
    row, artifacts = registry.run("r1")
    assert (row.status, row.error) == ("failed", "a reason") and row.finished is not None
    assert row.finished >= row.started
    assert sorted((a.stage, a.kind, a.key, a.status) for a in artifacts) == [
        ("data", "dataset", "k1", "reused"),
        ("train", "trained", "k2", "made"),
    ]


def test_a_run_is_found_by_its_beginning(registry: Registry) -> None:
    registry.start_run("r10", "insurance", "run", Path("/r10"))
    registry.start_run("s_x", "other", "run", Path("/s"))
    assert registry.run("r1")[0].id == "r1"  # exact wins over beginning
    assert registry.run("s")[0].id == "s_x"
    with pytest.raises(UserError, match="'r' names 2 runs"):
        registry.run("r")
    with pytest.raises(UserError, match="no run 'r_'"):  # no wildcard
        registry.run("r_")
    with pytest.raises(UserError, match="no run 'r11'") as caught:
        registry.run("r11")
    assert "did you mean 'r1" in caught.value.fix


def test_an_empty_registry_says_what_comes_first(tmp_path: Path) -> None:
    registry = Registry(Database(tmp_path / "danlu.db"))
    for ask in (registry.run, registry.model):
        with pytest.raises(UserError) as caught:
            ask("any")
        assert "danlu run RECIPE" in caught.value.fix
    with pytest.raises(NoResultFound):
        registry.finish_run("any", "done")


def test_runs_come_newest_first(registry: Registry) -> None:
    for number in range(2, 6):
        registry.start_run(f"r{number}", "insurance", "run", Path("/r"))
    assert [row.id for row in registry.runs(limit=3)] == ["r5", "r4", "r3"]


# -- model versions --------------------------------------------------------------------------------------------------


def test_versions_count_up_and_an_export_keeps_its_number(registry: Registry) -> None:
    versions = [
        registry.register_model("m", "r1", key, Path("/") / key, {"bleu": 1.0}).version
        for key in ("e1", "e2", "e1", "e3", "e2")
    ]
    assert versions == [1, 2, 1, 3, 2]
    assert registry.register_model("other", "r1", "e1", Path("/e1"), {}).version == 1
    assert [(row.name, row.version) for row in registry.models()] == [("m", 1), ("m", 2), ("m", 3), ("other", 1)]


def test_scores_are_renewed_but_not_by_nothing(registry: Registry) -> None:
    registry.register_model("m", "r1", "e1", Path("/e1"), {"bleu": 1.0})
    assert registry.register_model("m", "r1", "e1", Path("/e1"), {}).scores == {"bleu": 1.0}
    registry.register_model("m", "r1", "e1", Path("/e1"), {"bleu": 2.0})
    assert registry.model("m@1").scores == {"bleu": 2.0}


def test_a_model_is_found_by_name_and_number(registry: Registry) -> None:
    for number in range(1, 12):
        registry.register_model("insurance", "r1", f"e{number}", Path(f"/e{number}"), {})
    assert registry.model("insurance").version == 11
    assert registry.model("insurance@2").path == "/e2"
    with pytest.raises(UserError, match="no version '12'") as caught:
        registry.model("insurance@12")
    assert "versions: 1, 2, 3" in caught.value.fix
    with pytest.raises(UserError, match="no version 'x'"):
        registry.model("insurance@x")
    with pytest.raises(UserError, match="no model 'insurence'") as caught:
        registry.model("insurence")
    assert "did you mean 'insurance'?" in caught.value.fix


REGISTRAR = """
import sys
from pathlib import Path
from danlu.runs.database import Database
from danlu.runs.registry import Registry
registry = Registry(Database(Path(sys.argv[1])))
print("ready", flush=True)
sys.stdin.readline()
for number in range(25):
    key = f"shared-{number}" if number % 2 else f"{sys.argv[2]}-{number}"
    registry.register_model("m", "r1", key, Path("/e"), {"bleu": number})
"""


def test_processes_that_register_at_once_do_not_collide(tmp_path: Path, registry: Registry) -> None:
    command = [sys.executable, "-c", REGISTRAR, str(tmp_path / "danlu.db")]
    writers = [
        subprocess.Popen([*command, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        for name in ("a", "b")
    ]
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=120)
    assert [writer.returncode for writer in writers] == [0, 0]
    rows = registry.models()
    assert [row.version for row in rows] == list(range(1, 39))  # 12 shared exports, 13 of each process alone
    assert len({row.export_key for row in rows}) == 38
