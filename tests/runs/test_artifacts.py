"""Artifacts: whole or absent, summed, made once by several processes."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from danlu.runs import Artifact, ArtifactStore
from danlu.runs.durable import write_json, write_text
from danlu.runs.hashing import hash_data, hash_file

KEY = hash_data("a key")


def make(store: ArtifactStore, text: str = "content", key: str = KEY) -> Artifact:
    """An artifact with two files, one in a folder."""
    with store.make("dataset", key, inputs={"file": "f1"}, recipe={"data": 1}) as draft:
        (draft.path / "rows.txt").write_text(text)
        (draft.path / "deep").mkdir()
        (draft.path / "deep" / "more.txt").write_text("炉")
        draft.facts["rows"] = 3
    found = store.find("dataset", key)
    assert found is not None
    return found


def test_the_manifest_tells_everything(tmp_path: Path) -> None:
    artifact = make(ArtifactStore(tmp_path))
    manifest = json.loads((artifact.path / "manifest.json").read_text())
    assert manifest == artifact.manifest
    assert manifest["key"] == KEY and manifest["kind"] == "dataset"
    assert set(manifest["files"]) == {"rows.txt", "deep/more.txt"}
    for name, entry in manifest["files"].items():
        assert entry == {"sha256": hash_file(artifact.path / name), "size": (artifact.path / name).stat().st_size}
    assert manifest["inputs"] == {"file": "f1"} and manifest["recipe"] == {"data": 1}
    assert artifact.facts == {"rows": 3}
    assert {"python", "danlu", "torch"} <= set(manifest["versions"])


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    with (
        pytest.raises(ZeroDivisionError),
        store.make("dataset", KEY, inputs={}, recipe={}) as draft,
    ):
        (draft.path / "rows.txt").write_text("half")
        assert store.find("dataset", KEY) is None  # nor is it seen while it is made
        assert list(store.all()) == []
        raise ZeroDivisionError
    assert store.find("dataset", KEY) is None
    assert list((tmp_path / "dataset").iterdir()) == []
    assert make(store).facts == {"rows": 3}


def test_facts_that_are_no_json_leave_nothing_behind(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    with pytest.raises(TypeError), store.make("dataset", KEY, inputs={}, recipe={}) as draft:
        draft.facts["bad"] = object()
    assert store.find("dataset", KEY) is None and list((tmp_path / "dataset").iterdir()) == []


def test_a_folder_killed_half_way_is_not_an_artifact(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from danlu.runs import ArtifactStore\n"
        "with ArtifactStore(Path(sys.argv[1])).make('dataset', sys.argv[2], inputs={}, recipe={}) as draft:\n"
        "    (draft.path / 'rows.txt').write_text('half'); os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(tmp_path), KEY]).returncode == -9
    store = ArtifactStore(tmp_path)
    assert store.find("dataset", KEY) is None and list(store.all()) == []
    assert make(store).facts == {"rows": 3}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: (folder / "rows.txt").write_text("CONTENT"), "SHA-256"),
        (lambda folder: (folder / "rows.txt").write_text("longer than before"), "SHA-256"),
        (lambda folder: (folder / "deep" / "more.txt").unlink(), "'deep/more.txt' is missing"),
        (lambda folder: (folder / "manifest.json").unlink(), "manifest cannot be read"),
        (lambda folder: (folder / "manifest.json").write_text("{"), "manifest cannot be read"),
        (lambda folder: (folder / "manifest.json").write_bytes(b"\xff"), "manifest cannot be read"),
        (lambda folder: (folder / "manifest.json").write_text("[]"), "not one of danlu"),
        (lambda folder: (folder / "manifest.json").write_text('{"files": {}}'), "not one of danlu"),
        (lambda folder: write_json(folder / "manifest.json", {"files": {}, "facts": {}, "key": "x"}), "has key x"),
    ],
)
def test_corruption_is_noticed_set_aside_and_made_again(tmp_path: Path, damage: object, reason: str) -> None:
    artifact = make(ArtifactStore(tmp_path))
    assert callable(damage)
    damage(artifact.path)
    store = ArtifactStore(tmp_path)  # as another process sees it
    said: list[str] = []
    assert store.find("dataset", KEY, said.append) is None
    assert len(said) == 1 and reason in said[0] and str(artifact.path) in said[0]
    aside = [folder.name for folder in (tmp_path / "dataset").iterdir()]
    assert len(aside) == 1 and aside[0].endswith(".corrupt")
    assert list(store.all()) == []
    assert store.find("dataset", KEY, said.append) is None and len(said) == 1
    assert make(store).path == artifact.path


def test_another_key_with_the_same_beginning_is_another_artifact(tmp_path: Path) -> None:
    make(ArtifactStore(tmp_path))
    said: list[str] = []
    assert ArtifactStore(tmp_path).find("dataset", KEY[:20] + "0" * 44, said.append) is None
    assert "its manifest has key" in said[0]


def test_all_lists_what_is_finished(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    assert list(store.all()) == [] and store.find("dataset", KEY) is None
    keys = sorted(hash_data(number) for number in range(3))
    for key in keys:
        make(store, key=key)
    assert [artifact.key for artifact in store.all()] == keys


MAKER = """
import sys, time
from pathlib import Path
from danlu.runs import ArtifactStore
store, key, log = ArtifactStore(Path(sys.argv[1])), sys.argv[2], Path(sys.argv[3])
print("ready", flush=True)
sys.stdin.readline()
with store.lock("dataset", key):
    artifact = store.find("dataset", key)
    if artifact is None:
        with store.make("dataset", key, inputs={}, recipe={}) as draft:
            with log.open("a") as file:
                file.write("made\\n")
            time.sleep(0.5)
            (draft.path / "rows.txt").write_text("content")
        artifact = store.find("dataset", key)
