"""Artifacts: content-keyed folders, written atomically, with a manifest of SHA-256 sums and lineage."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock

from danlu.recipe.errors import InternalFault
from danlu.runs.durable import publish, write_json
from danlu.runs.environment import library_versions
from danlu.runs.hashing import hash_file

MANIFEST = "manifest.json"
KEY_LENGTH = 20


@dataclass(frozen=True)
class Artifact:
    """A finished result of one stage.

    Attributes:
        kind: what it is: 'dataset', 'trained', 'evaluation', 'export'.
        key: hash of everything that decided its content.
        path: its folder.
        manifest: files with sums, inputs, recipe fields, versions, facts.
    """

    kind: str
    key: str
    path: Path
    manifest: Mapping[str, Any] = field(repr=False)

    @property
    def facts(self) -> Mapping[str, Any]:
        """What the stage said about its result: counts, scores."""
        facts: Mapping[str, Any] = self.manifest["facts"]
        return facts


@dataclass
class Draft:
    """An artifact being made: write files below `path`, put numbers into `facts`."""

    path: Path
    facts: dict[str, Any] = field(default_factory=dict)


class ArtifactStore:
    """All artifacts of a workspace, by kind and key."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._verified: set[Path] = set()

    def path(self, kind: str, key: str) -> Path:
        """The folder of an artifact, whether it exists or not."""
        return self.root / kind / key[:KEY_LENGTH]

    def find(self, kind: str, key: str, on_corrupt: Callable[[str], None] | None = None) -> Artifact | None:
        """A finished artifact whose files have the sums of its manifest, or None.

        A corrupt one is set aside under a name ending in '.corrupt', its reason given to `on_corrupt`.
        """
        folder = self.path(kind, key)
        if not folder.is_dir():
            return None
        reason = self._fault(folder, key)
        if reason is None:
            return Artifact(kind, key, folder, _read_manifest(folder))
        aside = folder.with_name(f"{folder.name}.{uuid.uuid4().hex[:8]}.corrupt")
        with contextlib.suppress(FileNotFoundError):  # another process may have set it aside first
            os.rename(folder, aside)
        if on_corrupt:
            on_corrupt(f"{folder}: {reason}; set aside as {aside.name}, made again")
        return None

    def all(self) -> Iterator[Artifact]:
        """Every finished artifact, without checking sums."""
        for manifest in sorted(self.root.glob(f"*/*/{MANIFEST}")):
            folder = manifest.parent
            if not folder.name.endswith((".corrupt", ".tmp")):
                data = _read_manifest(folder)
                yield Artifact(data["kind"], data["key"], folder, data)

    @contextlib.contextmanager
    def lock(self, kind: str, key: str, on_wait: Callable[[], None] | None = None) -> Iterator[None]:
        """Hold the right to make this artifact; a second process waits here, then finds it made."""
        folder = self.root / kind
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{key[:KEY_LENGTH]}.lock")
        try:
            lock.acquire(timeout=0)
        except TimeoutError:
            if on_wait:
                on_wait()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    @contextlib.contextmanager
    def make(self, kind: str, key: str, *, inputs: Mapping[str, str], recipe: Mapping[str, Any]) -> Iterator[Draft]:
        """Make an artifact: yields a draft folder; on leaving without an error it is summed, synced and renamed.

        Args:
            kind, key: what it will be found by.
            inputs: role -> key of the artifacts (or fingerprints) it was made from.
            recipe: the recipe fields that decided it.
        """
        final = self.path(kind, key)
        draft = Draft(final.with_name(f"{final.name}.{uuid.uuid4().hex[:8]}.tmp"))
        draft.path.mkdir(parents=True)
        started = datetime.now(UTC)
        try:
            yield draft
            files = {name: {"sha256": hash_file(draft.path / name), "size": size} for name, size in _files(draft.path)}
            manifest = {
                "kind": kind,
                "key": key,
                "created": started.isoformat(timespec="seconds"),
                "seconds": round((datetime.now(UTC) - started).total_seconds(), 3),
                "files": files,
                "inputs": dict(inputs),
                "recipe": dict(recipe),
                "versions": library_versions(),
                "facts": draft.facts,
            }
            write_json(draft.path / MANIFEST, manifest)
            publish(draft.path, final)
            self._verified.add(final)
        finally:
            shutil.rmtree(draft.path, ignore_errors=True)

    def _fault(self, folder: Path, key: str) -> str | None:
        """Why a folder is not a sound artifact, or None. Sums are computed once per process."""
        if folder in self._verified:
            return None
        try:
            manifest = _read_manifest(folder)
        except InternalFault as error:
            return error.reason
        if manifest.get("key") != key:
            return f"its manifest has key {str(manifest.get('key'))[:12]}"
        present = dict(_files(folder))
        present.pop(MANIFEST, None)
        for name, entry in manifest["files"].items():
            if name not in present:
                return f"'{name}' is missing"
            if present[name] != entry["size"] or hash_file(folder / name) != entry["sha256"]:
                return f"'{name}' does not have the SHA-256 of its manifest"
        self._verified.add(folder)
        return None


def _files(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(f.relative_to(folder)), f.stat().st_size) for f in folder.rglob("*") if f.is_file())


def _lists_sums(files: Any) -> bool:
    return isinstance(files, dict) and all(isinstance(e, dict) and {"sha256", "size"} <= set(e) for e in files.values())


def _read_manifest(folder: Path) -> dict[str, Any]:
    try:
        data = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InternalFault(f"its manifest cannot be read: {error}", where=str(folder)) from error
    if not isinstance(data, dict) or not {"files", "facts"} <= set(data) or not _lists_sums(data["files"]):
        raise InternalFault("its manifest is not one of danlu", where=str(folder))
    return data
