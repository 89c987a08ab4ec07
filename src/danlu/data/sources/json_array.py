"""JSON: one array of objects, cut into its elements as it streams by."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from typing import BinaryIO

from danlu.data.encodings import EncodingOf
from danlu.data.files import FileReader, SourceFile
from danlu.data.json_records import object_record
from danlu.data.reading import Chunk
from danlu.data.row import Record
from danlu.recipe.errors import UserError

BLOCK = 1 << 20
STRING = rb'"(?:[^"\\]++|\\.)*+("|\\?\Z)'  # group 1 is the closing quote, or not one when the data end first
DEEP = re.compile(STRING + rb"|[\[\]{}]", re.DOTALL)
FLAT = re.compile(STRING + rb"|[\[\]{},:]", re.DOTALL)
SPACE = b" \t\r\n"
ROW_KEYS = {"messages", "conversations", "chosen", "rejected", "history", "labels", "tools", "prompt", "completion"}
AS_LINES = "if each line is an object, set the source's type to jsonl"


class JsonReader(FileReader):
    """Records of JSON files: an array of objects, or an object with one array, such as {"data": [...]}.

    `line` is the 1-based index in the array.
    """

    kind = "json"

    def chunks_of(self, file: SourceFile, size: int) -> Iterator[Chunk]:
        """Elements of one file's array, undecoded (as UTF-8).

        Raises:
            UserError: the file as a whole is no such array, or ends before the array does.
        """
        with file.open() as opened:
            source = _Utf8(opened, EncodingOf(file, self.config.encoding))
            batch: list[tuple[int, bytes]] = []
            for item in enumerate(_Splitter(source.read, str(file.path)).records(), start=1):
                batch.append(item)
                if len(batch) == size:
                    yield Chunk(file.name, batch, source.encoding)
                    batch = []
            if batch:
                yield Chunk(file.name, batch, source.encoding)

    def decode(self, chunk: Chunk) -> list[Record]:
        """Each element's object, or why it has none."""
        return [object_record(chunk.file, number, raw, "utf-8") for number, raw in chunk.items]


class _Utf8:
    """A file's bytes as UTF-8; bytes that are invalid in its own encoding are passed on and refused with their row."""

    def __init__(self, file: BinaryIO, found: EncodingOf) -> None:
        self._file, self._found = file, found
        self._decoder: codecs.IncrementalDecoder | None = None
        self.encoding = "utf-8"

    def read(self, size: int) -> bytes:
        """About `size` bytes; none at the end."""
        raw = self._file.read(size)
        if self._decoder is None:
            self.encoding = self._found.of((raw,))
            if self.encoding == "utf-8":
                return raw
            self._decoder = codecs.getincrementaldecoder(self.encoding)("surrogateescape")
        text = self._decoder.decode(raw, not raw)
        while raw and not text:  # half a character is not the end
            raw = self._file.read(size)
            text = self._decoder.decode(raw, not raw)
        return text.encode("utf-8", "surrogateescape")


class _Splitter:
    """Finds where the elements of the array begin and end; holds one element and a block."""

    def __init__(self, read: Callable[[int], bytes], where: str) -> None:
        self._read, self._where = read, where
        self._data, self._at = b"", 0
        self._count = 0

    def records(self) -> Iterator[bytes]:
        """The raw elements, in order."""
        first = self._next_byte()
        if first == b"[":
            yield from self._elements()
        elif first == b"{":
            yield from self._object()
        else:
            raise self._refusal("does not begin with [ or {")
        if self._next_byte():
            raise self._refusal("goes on after its end", AS_LINES)

    def _object(self) -> Iterator[bytes]:
        """The elements of the one array that is a value of the object."""
        found = ""
        while (token := self._token()) != b"}":
            if token == b",":
                continue
            key = token[1:-1].decode("utf-8", "replace")
            if not token.startswith(b'"') or self._token() != b":":
                raise self._refusal("is not valid JSON: a key and a colon were expected")
            first = self._next_byte()
            if first != b"[":
                self._at -= 1
                self._skip_value()
                continue
            if key in ROW_KEYS:
                raise self._refusal("is one row, not an array of rows", f"wrap it in [ ]; {AS_LINES}")
            if found:
                raise self._refusal(f"holds two arrays ('{found}', '{key}')", "keep the one with the rows")
            found = key
            yield from self._elements()
        if not found:
            raise self._refusal("must hold an array of objects, not one object", f"wrap it in [ ]; {AS_LINES}")

    def _elements(self) -> Iterator[bytes]:
        """Elements of the array whose bracket was just read, up to its end."""
        start, depth = self._at, 0
        while True:
            match = (DEEP if depth else FLAT).search(self._data, self._at)
            if match is None or match.group(1) in (b"", b"\\"):
                self._at = match.start() if match else len(self._data)
                self._fill(start)
                start = 0
                continue
            self._at = match.end()
            token = self._data[match.start()]
            if token in b"[{":
                depth += 1
            elif token in b"]}" and depth:
                depth -= 1
            elif token in b",]}":
                raw = self._data[start : match.start()]
                if token == b","[0] or self._count or raw.strip():
                    self._count += 1
                    yield raw
                start = self._at
                if token == b"}"[0]:
                    raise self._refusal(f"is not valid JSON: a }} that closes nothing, at record {self._count}")
                if token == b"]"[0]:
                    return

    def _token(self) -> bytes:
        """The next string or mark, passing over what is neither."""
        while True:
            match = FLAT.search(self._data, self._at)
            if match and match.group(1) not in (b"", b"\\"):
                self._at = match.end()
                return match.group()
            self._at = match.start() if match else len(self._data)
            self._fill(self._at)

    def _skip_value(self) -> None:
        depth = 0
        while True:
            token = self._token()
            if depth == 0 and token in (b",", b"}"):
                self._at -= 1
                return
            depth += (token in (b"[", b"{")) - (token in (b"]", b"}"))

    def _next_byte(self) -> bytes:
        """The next byte that is no white space; none at the end."""
        while True:
            rest = self._data[self._at :].lstrip(SPACE)
            if rest:
                self._at = len(self._data) - len(rest) + 1
                return rest[:1]
            self._data, self._at = self._read(BLOCK), 0
            if not self._data:
                return b""

    def _fill(self, start: int) -> None:
        """More data, and nothing before `start`; a long element is read in ever larger pieces, so copied seldom."""
        kept = self._data[start:]
        more = self._read(max(BLOCK, len(kept)))
        if not more:
            fix = "write the whole file again; a quote that is not escaped, or another encoding, has the same effect"
            raise self._refusal(f"is not valid JSON: it ends in the middle, after {self._count} records", fix)
        self._data, self._at = kept + more, self._at - start

    def _refusal(self, reason: str, fix: str = AS_LINES) -> UserError:
        return UserError(reason, where=self._where, fix=fix)
