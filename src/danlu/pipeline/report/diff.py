"""Two versions of a dataset compared: rows, sums, steps and recipe; ids and counts, never what a row says."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from danlu.data.dataset import SUMMARY
from danlu.data.ledger import CHILD_FATES, FATES
from danlu.data.reporting import REPORT
from danlu.pipeline.report.dataset_data import mapping, sequence, whole
from danlu.pipeline.report.diff_data import Change, DatasetDiff, Group, RowsDiff
from danlu.pipeline.report.diff_rows import SPLITS, compare_rows
from danlu.pipeline.report.diff_shown import diff_table, render_diff
from danlu.recipe.errors import UserError
from danlu.runs.artifacts import MANIFEST

__all__ = ["Change", "DatasetDiff", "Group", "RowsDiff", "diff_datasets", "diff_table", "render_diff"]


def diff_datasets(a: Path, b: Path) -> DatasetDiff:
    """Compare two dataset artifacts.

    Args:
        a, b: their folders. Rows are streamed; their hashes are held, 17 bytes a row.

    Raises:
        UserError: a folder is no dataset, or a file of it cannot be read.
    """
    rows = compare_rows(a, b)
    manifests, reports = (_json(a / MANIFEST), _json(b / MANIFEST)), (_report(a), _report(b))
    keys = [str(manifest.get("key") or folder.name) for manifest, folder in zip(manifests, (a, b), strict=True)]
    counted = [_counts(report) for report in reports]
    recipes = [mapping(manifest.get("recipe")) for manifest in manifests]
    return DatasetDiff(
        keys=(keys[0], keys[1]),
        rows=rows,
        counts={group: _changes(counted[0][group], counted[1][group]) for group in counted[0]},
        recipe=tuple(_differences(recipes[0], recipes[1])) if all(manifests) else (),
    )


def _counts(report: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    ledger = mapping(report.get("ledger"))
    fates, tokens, children, splits = (mapping(ledger.get(n)) for n in ("fates", "tokens", "children", "splits"))
    kinds = [mapping(kind) for kind in sequence(mapping(report.get("personal_data")).get("kinds"))]
    steps = [mapping(step) for step in sequence(ledger.get("steps"))]
    return {
        "rows": {"read": whole(ledger.get("read")), **{fate: whole(fates[fate]) for fate in FATES if fate in fates}},
        "children": {fate: whole(children[fate]) for fate in CHILD_FATES if fate in children},
        "splits": {split: whole(splits[split]) for split in SPLITS if split in splits},
        "tokens": {name: whole(tokens.get(name)) for name in ("total", "learned") if name in tokens},
        "languages": _by_value(report.get("languages")),
        "labels": _by_value(report.get("labels")),
        "personal data": {f"{kind.get('kind')} ({kind.get('policy')})": whole(kind.get("found")) for kind in kinds},
        "steps": {str(step.get("step")): sum(map(whole, mapping(step.get("dropped")).values())) for step in steps},
    }


def _by_value(values: Any) -> dict[str, Any]:
    entries = [mapping(value) for value in sequence(values)]
    return {str(entry.get("value", "")): whole(entry.get("rows")) for entry in entries}


def _changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> tuple[Change, ...]:
    """Every name of either side, in A's order, then those that only B has."""
    return tuple(Change(name, a.get(name), b.get(name)) for name in dict.fromkeys([*a, *b]))


def _differences(a: Any, b: Any, name: str = "") -> Iterator[Change]:
    """The fields that differ, by dotted names; steps of a list are known by type, so that a new one is one change."""
    if isinstance(a, Mapping) and isinstance(b, Mapping):
        for key in dict.fromkeys([*a, *b]):
            yield from _differences(a.get(key), b.get(key), f"{name}.{key}" if name else str(key))
    elif (steps := _by_type(a)) is not None and (others := _by_type(b)) is not None:
        yield from _differences(steps, others, name)
        common = [[kind for kind in side if kind in steps and kind in others] for side in (steps, others)]
        if common[0] != common[1]:
            yield Change(name, list(steps), list(others))
    elif a != b:
        yield Change(name, a, b)


def _by_type(steps: Any) -> dict[str, Any] | None:
    """The entries of a list by their type; None where that does not tell them apart."""
    entries = [mapping(entry) for entry in sequence(steps)]
    found = {str(entry.get("type")): entry for entry in entries}
    return found if found and len(found) == len(entries) and all("type" in entry for entry in entries) else None


def _report(folder: Path) -> dict[str, Any]:
    """The report's data; of a dataset that an older version made, its ledger alone."""
    return _json(folder / REPORT) or {"ledger": _json(folder / SUMMARY)}


def _json(path: Path) -> dict[str, Any]:
    """The object in a file; empty if there is no such file."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        fix = "remove the folder and run 'danlu data' again"
        raise UserError(f"is no JSON: {error}", where=str(path), fix=fix) from None
    return dict(mapping(data))
