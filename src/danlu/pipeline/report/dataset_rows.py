"""The rows of a dataset made ready for its page: funnel, examples, personal data, lengths, languages, labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from danlu.pipeline.report import charts, dataset_charts
from danlu.pipeline.report import dataset_words as words
from danlu.pipeline.report.dataset_data import mapping, sequence, whole
from danlu.pipeline.report.dataset_reasons import folded, legend, reasons
from danlu.pipeline.report.dataset_text import changes, isolated, plain, shown
from danlu.pipeline.report.numbers import count, percent, signed
from danlu.pipeline.report.reason_words import said
from danlu.recipe.language import tr

READ = "read"
SHOWN_LABELS = 20
FATES = {
    "kept": ("kept as they were", "原样保留"),
    "changed": ("kept, rewritten", "改写后保留"),
    "truncated": ("kept, truncated", "截断后保留"),
    "dropped": ("dropped", "丢弃"),
}


class Rows:
    """The ledger's sums and the examples of each step."""

    def __init__(self, ledger: Mapping[str, Any], examples: Mapping[str, Any]) -> None:
        self.ledger = ledger
        self.steps = [mapping(step) for step in sequence(ledger.get("steps"))]
        self._examples = {str(step): [mapping(e) for e in sequence(found)] for step, found in examples.items()}

    def in_order(self, names: Iterable[str]) -> list[str]:
        """The names of steps in the order of the funnel; what is no step of it comes last."""
        places = {str(step.get("step")): place for place, step in enumerate(self.steps)}
        return sorted(names, key=lambda name: (places.get(name, len(places)), name))

    def has(self, step: str) -> bool:
        """Whether the recipe has this step."""
        return any(entry.get("step") == step for entry in self.steps)

    def funnel(self) -> dict[str, Any] | None:
        """What every step took away, with examples; None if nothing was read."""
        read = whole(self.ledger.get("read"))
        if not read:
            return None
        fates = mapping(self.ledger.get("fates"))
        widest = max([read, *(whole(step.get("out")) for step in self.steps)])
        parts = [(kind, tr(*name), whole(fates.get(kind))) for kind, name in FATES.items()]
        return {
            "fates": legend(parts, read),
            "chart": charts.stacked_bar(parts, tr("Fate of the rows", "各行去向")),
            "steps": [self._step(step, widest) for step in self.steps],
        }

    def _step(self, step: Mapping[str, Any], widest: int) -> dict[str, Any]:
        entered, left, name = whole(step.get("in")), whole(step.get("out")), str(step.get("step"))
        drops = [e for e in self._examples.get(name, ()) if "reason" in e]
        changed = whole(step.get("changed"))
        return {
            "name": words.called(words.STEPS, name),
            "out": count(left),
            "difference": signed(left - entered, 0) if left != entered else "",
            "grew": left > entered,
            "reasons": reasons(mapping(step.get("dropped"))),
            "changed": count(changed) if changed else "",
            "chart": charts.funnel_bar(entered, left, widest, words.called(words.STEPS, name)),
            "examples": [
                {
                    "id": isolated(e.get("row_id", "")),
                    "reason": isolated(said(str(e["reason"]))),
                    "text": shown(e.get("before", "")),
                }
                for e in drops
            ],
        }

    def rewrites(self) -> list[dict[str, Any]]:
        """Each step that rewrote rows, with rows before and after it."""
        changed = {str(step.get("step")): whole(step.get("changed")) for step in self.steps}
        found = []
        for name in self.in_order(self._examples):
            pairs = [self._pair(e) for e in self._examples[name] if "after" in e]
            if pairs:
                title = words.called(words.STEPS, name)
                found.append({"name": title, "rows": count(changed.get(name, 0)), "pairs": pairs})
        return found

    def _pair(self, example: Mapping[str, Any]) -> dict[str, Markup]:
        before, after = changes(str(example.get("before", "")), str(example["after"]))
        return {"id": isolated(example.get("row_id", "")), "before": before, "after": after}


