"""What the report of a dataset is drawn from: one JSON file of plain data beside the rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from danlu.data.books import Clerk
from danlu.data.role_tokens import ROLES
from danlu.data.shards import Books
from danlu.recipe.errors import UserError

REPORT = "report.json"
VERSION = 1
EXAMPLES = 3
LIMITS = (256, 512, 1024, 2048, 4096, 8192, 16384, 32768)


def collect(
    summary: Mapping[str, Any], clerk: Clerk, books: Iterable[Books], parts: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything the report shows, as plain data.

    Args:
        summary: the ledger's sums.
        clerk: who wrote the dataset; knows lengths, languages and labels.
        books: of all passes, for examples.
        parts: reports of single steps: cleaning, split, augmentation, personal_data, seconds ...
    """
    return {
        "version": VERSION,
        "ledger": dict(summary),
        "examples": _examples(books),
        "lengths": _lengths(np.array(clerk.lengths, dtype=np.int64).reshape(-1, 2 + len(ROLES))),
        "languages": _by_split(clerk.languages),
        "labels": _by_split(clerk.labels),
        "quarantine": {"examples": clerk.quarantined},
        **parts,
    }


def read_report(folder: Path) -> dict[str, Any]:
    """The report's data of a dataset artifact.

    Raises:
        UserError: the folder is no dataset.
    """
    try:
        data: dict[str, Any] = orjson.loads((folder / REPORT).read_bytes())
    except FileNotFoundError:
        fix = "name a folder below artifacts/dataset, or a recipe"
        raise UserError("is no dataset: it has no report.json", where=str(folder), fix=fix) from None
    return data


def _examples(books: Iterable[Books]) -> dict[str, list[dict[str, Any]]]:
    """A few rows per step; personal data in them was tagged when they were taken."""
    found: dict[str, list[dict[str, Any]]] = {}
    for book in books:
        for step, examples in book.examples.items():
            kept = found.setdefault(step, [])
            kept += examples[: EXAMPLES - len(kept)]
    return found


def _lengths(table: np.ndarray) -> dict[str, Any]:
    """Histograms of tokens per row, asked and answered and by role, on a common logarithmic scale; what limits cut.

    Args:
        table: tokens, learned tokens, and those of each of ROLES of each row, int [rows, 2 + roles].
    """
    if not len(table):
        return {"rows": 0, "edges": [], "asked": [], "answered": [], "roles": [], "limits": []}
    total, answered = table[:, 0], table[:, 1]
    asked = total - answered
    edges = np.unique(np.geomspace(1, max(2, int(total.max()) + 1), 25).round().astype(np.int64))
    limits = [
        {"limit": limit, "rows": int((total > limit).sum()), "tokens": int(np.maximum(total - limit, 0).sum())}
        for limit in LIMITS
        if limit <= 2 * int(total.max())
    ]
    return {
        "rows": len(table),
        "edges": edges.tolist(),
        "asked": np.histogram(asked, edges)[0].tolist(),
        "answered": np.histogram(answered, edges)[0].tolist(),
        "roles": [_role(role, tokens[tokens > 0], edges) for role, tokens in zip(ROLES, table[:, 2:].T, strict=True)],
        "quantiles": {str(q): int(np.quantile(total, q / 100, method="higher")) for q in (50, 90, 95, 99, 100)},
        "limits": limits,
    }


def _role(name: str, tokens: np.ndarray, edges: np.ndarray) -> dict[str, Any]:
    """Of the rows in which somebody has this role: how many there are, and how many tokens are theirs in each."""
    return {
        "role": name,
        "rows": len(tokens),
        "tokens": int(tokens.sum()),
        "median": int(np.quantile(tokens, 0.5, method="higher")) if len(tokens) else 0,
        "histogram": np.histogram(tokens, edges)[0].tolist(),
    }


def _by_split(counts: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    """Rows of each value in each split, the most frequent value first."""
    totals: Counter[str] = Counter()
    for (value, _), count in counts.items():
        totals[value] += count
    ordered = sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))
    return [
        {"value": value, "rows": total} | {split: counts[value, split] for split in ("train", "validation", "test")}
        for value, total in ordered
    ]
