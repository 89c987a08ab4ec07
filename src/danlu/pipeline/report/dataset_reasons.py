"""Why rows went, in few words; and what the colours of a bar mean."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from danlu.pipeline.report.dataset_data import whole
from danlu.pipeline.report.dataset_text import isolated
from danlu.pipeline.report.numbers import count, percent
from danlu.pipeline.report.reason_words import said
from danlu.recipe.language import tr

_VARIES = re.compile(r"[^\s()'\"]+:\d+(?:~[^\s()'\"]+)?|\d+(?:[.,]\d+)*")  # row ids and numbers
_ASIDE = re.compile(r" ?\([^()]*…[^()]*\)")  # says nothing once its number is gone
SHOWN_REASONS = 6


def legend(parts: Sequence[tuple[str, str, int]], total: int) -> list[dict[str, str]]:
    """What the colours of a bar mean, with amounts."""
    return [
        {"kind": kind, "label": label, "count": count(amount), "share": percent(amount / max(total, 1))}
        for kind, label, amount in parts
    ]


def reasons(dropped: Mapping[str, Any]) -> list[Markup]:
    """'12 too short', the most frequent first; what is behind the first few is summed."""
    ordered = folded({str(reason): whole(amount) for reason, amount in dropped.items()})
    found = [
        Markup("{} {}").format(count(amount), isolated(said(reason))) for reason, amount in ordered[:SHOWN_REASONS]
    ]
    rest = sum(amount for _, amount in ordered[SHOWN_REASONS:])
    if rest:
        found.append(Markup("{} {}").format(count(rest), tr("for other reasons", "其他原因")))
    return found


def folded(amounts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Reasons that differ only in row ids and numbers as one, '…' where they differ; the most frequent first."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for reason in amounts:
        alike[_VARIES.sub("…", reason)].append(reason)
    totals: Counter[str] = Counter()
    for members in alike.values():
        slots = zip(*(_VARIES.findall(reason) for reason in members), strict=True)
        values = [found[0] if len(set(found)) == 1 else "…" for found in slots]
        fixed = [*_VARIES.split(members[0]), ""]
        merged = "".join(part + value for part, value in zip(fixed, [*values, ""], strict=False))
        merged = _ASIDE.sub("", merged)
        totals[merged] += sum(amounts[reason] for reason in members)
    return totals.most_common()
