"""JSON Lines: one object a line, each line decoded by itself, so that a broken one costs only itself."""

from __future__ import annotations

from collections.abc import Iterator

from danlu.data.files import FileReader, SourceFile, lines_of, text_chunks
from danlu.data.json_records import object_record
from danlu.data.reading import Chunk
from danlu.data.row import Record


class JsonlReader(FileReader):
    """Records of JSON Lines files; blank lines are no records."""

    kind = "jsonl"

    def chunks_of(self, file: SourceFile, size: int) -> Iterator[Chunk]:
        """Lines of one file, undecoded."""
        with file.open() as opened:
            yield from text_chunks(file, lines_of(opened), size, self.config.encoding)

    def decode(self, chunk: Chunk) -> list[Record]:
        """Each line's object, or why it has none."""
        return [object_record(chunk.file, number, line, chunk.shared) for number, line in chunk.items]
