"""What single steps found, made ready for the dataset's page: duplicates, conflicts, suspected labels, drift ..."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from markupsafe import Markup

from danlu.pipeline.report import dataset_charts as charts
from danlu.pipeline.report import dataset_words as words
from danlu.pipeline.report.charts import stacked_bar
from danlu.pipeline.report.dataset_data import finite, mapping, sequence, whole
from danlu.pipeline.report.dataset_reasons import folded, legend
from danlu.pipeline.report.dataset_text import isolated, listed, plain
from danlu.pipeline.report.numbers import count, percent, significant
from danlu.pipeline.report.reason_words import said
from danlu.recipe.language import tr

SHOWN_GROUPS = 8
SHOWN_IDS = 12
SHOWN_ISSUES = 40
SHOWN_LABELS = 20
OWN_SPLITS = {"validation split": ("validation split", "验证集"), "test split": ("test split", "测试集")}
DUPLICATES = ("exact_duplicates", "near_duplicates", "semantic_duplicates")


def duplicates(cleaning: Sequence[Any]) -> list[dict[str, Any]]:
    """Each step that looked for rows that are alike: how many, sizes of the clusters, the largest as row ids."""
    return [_duplicates(report) for report in map(mapping, cleaning) if report.get("step") in DUPLICATES]


def _duplicates(report: Mapping[str, Any]) -> dict[str, Any]:
    step, sizes = str(report["step"]), mapping(report.get("sizes"))
    ordered = sorted(((whole(int(size)), whole(n)) for size, n in sizes.items() if str(size).isdigit()))
    similarity = mapping(report.get("similarity"))
    edges, pairs = sequence(similarity.get("edges")), sequence(similarity.get("pairs"))
    alike = [(significant(round(finite(edge), 2)), whole(n)) for edge, n in zip(edges, pairs, strict=False)]
    facts = [
        (count(whole(report[key])), name)
        for key, name in (
            ("rows", tr("rows compared", "参与比较的行")),
            ("pairs", tr("pairs alike", "相似对")),
            ("clusters", tr("clusters", "簇")),
            ("rows_in_clusters", tr("rows in them", "簇内行数")),
            ("dropped", tr("dropped", "丢弃")),
            ("duplicates", tr("superfluous", "多余行")),
            ("pairs_with_other_labels", tr("alike, but with other labels: both stay", "相似但标签不同，均保留")),
            ("pairs_with_other_answers", tr("alike, but with other answers: both stay", "相似但答案不同，均保留")),
            (
                "pairs_with_other_labels_or_answers",
                tr("alike, but say something else: both stay", "相似但含义不同，均保留"),
            ),
        )
        if key in report
    ]
    return {
        "name": words.called(words.STEPS, step),
        "facts": facts,
        "sizes": charts.columns([(count(size), n) for size, n in _grouped(ordered)], tr("Cluster sizes", "簇大小")),
        "alike": charts.columns(alike, tr("Similarity of the pairs", "相似度分布")),
        "threshold": report.get("threshold"),
        "largest": _groups(report.get("largest")),
    }


def _grouped(sizes: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """At most twenty sizes: beyond, the largest are the interesting ones, and they are listed by id anyway."""
    return sizes[:20]


def _groups(largest: Any) -> list[dict[str, Any]]:
    groups = sorted(map(mapping, sequence(largest)), key=lambda group: -whole(group.get("size")))
    return [
        {
            "size": count(whole(group.get("size"))),
            "answers": count(whole(group["answers"])) if "answers" in group else "",
            "rows": listed(sequence(group.get("rows")), SHOWN_IDS),
            "chart": charts.bar(
                whole(group.get("size")), whole(groups[0].get("size")), "accent", count(whole(group.get("size")))
            ),
        }
        for group in groups[:SHOWN_GROUPS]
    ]


def conflicts(cleaning: Sequence[Any]) -> list[dict[str, Any]]:
    """Rows that ask the same and answer differently."""
    return [
        {
            "conflicts": count(whole(report.get("conflicts"))),
            "rows": count(whole(report.get("rows_in_conflicts"))),
            "largest": _groups(report.get("largest")),
        }
        for report in map(mapping, cleaning)
        if report.get("step") == "conflicts"
    ]


def contamination(report: Any) -> dict[str, Any] | None:
    """Each evaluation set: how many of its items rows read for training repeat; and what became of those rows."""
    facts = mapping(report)
    named = {str(name): mapping(found) for name, found in mapping(facts.get("sets")).items()}
    files = Counter(PurePath(name).name for name in named)
    # A page that people pass on need not tell where on a server a file lies
    short = {name: PurePath(name).name if files[PurePath(name).name] == 1 else name for name in named}
    sets = [_evaluation_set(short[name], found) for name, found in named.items()]
    if not sets:
        return None
    items, dropped = sum(found["items"] for found in sets), facts.get("dropped") is True
    return {
        "sets": sets,
        "items": count(items),
        "sentence": words.repeating_rows(whole(facts.get("training_rows")), dropped=dropped),
        "clean": dropped or not items,
        "dropped": dropped and items > 0,
    }


def _evaluation_set(name: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    items, dirty = whole(facts.get("items")), whole(facts.get("dirty"))
    told = words.dirty_sentence(items, dirty) + words.not_compared_sentence(whole(facts.get("unusable")))
    parts = [
        ("clean", tr("clean", "干净"), items - dirty),
        ("soiled", tr("repeated by rows read for training", "出现在读入的训练数据中"), dirty),
    ]
    return {
        "name": isolated(tr(*OWN_SPLITS[name]) if name in OWN_SPLITS else name),
        "items": dirty,
        "chart": stacked_bar(parts, plain(name)),
        "dirty": count(dirty),
        "note": Markup("{} {}").format(told, listed(sequence(facts.get("examples")))),
    }


def leakage(report: Any) -> dict[str, Any] | None:
    """The proof that training and held-out rows are apart."""
    found = mapping(report)
    if not found:
        return None
    return {
        "sentence": words.leak_sentence(found),
        "method": words.leak_method(found),
        "clean": not whole(found.get("leaks")),
        "leaks": count(whole(found.get("leaks"))),
        "refused": count(whole(found["refused_children"])) if whole(found.get("refused_children")) else "",
    }


def suspects(cleaning: Sequence[Any]) -> list[dict[str, Any]]:
    """Labels that are probably wrong, the surest first, by row id; and how they spread over the labels."""
    return [_suspects(report) for report in map(mapping, cleaning) if report.get("step") == "label_errors"]


def _suspects(report: Mapping[str, Any]) -> dict[str, Any]:
    labels = {str(name): mapping(facts) for name, facts in mapping(report.get("labels")).items()}
    ordered = sorted(labels.items(), key=lambda item: (-whole(item[1].get("suspected")), item[0]))
    most = max((whole(facts.get("suspected")) for facts in labels.values()), default=0)
    return {
        "checked": count(whole(report.get("checked"))),
        "suspected": count(whole(report.get("suspected"))),
        "problem": isolated(report["problem"]) if report.get("problem") else "",
        "few": [(isolated(name), count(whole(n))) for name, n in mapping(report.get("too_few_rows")).items()],
        "labels": [
            {
                "name": isolated(name),
                "chart": charts.bar(whole(facts.get("suspected")), most, "lost", count(whole(facts.get("suspected")))),
                "count": f"{count(whole(facts.get('suspected')))} / {count(whole(facts.get('rows')))}",
            }
            for name, facts in ordered[:SHOWN_LABELS]
            if whole(facts.get("suspected"))
        ],
        "issues": [
            {
                "row": isolated(issue.get("row", "")),
                "given": isolated(issue.get("given", "")),
                "suggested": isolated(issue.get("suggested", "")),
                "score": percent(finite(issue.get("score")), 1),
            }
            for issue in map(mapping, sequence(report.get("issues"))[:SHOWN_ISSUES])
        ],
    }


def subgroups(balance: Any) -> list[dict[str, Any]]:
    """Label shares per language and per user slice, with what the comparison says in words."""
    return [_subgroups(mapping(column)) for column in sequence(balance)]


def _subgroups(column: Mapping[str, Any]) -> dict[str, Any]:
    groups = [mapping(group) for group in sequence(column.get("subgroups"))]
    totals: Counter[str] = Counter()
    for group in groups:
        for name, facts in mapping(group.get("labels")).items():
            totals[str(name)] += whole(mapping(facts).get("rows"))
    names = [name for name, _ in totals.most_common()]
    kinds = {name: charts.colour(index) for index, name in enumerate(names)}
    return {
        "name": words.called(words.DIMENSIONS, column.get("column")),
        "sentence": isolated(column.get("sentence", "")),
        "groups": [
            {
                "name": isolated(words.called(words.LANGUAGES, group.get("name"))),
                "rows": count(whole(group.get("rows"))),
                "chart": stacked_bar(_label_parts(mapping(group.get("labels")), kinds), plain(group.get("name"))),
            }
            for group in groups[:SHOWN_LABELS]
        ],
        "legend": [(kinds[name], isolated(name)) for name in names[: charts.COLOURS]]
        + ([("rest", Markup(tr("others", "其余")))] if len(names) > charts.COLOURS else []),
    }


def _label_parts(labels: Mapping[str, Any], kinds: Mapping[str, str]) -> list[tuple[str, str, int]]:
    parts = [(kind, plain(name), whole(mapping(labels.get(name)).get("rows"))) for name, kind in kinds.items()]
    rest = sum(amount for kind, _, amount in parts if kind == "rest")
    return [part for part in parts if part[0] != "rest"] + [("rest", tr("others", "其余"), rest)]


def augmentation(ledger: Mapping[str, Any], report: Any) -> dict[str, Any] | None:
    """Children tried, taken and rejected by reason; None where none were tried."""
    children = mapping(ledger.get("children"))
    tried = sum(whole(n) for n in children.values())
    if not tried:
        return None
    refusals = folded({str(reason): whole(n) for reason, n in mapping(ledger.get("rejected")).items()})
    parts = [
        ("kept", tr("in the data set", "进入数据集"), whole(children.get("added"))),
        ("grey", tr("dropped by a later step", "被后续步骤丢弃"), whole(children.get("dropped"))),
        ("dropped", tr("rejected", "拒绝"), whole(children.get("rejected"))),
    ]
    return {
        "tried": count(tried),
        "steps": [_augmenter(mapping(step)) for step in sequence(mapping(report).get("steps"))],
        "labels": _levelled(mapping(mapping(report).get("labels"))),
        "chart": stacked_bar(parts, tr("Children", "子行")),
        "legend": legend(parts, tried),
        "rejected": [
            {
                "name": isolated(said(reason)),
                "count": count(n),
                "chart": charts.bar(n, refusals[0][1], "lost", f"{said(reason)}: {count(n)}"),
            }
            for reason, n in refusals[:SHOWN_LABELS]
        ],
    }


def _augmenter(step: Mapping[str, Any]) -> dict[str, Any]:
    tried, made = whole(step.get("tried")), whole(step.get("made"))
    name = words.called(words.STEPS, step.get("step"))
    parts = [("kept", tr("accepted", "接受"), made), ("dropped", tr("rejected", "拒绝"), max(0, tried - made))]
    return {"name": name, "chart": stacked_bar(parts, name), "amount": f"{count(made)} / {count(tried)}"}


def _levelled(labels: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of each label before augmentation and with it, where that made a difference."""
    found = {str(name): mapping(facts) for name, facts in labels.items()}
    grown = {name: f for name, f in found.items() if whole(f.get("after")) > whole(f.get("before"))}
    most = max((whole(facts.get("after")) for facts in found.values()), default=0)
    return [
        {
            "name": isolated(name),
            "chart": charts.bar(whole(facts.get("after")), most, "accent", count(whole(facts.get("after")))),
            "amount": f"{count(whole(facts.get('before')))} → {count(whole(facts.get('after')))}",
        }
        for name, facts in sorted(grown.items(), key=lambda item: (-whole(item[1].get("after")), item[0]))[
            :SHOWN_LABELS
        ]
    ]
