"""Source files written and read back, for tests of the readers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from danlu.data.reading import Reader
from danlu.data.row import Record
from danlu.data.sources import SOURCES
from danlu.recipe.sources import Source

ADAPTER: TypeAdapter[Any] = TypeAdapter(Source)
CHINESE = "客户来电说，保险的理赔要多少时间？我们会在三个工作日之内给您回复，请您不要着急。"


def reader(path: Path | str, **fields: Any) -> Reader:
    config = ADAPTER.validate_python({"path": str(path), **fields})
    made: Reader = SOURCES.load(config.type)(config)
    return made


def read(path: Path | str, size: int = 1000, **fields: Any) -> list[Record]:
    source = reader(path, **fields)
    return [record for chunk in source.chunks(size) for record in source.decode(chunk)]


def only(path: Path, **fields: Any) -> Record:
    (record,) = read(path, **fields)
    return record


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_jsonl(path: Path, records: Iterable[Any]) -> Path:
    lines = [item if isinstance(item, str) else json.dumps(item, ensure_ascii=False) for item in records]
    return write(path, "".join(line + "\n" for line in lines))
