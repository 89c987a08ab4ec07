"""The audit of personal data: where each kind was found and what became of it; never a value."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa

from danlu.data.shards import Books
from danlu.data.tables import TableWriter

FINDINGS = "personal_data.parquet"

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
