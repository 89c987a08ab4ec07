"""Files of a source: found by name, glob or folder, unpacked as they are read, and refused where they cannot be."""

from __future__ import annotations

import glob
import gzip
import io
import os
import re
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa

from danlu.data.encodings import EncodingOf
from danlu.data.reading import Chunk
from danlu.data.row import Record
from danlu.recipe.errors import UserError, nearest
from danlu.recipe.sources import COMPRESSED, SUFFIXES, FileSource

BUFFER = 1 << 20
PIECE = 1 << 16
BOM = b"\xef\xbb\xbf"
WIDE = {b"\xff\xfe\x00\x00": "UTF-32", b"\x00\x00\xfe\xff": "UTF-32", b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}


def _nothing_read() -> float:
    return 0.0


def _all_read() -> float:
    return 1.0


@dataclass(slots=True)
class Place:
    """How far a file was read: `share()` is 0 to 1."""

    share: Callable[[], float] = _nothing_read


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file, and the name that records carry: relative to the folder or to where the glob begins."""

    path: Path
    name: str
    place: Place = field(default_factory=Place, compare=False, repr=False)

    @contextmanager
    def open_packed(self) -> Iterator[BinaryIO]:
        """Its bytes, unpacked where it is a .gz or .zst.

        Raises:
            UserError: it cannot be opened, read or unpacked; an archive that is cut off says after how many bytes.
        """
        try:
            packed = self.path.open("rb", buffering=0 if self.path.suffix.lower() not in COMPRESSED else BUFFER)
        except OSError as error:
            raise _unreadable(self.path, error) from None
        size, before = max(1, os.fstat(packed.fileno()).st_size), self.place.share
        with packed, io.BufferedReader(_Told(self.path, _unpacked(packed, self.path)), BUFFER) as file:
            self.place.share = lambda: packed.tell() / size
            yield cast(BinaryIO, file)
        # Its encoding is told by opening it once more while it is read
        self.place.share = _all_read if before is _nothing_read else before

    @contextmanager
    def open(self) -> Iterator[BinaryIO]:
        """Like `open_packed` for text: past a UTF-8 byte order mark.

        Raises:
            UserError: as above, or it is UTF-16 or UTF-32.
        """
        with self.open_packed() as file:
            head = cast(io.BufferedReader, file).peek(4)[:4]
            _refuse_wide(head, self.path)
            if head.startswith(BOM):
                file.read(len(BOM))
            yield file


def _refuse_wide(head: bytes, path: Path) -> None:
    name = next((name for mark, name in WIDE.items() if head.startswith(mark)), None)
    if name is None and len(head) == 4 and head.count(0) >= 2 and head.strip(b"\0"):
        name = "UTF-16"  # without its mark: every other byte of ASCII is 0
    if name:
        fix = f"convert it: iconv -f {name} -t UTF-8 '{path.name}' > new-file"
        raise UserError(f"is {name}, which is not read", where=str(path), fix=fix)


def _unpacked(packed: BinaryIO, path: Path) -> BinaryIO:
    suffix = path.suffix.lower()
    if suffix == ".gz":
        return cast(BinaryIO, gzip.GzipFile(fileobj=packed))  # reads on through concatenated members
    if suffix == ".zst":
        return cast(BinaryIO, pa.input_stream(pa.PythonFile(packed, mode="r"), compression="zstd"))
    return packed


class _Told(io.RawIOBase):
    """A stream whose failures are told as what the user can mend."""

    def __init__(self, path: Path, inner: BinaryIO) -> None:
        self._path, self._inner, self._count = path, inner, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            # In pieces, so that what comes before a fault is counted and given
            count: int = self._inner.readinto(memoryview(buffer)[:PIECE])  # type: ignore[attr-defined]
        except EOFError:
            raise self._broken("is cut off") from None
        except OSError as error:
            if self._path.suffix.lower() not in COMPRESSED or error.errno is not None:
                raise _unreadable(self._path, error) from None
            raise self._broken("is cut off" if "Truncated" in str(error) else "is damaged or no archive") from None
        except zlib.error:
            raise self._broken("is damaged") from None
        self._count += count
        return count

    def _broken(self, what: str) -> UserError:
        reason = f"the archive {what}: {self._count:,} bytes could be unpacked"
        return UserError(reason, where=str(self._path), fix="copy or download it again, or unpack and repair it")


def _unreadable(path: Path, error: OSError) -> UserError:
    reason = f"cannot be read: {error.strerror or type(error).__name__}"
    return UserError(reason, where=str(path), fix="check that it exists and that you may read it")


@dataclass(frozen=True)
class Found:
    """What a path stands for: files in order, and what else is there, with why it is not read."""

    files: tuple[SourceFile, ...]
    skipped: dict[str, str] = field(default_factory=dict)


def find_files(path: str, kind: str) -> Found:
    """The files of a source, sorted by name.

    Args:
        path: a file; a folder, of which all files with an ending of this kind are read, also those in folders below;
            or a glob, where `**` stands for any folders. What a glob's own ending asks for is read whatever it is.
        kind: type of the source.

    Raises:
        UserError: nothing there, nothing that fits, or nothing in it.
    """
    place = Path(path)
    if place.is_file():
        if _is_empty(SourceFile(place, place.name)):
            raise UserError("is empty", where=path, fix="give a file with rows")
        return Found((SourceFile(place, place.name),))
    skipped: dict[str, str] = {}
    if place.is_dir():
        names = _walk(place, skipped)
        root, any_ending = place, False
    elif glob.has_magic(path):
        root = _literal_root(path)
        matched = [Path(match) for match in glob.iglob(path, recursive=True)]
        names = [_name(match, root) for match in matched if match.is_file()]
        skipped.update({_name(match, root): _no_file(match) for match in matched if not match.is_file()})
        any_ending = not glob.has_magic(inner_suffix(path)) and bool(inner_suffix(path))
    else:
        raise _missing(place)
    files = []
    for name in sorted(set(names)):
        reason = _unfit(SourceFile(root / name, name), kind, any_ending)
        if reason:
            skipped[name] = reason
        else:
            files.append(SourceFile(root / name, name))
    if not files:
        raise _nothing(path, kind, skipped)
    return Found(tuple(files), dict(sorted(skipped.items())))


def endings_of(kind: str) -> tuple[str, ...]:
    """The endings of this kind of source, without .gz and .zst."""
    return tuple(suffix for suffix, named in SUFFIXES.items() if named == kind)


def _walk(root: Path, skipped: dict[str, str]) -> list[str]:
    names = []
    for folder, folders, files in os.walk(root, onerror=_raise):
        here = Path(folder)
        for name in list(folders):
            reason = "hidden" if name.startswith(".") else "a linked folder" if (here / name).is_symlink() else ""
            if reason:
                folders.remove(name)
                skipped[_name(here / name, root) + "/"] = reason
        names += [_name(here / name, root) for name in files]
    return names


def _raise(error: OSError) -> None:
    raise _unreadable(Path(str(error.filename)), error)


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _no_file(path: Path) -> str:
    if path.is_dir():
        return "a folder; `**` reaches the files in it"
    return "a link that leads nowhere" if path.is_symlink() else "no regular file"


def _literal_root(pattern: str) -> Path:
    """The folder where a glob begins: its parts before the first wildcard (`[[]` is a literal bracket)."""
    parts = []
    for part in Path(pattern).parts[:-1]:
        literal = re.sub(r"\[([*?[])\]", r"\1", part)
        if glob.escape(literal) != part and glob.has_magic(part):
            break
        parts.append(literal)
    return Path(*parts)


def inner_suffix(path: str) -> str:
    """The ending of a file, of what is in it for an archive."""
    place = Path(path)
    return place.with_suffix("").suffix if place.suffix.lower() in COMPRESSED else place.suffix


def _unfit(file: SourceFile, kind: str, any_ending: bool) -> str:
    """Why a file of a folder or glob is not read; empty when it is."""
    suffix = inner_suffix(file.name).lower()
    if file.path.name.startswith("."):
        return "hidden"
    if not file.path.is_file():
        return _no_file(file.path)
    if not any_ending and suffix not in endings_of(kind):
        other = SUFFIXES.get(suffix)
        return f"a {other} file: give it a source of its own" if other else f"not an ending of {kind} files"
    return "empty" if _is_empty(file) else ""


def _is_empty(file: SourceFile) -> bool:
    if file.path.suffix.lower() not in COMPRESSED:
        return file.path.stat().st_size == 0
    if file.path.stat().st_size == 0:
        return True
    with file.open_packed() as unpacked:
        return not unpacked.read(1)


def _missing(path: Path) -> UserError:
    if path.exists():
        return UserError("is no regular file", where=str(path), fix="write what it gives to a file first")
    fix = "check the path"
    if path.parent.is_dir():
        names = sorted(entry.name for entry in path.parent.iterdir())[:20]
        fix = f"check the path; in {path.parent}: {nearest(path.name, names)}" if names else f"{path.parent} is empty"
    return UserError(f"there is no file or folder '{path}'", where="data.sources", fix=fix)


def _nothing(path: str, kind: str, skipped: dict[str, str]) -> UserError:
    wanted = ", ".join(endings_of(kind))
    listed = "; ".join(f"{name}: {reason}" for name, reason in list(sorted(skipped.items()))[:10])
    more = f" and {len(skipped) - 10} more" if len(skipped) > 10 else ""
    what = f"only {listed}{more}" if skipped else "nothing"
    reason = f"there is no {kind} file with rows at '{path}' (endings: {wanted}): {what}"
    return UserError(reason, where="data.sources", fix="check the path, or set the source's type to what is there")


class FileReader(ABC):
    """What every reader of files has; a subclass says how one file is cut and decoded."""

    kind: str

    def __init__(self, config: Any) -> None:
        self.config: Any = config

    @cached_property
    def found(self) -> Found:
        """The files, looked up once."""
        config: FileSource = self.config
        return find_files(config.path, self.kind)

    def files(self) -> list[Path]:
        """The files it reads, sorted by name.

        Raises:
            UserError: there are none.
        """
        return [file.path for file in self.found.files]

    def skipped(self) -> dict[str, str]:
        """What lies in the folder or matches the glob and is not read: name -> why."""
        return dict(self.found.skipped)

    def chunks(self, size: int) -> Iterator[Chunk]:
        """All records, file by file, `size` a chunk."""
        for file in self.found.files:
            file.place.share = _nothing_read
        for file in self.found.files:
            yield from self.chunks_of(file, size)

    def bytes_read(self) -> tuple[float, int]:
        """How many bytes of its files were read so far, packed ones as they lie there, and how many there are."""
        sizes = [file.path.stat().st_size for file in self.found.files]
        shares = [file.place.share() for file in self.found.files]
        return sum(size * share for size, share in zip(sizes, shares, strict=True)), sum(sizes)

    @abstractmethod
    def chunks_of(self, file: SourceFile, size: int) -> Iterator[Chunk]:
        """All records of one file, `size` a chunk."""

    @abstractmethod
    def decode(self, chunk: Chunk) -> list[Record]:
        """A record for each item of a chunk."""


def text_chunks(file: SourceFile, items: Iterable[tuple[int, bytes]], size: int, encoding: str) -> Iterator[Chunk]:
    """Raw records in chunks of `size`, each with the encoding to decode it with."""
    found = EncodingOf(file, encoding)
    batch: list[tuple[int, bytes]] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield Chunk(file.name, batch, found.of(raw for _, raw in batch))
            batch = []
    if batch:
        yield Chunk(file.name, batch, found.of(raw for _, raw in batch))


def lines_of(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Lines that are not blank, each with its 1-based number and its line end; only \\n ends a line."""
    for number, line in enumerate(file, start=1):
        if not line.isspace():
            yield number, line