print(artifact.path, flush=True)
"""


def test_processes_that_want_the_same_artifact_make_it_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-c", MAKER, str(tmp_path / "store"), KEY, str(log)]
    makers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) for _ in range(3)
    ]
    for maker in makers:
        assert maker.stdout is not None and maker.stdout.readline() == "ready\n"
    said = []
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write("go\n")
        maker.stdin.flush()
    for maker in makers:
        said.append(maker.communicate(timeout=60)[0].strip())
    assert [maker.returncode for maker in makers] == [0, 0, 0]
    assert log.read_text() == "made\n"
    assert set(said) == {str(ArtifactStore(tmp_path / "store").path("dataset", KEY))}


def test_one_who_waits_for_the_lock_says_so(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    order: list[str] = []
    waiting = threading.Event()

    def second() -> None:
        with ArtifactStore(tmp_path).lock("dataset", KEY, on_wait=waiting.set):
            order.append("second")

    with store.lock("dataset", KEY, on_wait=lambda: order.append("waited")):
        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10)
        order.append("first")
    thread.join(10)
    assert order == ["first", "second"]
    with pytest.raises(ZeroDivisionError), store.lock("dataset", KEY):
        raise ZeroDivisionError
    with store.lock("dataset", KEY, on_wait=lambda: pytest.fail("the lock was kept after an error")):
        pass


def test_equal_data_have_equal_hashes() -> None:
    assert hash_data({"a": 1, "b": [1.5, "炉"]}) == hash_data({"b": [1.5, "炉"], "a": 1})
    values: list[object] = [{"a": 1}, {"a": "1"}, {"a": 1.5}, {"a": None}, []]
    assert len({hash_data(value) for value in values}) == 5
    with pytest.raises(ValueError):
        hash_data(float("nan"))


def test_a_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": "炉"})
    before = path.read_text(encoding="utf-8")
    assert json.loads(before) == {"a": "炉"}
    with pytest.raises(TypeError):
        write_json(path, {"a": object()})
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\ud800")
    assert path.read_text(encoding="utf-8") == before
