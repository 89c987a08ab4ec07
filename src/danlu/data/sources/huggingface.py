"""Datasets of the Hugging Face hub, streamed through the `datasets` library."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from danlu.data.columnar import plain_record
from danlu.data.reading import Chunk
from danlu.data.row import Record
from danlu.recipe.choices import optional
from danlu.recipe.errors import UserError
from danlu.recipe.sources import HuggingFaceSource


class HuggingFaceReader:
    """Records of one split, in its order; `line` is the 1-based index. Null values are absent keys."""

    def __init__(self, config: HuggingFaceSource) -> None:
        self.config = config

    def files(self) -> list[Path]:
        """None: the rows come from the hub."""
        return []

    def skipped(self) -> dict[str, str]:
        """Nothing: a split is read whole."""
        return {}

    def commit(self) -> str:
        """The commit of the data set that the revision stands for now; '' for a local folder.

        Raises:
            UserError: the hub does not answer, or does not know or show the data set.
        """
        if Path(self.config.path).exists():
            return ""
        hub = optional("huggingface_hub", "datasets")
        try:
            return str(hub.HfApi().dataset_info(self.config.path, revision=self.config.revision).sha)
        except Exception as error:
            raise _refusal(self.config, error) from error

    def chunks(self, size: int) -> Iterator[Chunk]:
        """Rows of the split, `size` a chunk.

        Raises:
            UserError: `datasets` is missing, the hub cannot be reached, or it knows no such data set, name or split.
        """
        path = Path(self.config.path)
        name = path.name if path.exists() else self.config.path
        items: list[tuple[int, Any]] = []
        for item in self._rows():
            items.append(item)
            if len(items) == size:
                yield Chunk(name, items, columns=tuple(items[0][1]))
                items = []
        if items:
            yield Chunk(name, items, columns=tuple(items[0][1]))

    def bytes_read(self) -> tuple[float, int] | None:
        """Unknown: rows come from afar."""
        return None

    def decode(self, chunk: Chunk) -> list[Record]:
        """Each row's values as plain data."""
        return [plain_record(chunk.file, number, value) for number, value in chunk.items]

    def _rows(self) -> Iterator[tuple[int, dict[str, Any]]]:
        config = self.config
        datasets = optional("datasets", "datasets")
        number = 0
        try:
            rows = datasets.load_dataset(
                config.path, config.name, split=config.split, revision=config.revision, streaming=True
            )
            for number, row in enumerate(rows, start=1):
                yield number, row
        except GeneratorExit:
            raise
        except Exception as error:  # the library raises its own, the hub's, the network's and Python's kinds
            raise _refusal(config, error, number) from error


def _refusal(config: HuggingFaceSource, error: Exception, read: int = 0) -> UserError:
    kind = type(error).__name__
    text = str(error).splitlines()[0] if str(error) else kind
    after = f" after {read} rows" if read else ""
    fix = _fix(kind, str(error).lower(), isinstance(error, OSError))
    return UserError(f"cannot be read{after} ({kind}): {text}", where=f"data set {config.path}", fix=fix)


def _fix(kind: str, text: str, is_os_error: bool) -> str:
    """What helps, by the kind of the error; a data set that is not found is an OSError too."""
    if "Gated" in kind or ("gated" in text and "NotFound" not in kind):  # what is said of an unknown id names both
        return "ask for access on the data set's page, then log in: hf auth login"
    if "script" in text:
        return "data sets that need code of their own are not run: use a copy in Parquet or JSON Lines"
    if "offline" in text or (is_os_error and "NotFound" not in kind):
        return "check the network (and HF_ENDPOINT, HF_HUB_OFFLINE), or download the files and name them as a source"
    return "check id, name, split and revision on the data set's page; one that is private needs: hf auth login"
