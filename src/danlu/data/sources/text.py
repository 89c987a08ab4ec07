"""Plain text: a row is a line, a paragraph, or a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from danlu.data.encodings import escaped, undecodable
from danlu.data.files import FileReader, SourceFile, lines_of, text_chunks
from danlu.data.reading import Chunk
from danlu.data.row import Record


class TextReader(FileReader):
    """Records `{"text": ...}` of text files; `line` is where the unit begins. Blank lines are no records.

    Line ends become \\n; the one at the end of a unit is no part of it.
    """

    kind = "text"

    def chunks_of(self, file: SourceFile, size: int) -> Iterator[Chunk]:
        """Units of one file, undecoded."""
        with file.open() as opened:
            unit = self.config.unit
            if unit == "file":
                whole = opened.read()
                units: Iterable[tuple[int, bytes]] = [(1, whole)] if whole.strip() else []
            else:
                units = lines_of(opened) if unit == "line" else _paragraphs(lines_of(opened))
            yield from text_chunks(file, units, size, self.config.encoding)

    def decode(self, chunk: Chunk) -> list[Record]:
        """Each unit's text, or which byte is wrong in it."""
        return [_record(chunk.file, number, raw, chunk.shared) for number, raw in chunk.items]


def _paragraphs(lines: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, bytes]]:
    """Runs of lines with no blank line between them."""
    paragraph: list[bytes] = []
    first = 0
    for number, line in lines:
        if paragraph and number != first + len(paragraph):
            yield first, b"".join(paragraph)
            paragraph = []
        if not paragraph:
            first = number
        paragraph.append(line)
    if paragraph:
        yield first, b"".join(paragraph)


def _record(file: str, number: int, raw: bytes, encoding: str) -> Record:
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError as error:
        return Record(file, number, None, undecodable(error), escaped(raw, encoding).rstrip("\r\n"))
    text = text.replace("\r\n", "\n")
    return Record(file, number, {"text": text.removesuffix("\n")})
