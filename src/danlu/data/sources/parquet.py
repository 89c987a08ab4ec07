"""Apache Parquet."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from danlu.data.columnar import plain_record
from danlu.data.files import FileReader, SourceFile
from danlu.data.reading import Chunk
from danlu.data.row import Record
from danlu.recipe.errors import UserError
from danlu.recipe.sources import COMPRESSED

BUFFER = 1 << 20


class ParquetReader(FileReader):
    """Records of Parquet files; `line` is the 1-based row. Null values are absent keys."""

    kind = "parquet"

    def chunks_of(self, file: SourceFile, size: int) -> Iterator[Chunk]:
        """Record batches of one file, packed as Arrow IPC, undecoded.

        Raises:
            UserError: the file is not Parquet, or damaged.
        """
        number = 1
        try:
            with _seekable(file) as place, pq.ParquetFile(place, buffer_size=BUFFER) as table:
                for batch in table.iter_batches(batch_size=size):
                    items = [(number + index, index) for index in range(batch.num_rows)]
                    number += batch.num_rows
                    file.place.share = partial(float, (number - 1) / table.metadata.num_rows)
                    if items:
                        yield Chunk(file.name, items, _packed(batch), tuple(batch.schema.names))
        except (pa.ArrowException, OSError) as error:
            read = f" after {number - 1} rows" if number > 1 else ""
            reason = f"is not a Parquet file, or a damaged one ({type(error).__name__}{read})"
            raise UserError(reason, where=str(file.path), fix="write or copy it again") from None

    def decode(self, chunk: Chunk) -> list[Record]:
        """Each row's values as plain data, or what is wrong with one of them."""
        with pa.ipc.open_stream(chunk.shared) as stream:
            batch = stream.read_next_batch()
        try:
            values = batch.to_pylist()
        except UnicodeDecodeError:
            return [_one(batch, index, chunk.file, number) for number, index in chunk.items]
        return [plain_record(chunk.file, number, values[index]) for number, index in chunk.items]


def _one(batch: Any, index: int, file: str, number: int) -> Record:
    """One row of a batch in which some text is not UTF-8: Arrow lets any bytes be called text."""
    value: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            value[name] = column[index].as_py()
        except UnicodeDecodeError as error:
            problem = f"invalid UTF-8 in column '{name}' at byte {error.start + 1}"
            return Record(file, number, None, problem, error.object.decode("utf-8", "backslashreplace"))
    return plain_record(file, number, value)


def _packed(batch: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


@contextmanager
def _seekable(file: SourceFile) -> Iterator[Any]:
    """The file, or what an archive holds in a nameless temporary one: Parquet is read from its end."""
    if file.path.suffix.lower() not in COMPRESSED:
        yield file.path
        return
    with file.open_packed() as opened, tempfile.TemporaryFile() as unpacked:
        shutil.copyfileobj(opened, unpacked, BUFFER)
        unpacked.seek(0)
        yield unpacked
