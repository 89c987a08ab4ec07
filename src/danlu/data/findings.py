"""The audit of personal data: where each kind was found and what became of it; never a value."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from danlu.data.shards import Books
from danlu.data.tables import TableWriter
from danlu.recipe.errors import UserError

FINDINGS = "personal_data.parquet"
_SHOWN = 10

SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("field", pa.string()),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("kind", pa.string()),
        ("confidence", pa.float32()),
        ("policy", pa.string()),
        ("leftover", pa.bool_()),
    ]
)


def check_labels(books: Iterable[Books]) -> None:
    """Refuse a redaction that makes one class of several.

    Raises:
        UserError: labels that were different are the same now; it names kinds and counts, never a label.
    """
    was: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for label, kinds, before in (entry for book in books for entry in book.labels):
        was[label, kinds].add(before)
    lost = [(kinds, len(before)) for (_, kinds), before in was.items() if len(before) > 1]
    if not lost:
        return
    told = "; ".join(f"{count} labels with {kinds} became one" for kinds, count in sorted(lost)[:_SHOWN])
    more = f"; and {len(lost) - _SHOWN} more such" if len(lost) > _SHOWN else ""
    apart = ", ".join(f"{kind}: pseudonym" for kind in sorted({kind for held, _ in lost for kind in held.split(", ")}))
    raise UserError(
        f"redaction makes different classes the same: {told}{more}",
        where="data.redact",
        fix=f"keep them apart with kinds: {{{apart}}} (if it is so already, another key_file draws other pseudonyms), "
        "or leave what is no personal data with 'keep'",
    )


def write_findings(folder: Path, books: Iterable[Books]) -> dict[str, Any]:
    """Write the audit table and return its sums: found by kind and policy, and what the second scan still found."""
    found: Counter[tuple[str, str]] = Counter()
    left: Counter[str] = Counter()
    rows: set[str] = set()
    writer = TableWriter(folder / FINDINGS, SCHEMA)
    try:
        for entry in (finding for book in books for finding in book.findings):
            writer.write(entry)
            rows.add(entry["row_id"])
            if entry["leftover"]:
                left[entry["kind"]] += 1
            else:
                found[entry["kind"], entry["policy"]] += 1
    finally:
        writer.close()
    kinds = [{"kind": kind, "policy": policy, "found": count} for (kind, policy), count in found.most_common()]
    return {"rows": len(rows), "kinds": kinds, "leftover": dict(left)}