def personal(report: Mapping[str, Any], *, redacted: bool) -> dict[str, Any]:
    """Personal data by kind and policy, and what is left in the data: values that stay are shown as a warning."""
    kinds = sorted(map(mapping, sequence(report.get("kinds"))), key=lambda k: -whole(k.get("found")))
    left = {str(kind): whole(n) for kind, n in mapping(report.get("leftover")).items() if whole(n)}
    kept = sum(whole(kind.get("found")) for kind in kinds if kind.get("policy") == "keep")
    most = max((whole(kind.get("found")) for kind in kinds), default=0)
    total = sum(whole(kind.get("found")) for kind in kinds)
    if not redacted:
        verdict = ("worse", tr("not looked for", "未检查"))
    elif left or kept:
        remaining = count(sum(left.values()) + kept)
        verdict = ("worse", tr(f"{remaining} left", f"仍存 {remaining} 处"))
    elif report.get("names") == "off":
        verdict = ("worse", tr("names not looked for", "未检查人名"))
    else:
        verdict = ("better", tr("nothing left", "无残留"))
    return {
        "sentence": words.personal_sentence(report, redacted=redacted),
        "redacted": redacted,
        "nameless": report.get("names") == "off",
        "kinds": [
            {
                "name": words.called(words.KINDS, kind.get("kind")),
                "code": plain(kind.get("kind", "")),
                "policy": words.called(words.POLICIES, kind.get("policy")),
                "kept": kind.get("policy") == "keep",
                "found": count(whole(kind.get("found"))),
                "chart": dataset_charts.bar(
                    whole(kind.get("found")),
                    most,
                    "loud" if kind.get("policy") == "keep" else "accent",
                    f"{words.called(words.KINDS, kind.get('kind'))}: {count(whole(kind.get('found')))}",
                ),
            }
            for kind in kinds
        ],
        "left": [(words.called(words.KINDS, kind), count(n)) for kind, n in left.items()],
        "kept": [
            (words.called(words.KINDS, kind.get("kind")), count(whole(kind.get("found"))))
            for kind in kinds
            if kind.get("policy") == "keep" and whole(kind.get("found"))
        ],
        "card": {
            "value": count(total) if redacted else "?",
            "unit": tr("found", "处发现"),
            "kind": verdict[0],
            "verdict": verdict[1],
        },
    }


def quarantine(report: Mapping[str, Any], rows: Rows) -> dict[str, Any]:
    """Lines that could not be used, by reason, and some of them."""
    read = next((step for step in rows.steps if step.get("step") == READ), {})
    by_reason = mapping(report.get("reasons")) or mapping(read.get("dropped"))
    total = whole(report.get("rows")) or sum(whole(amount) for amount in by_reason.values())
    ordered = folded({str(reason): whole(amount) for reason, amount in by_reason.items()})
    most = max((amount for _, amount in ordered), default=0)
    return {
        "any": total > 0,
        "rows": count(total),
        "reasons": [
            {
                "name": isolated(said(reason)),
                "count": count(amount),
                "chart": dataset_charts.bar(amount, most, "lost", f"{said(reason)}: {count(amount)}"),
            }
            for reason, amount in ordered[:SHOWN_LABELS]
        ],
        "lines": [
            {
                "place": isolated(f"{line.get('file', '')}:{line.get('line', '')}"),
                "reason": isolated(said(str(line.get("reason", "")))),
                "raw": shown(line.get("raw", "")),
            }
            for line in map(mapping, sequence(report.get("examples")))
        ],
    }


def lengths(report: Mapping[str, Any], ledger: Mapping[str, Any]) -> dict[str, Any] | None:
    """Tokens asked and answered, those of each role, and what a length limit would cut; None without rows."""
    rows, total = whole(report.get("rows")), whole(mapping(ledger.get("tokens")).get("total"))
    if not rows:
        return None
    names = (tr("Tokens per row", "每行 token 数"), tr("asked", "提问"), tr("answered", "回答"))
    asked, answered = ([whole(n) for n in sequence(report.get(key))] for key in ("asked", "answered"))
    edges = [whole(edge) for edge in sequence(report.get("edges"))]
    quantiles = {str(q): whole(value) for q, value in mapping(report.get("quantiles")).items()}
    return {
        "chart": dataset_charts.mirrored(edges, asked, answered, names),
        "roles": [
            _role(mapping(role), edges, total) for role in sequence(report.get("roles")) if mapping(role).get("rows")
        ],
        "quantiles": [
            (_quantile(q), count(value)) for q, value in sorted(quantiles.items(), key=lambda i: (i[1], i[0]))
        ],
        "limits": [_limit(mapping(limit), rows, total) for limit in sequence(report.get("limits"))],
    }


