"""From a dataset's report data to one HTML page that loads nothing, for the people who answer for the data."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from danlu.pipeline.report import dataset_drift, dataset_findings, dataset_rows, dataset_words
from danlu.pipeline.report.dataset_data import finite, mapping, sequence
from danlu.pipeline.report.dataset_text import isolated, plain, shown
from danlu.pipeline.report.numbers import count, duration
from danlu.pipeline.report.templates import environment, moment
from danlu.recipe.language import chosen_language, tr


def render_dataset_report(data: Mapping[str, Any], *, title: str, created: str, facts: Mapping[str, str]) -> str:
    """The page as one HTML text in the user's language.

    Args:
        data: what `danlu.data.reporting.read_report` returns. Parts that are absent are left out or said to be absent.
        title: name of the recipe.
        created: when the dataset was made, ISO 8601.
        facts: hashes and versions, shown at the end as they are.
    """
    ledger, cleaning = mapping(data.get("ledger")), sequence(data.get("cleaning"))
    rows = dataset_rows.Rows(ledger, mapping(data.get("examples")))
    personal = dataset_rows.personal(mapping(data.get("personal_data")), redacted=rows.has("redact"))
    leakage = dataset_findings.leakage(data.get("leakage"))
    contamination = dataset_findings.contamination(data.get("contamination"))
    sections: dict[str, Any] = {
        "rows": rows.funnel(),
        "personal": personal,
        "quarantine": dataset_rows.quarantine(mapping(data.get("quarantine")), rows),
        "rewrites": rows.rewrites(),
        "duplicates": dataset_findings.duplicates(cleaning),
        "conflicts": dataset_findings.conflicts(cleaning),
        "suspects": dataset_findings.suspects(cleaning),
        "lengths": dataset_rows.lengths(mapping(data.get("lengths")), ledger),
        "languages": dataset_rows.mix(sequence(data.get("languages")), dataset_words.LANGUAGES),
        "labels": dataset_rows.balance(sequence(data.get("labels"))),
        "subgroups": dataset_findings.subgroups(data.get("balance")),
        "leakage": leakage,
        "contamination": contamination,
        "drift": dataset_drift.drift(data.get("reference")),
        "augmentation": dataset_findings.augmentation(ledger, data.get("augmentation")),
    }
    template = environment().get_template("dataset.html.j2")
    return template.render(
        title=shown(title),
        plain_title=plain(title),
        created=plain(moment(created)),
        page_language="zh-CN" if chosen_language() == "zh" else "en",
        headline=dataset_words.headline(ledger),
        also=personal["sentence"],
        cards=_cards(sections),
        numbers=_numbers(ledger),
        missing=_missing(sections),
        seconds=_seconds(mapping(data.get("seconds")), rows),
        facts=[(isolated(name), shown(value)) for name, value in facts.items()],
        **sections,
    )


def _cards(sections: Mapping[str, Any]) -> list[dict[str, str]]:
    """What must be right about a dataset, at a glance."""
    personal, leakage, contamination = (sections[name] for name in ("personal", "leakage", "contamination"))
    cards = [{"name": tr("Personal data", "个人信息"), "href": "#personal", **personal["card"]}]
    if leakage:
        state = tr("no leak", "无泄漏") if leakage["clean"] else tr("leaks", "存在泄漏")
        kind = "better" if leakage["clean"] else "worse"
        unit = tr("pairs across the split", "对跨划分相近行")
        name = tr("Leakage", "数据泄漏")
        cards.append(_card(name, "#leakage", (leakage["leaks"], unit), (kind, state)))
    if contamination:
        state = tr("repeated items", "存在重复样本")
        if contamination["clean"]:
            state = tr("those rows left out", "重复行已剔除") if contamination["dropped"] else tr("clean", "干净")
        kind = "better" if contamination["clean"] else "worse"
        unit = tr("items repeated by rows read", "条样本与读入数据重复")
        amount = (contamination["items"], unit)
        cards.append(_card(tr("Evaluation sets", "评测集"), "#contamination", amount, (kind, state)))
    quarantine = sections["quarantine"]
    state = tr("rows set aside", "已隔离") if quarantine["any"] else tr("all rows usable", "全部可用")
    kind = "none" if quarantine["any"] else "better"
    unit = tr("rows that could not be used", "行无法使用")
    cards.append(_card(tr("Bad rows", "坏行"), "#quarantine", (quarantine["rows"], unit), (kind, state)))
    return cards


def _card(name: str, href: str, amount: tuple[str, str], verdict: tuple[str, str]) -> dict[str, str]:
    return {
        "name": name,
        "href": href,
        "value": amount[0],
        "unit": amount[1],
        "kind": verdict[0],
        "verdict": verdict[1],
    }


def _numbers(ledger: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The few numbers below the headline: (value, what it is)."""
    splits, tokens = mapping(ledger.get("splits")), mapping(ledger.get("tokens"))
    found = [(count(int(finite(splits.get(name)))), tr(*words)) for name, words in dataset_words.SPLITS.items()]
    if finite(tokens.get("total")):
        found.append((count(int(finite(tokens["total"]))), tr("tokens", "token 总数")))
        found.append((count(int(finite(tokens.get("learned")))), tr("of them learned", "其中参与学习")))
    return found


def _missing(sections: Mapping[str, Any]) -> list[str]:
    """What was not asked for, so that nobody takes silence for a clean result."""
    asked = {
        "duplicates": tr("search for duplicates", "重复检测"),
        "conflicts": tr("search for conflicting answers", "答案冲突检测"),
        "suspects": tr("search for wrong labels", "标注错误检测"),
        "drift": tr("comparison with a sample of production", "与生产样本比较"),
        "augmentation": tr("augmentation", "数据增强"),
        "contamination": tr("search for evaluation items in the training rows", "评测污染检测"),
        "leakage": tr("proof that training and held-out rows are apart", "训练与留出数据分离证明"),
    }
    return [name for key, name in asked.items() if not sections[key]]


def _seconds(seconds: Mapping[str, Any], rows: dataset_rows.Rows) -> list[dict[str, Any]]:
    """Time by step; what a step compares its rows by is made before it ('2-conflicts') and counts as its own."""
    totals: defaultdict[str, float] = defaultdict(float)
    for name, value in seconds.items():
        totals[re.sub(r"^\d+-", "", name)] += finite(value)
    longest = max(totals.values(), default=0.0) or 1.0
    return [
        {
            "name": dataset_words.called(dataset_words.STEPS, name),
            "seconds": duration(totals[name]),
            "width": round(100 * totals[name] / longest, 1),
        }
        for name in rows.in_order(totals)
    ]