def _role(report: Mapping[str, Any], edges: Sequence[int], total: int) -> dict[str, Any]:
    """The tokens of one role, drawn over the bins of the whole."""
    name, rows = words.called(words.ROLES, report.get("role")), whole(report.get("rows"))
    bars = [
        (f"{edge:,}", whole(amount)) for edge, amount in zip(edges, sequence(report.get("histogram")), strict=False)
    ]
    return {
        "name": name,
        "chart": dataset_charts.columns(bars, name),
        "rows": count(rows),
        "median": count(whole(report.get("median"))),
        "share": percent(whole(report.get("tokens")) / total, 1) if total else "",
    }


def _quantile(name: str) -> str:
    known = {"50": tr("median", "中位数"), "100": tr("longest", "最长")}
    return known.get(name, tr(f"{plain(name)} % of rows up to", f"{plain(name)} % 的行不超过"))


def _limit(limit: Mapping[str, Any], rows: int, total: int) -> dict[str, Any]:
    cut, tokens = whole(limit.get("rows")), whole(limit.get("tokens"))
    parts = [("kept", tr("rows whole", "完整的行"), rows - cut), ("dropped", tr("rows cut", "被截断的行"), cut)]
    share = percent(tokens / total, 1) if total else ""
    return {
        "limit": count(whole(limit.get("limit"))),
        "chart": charts.stacked_bar(parts, count(whole(limit.get("limit")))),
        "rows": count(cut),
        "share": percent(cut / rows, 1),
        "tokens": share,
        "none": cut == 0,
    }


def mix(values: Sequence[Any], names: Mapping[str, tuple[str, str]]) -> dict[str, Any] | None:
    """Which values each split consists of, one bar for each split; None where there is nothing to show."""
    entries = [mapping(value) for value in values]
    if not entries:
        return None
    shown_ones, rest = entries[: dataset_charts.COLOURS], entries[dataset_charts.COLOURS :]
    kinds = [(dataset_charts.colour(i), words.called(names, e.get("value"))) for i, e in enumerate(shown_ones)]
    bars = []
    for split, label in words.SPLITS.items():
        parts = [(kind, name, whole(e.get(split))) for (kind, name), e in zip(kinds, shown_ones, strict=True)]
        parts.append(("rest", tr("others", "其余"), sum(whole(e.get(split)) for e in rest)))
        total = sum(part[2] for part in parts)
        if total:
            bars.append({"name": tr(*label), "chart": charts.stacked_bar(parts, tr(*label)), "rows": count(total)})
    rows = sum(whole(e.get("rows")) for e in entries)
    parts = [(kind, name, whole(e.get("rows"))) for (kind, name), e in zip(kinds, shown_ones, strict=True)]
    if rest:
        parts.append(("rest", tr("others", "其余"), sum(whole(e.get("rows")) for e in rest)))
    return {"bars": bars, "legend": legend(parts, rows)}


def balance(values: Sequence[Any]) -> dict[str, Any] | None:
    """How many rows each label has, and its share of each split; None where there are no labels."""
    entries = [mapping(value) for value in values]
    if not entries:
        return None
    totals = {split: sum(whole(e.get(split)) for e in entries) for split in words.SPLITS}
    most = max(whole(e.get("rows")) for e in entries)
    return {
        "labels": [
            {
                "name": isolated(e.get("value", "")),
                "count": count(whole(e.get("rows"))),
                "chart": dataset_charts.bar(
                    whole(e.get("rows")), most, "accent", f"{e.get('value', '')}: {count(whole(e.get('rows')))}"
                ),
                "shares": " · ".join(
                    f"{tr(*words.SPLITS[split])} {percent(whole(e.get(split)) / total)}"
                    for split, total in totals.items()
                    if total
                ),
            }
            for e in entries[:SHOWN_LABELS]
        ],
        "more": count(len(entries) - SHOWN_LABELS) if len(entries) > SHOWN_LABELS else "",
        "ratio": _ratio([whole(e.get("rows")) for e in entries]),
    }


def _ratio(amounts: Sequence[int]) -> str:
    least, most = min(amounts), max(amounts)
    if len(amounts) < 2 or not least:
        return ""
    factor = f"{most / least:.1f}"
    return tr(
        f"The most frequent label has {factor} times the rows of the rarest.",
        f"最多标签的行数是最少标签的 {factor} 倍。",
    )
