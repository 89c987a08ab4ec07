"""The report: self-contained, safe with strangers' text, complete, and true to its input."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest
from markupsafe import Markup

from danlu.evaluation.intervals import Comparison, Score
from danlu.pipeline.report import ReportData, charts, numbers, render_report
from danlu.pipeline.report.differences import shared_with
from danlu.pipeline.report.scale import Scale, around, smooth, without_outliers

SECTIONS = ("scores", "answers", "data", "training", "export", "run")
VOID = {"meta", "br", "img", "link", "input", "hr"}

PERPLEXITY = Comparison(
    metric="perplexity",
    base=Score("perplexity", 12.34, 11.01, 13.77, 118),
    tuned=Score("perplexity", 4.56, 4.21, 4.95, 118),
    difference=-7.78,
    low=-8.91,
    high=-6.64,
    p_value=0.002,
    verdict="better",
)
BLEU = Comparison(
    metric="bleu",
    base=Score("bleu", 21.4, 17.1, 25.3, 118),
    tuned=Score("bleu", 20.6, 16.2, 24.9, 118),
    difference=-0.8,
    low=-3.3,
    high=1.7,
    p_value=0.52,
    verdict="no clear difference",
)
FULL = ReportData(
    title="insurance-qa",
    created="2025-06-11T09:42:10+00:00",
    recipe_yaml="name: insurance-qa\nseed: 17\n",
    stages=[("data", "reused", 4.2, "d" * 40), ("train", "made", 3725.0, "e" * 40)],
    ledger={
        "read": 1203,
        "fates": {"kept": 941, "changed": 132, "truncated": 14, "dropped": 116},
        "steps": [
            {"step": "near_duplicates", "in": 1203, "out": 1151, "changed": 0, "dropped": {"like an earlier row": 52}},
            {"step": "tokens", "in": 1151, "out": 1087, "changed": 7, "dropped": {"longer than 256 tokens": 64}},
        ],
        "splits": {"train": 914, "validation": 55, "test": 118},
        "tokens": {"total": 212430, "learned": 61377, "histogram": [[50, 600], [100, 487]]},
    },
    history=[
        {"step": step, "loss": 3 / step, "learning_rate": 1e-4 / step, "grad_norm": 0.5, "tokens_per_second": 5000.0}
        | ({"validation_loss": 3.1 / step} if step % 10 == 0 else {})
        for step in range(1, 41)
    ],
    training={"tokens": 212_430, "parameters": 8_000_000, "trained_parameters": 400_000, "memory": 1_234_000_000},
    comparisons=[PERPLEXITY, BLEU],
    samples=[
        {"question": f"Question {i}?", "reference": "Yes, at once.", "base": "No.", "tuned": "Yes.", "language": "en"}
        for i in range(25)
    ],
    export={"mean_kl": 0.00312, "top1": 0.9874, "positions": 61377, "size_bytes": 612345678, "path": "/runs/7/export"},
    environment={"python": "3.11.9", "base": "Qwen/Qwen3-0.6B"},
    next_commands=["danlu chat insurance-qa@7"],
)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", "en")


class Page(HTMLParser):
    """Collects tags, attributes and visible text; fails on tags that do not nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("data", [FULL, ReportData("t", "")])
def test_it_loads_nothing_from_elsewhere(data: ReportData) -> None:
    html = render_report(data)
    assert not re.search(r"""(?:src|href|srcset|action|data)\s*=\s*["']?\s*(?:https?:)?//""", html, re.I)
    assert not re.search(r"url\(|@import|https?://", html)
    assert not [tag for tag, attributes in Page(html).tags if tag in ("link", "img", "iframe") or "src" in attributes]


@pytest.mark.parametrize("data", [FULL, ReportData("t", "")])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_section_is_there(data: ReportData, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DANLU_LANG", language)
    page = Page(render_report(data))
    assert [attributes["id"] for tag, attributes in page.tags if tag == "section" and "id" in attributes] == list(
        SECTIONS
    )
    assert dict(page.tags)["html"]["lang"] == ("zh-CN" if language == "zh" else "en")
    assert ("微调" in page.text) == (language == "zh" and data is FULL)


@pytest.mark.parametrize("field", ["question", "reference", "base", "tuned"])
def test_text_of_strangers_stays_text(field: str) -> None:
    nasty = "<script>alert('1')</script><img src=x onerror=alert(2)> & \"quoted\""
    html = render_report(replace(FULL, samples=[{**FULL.samples[0], field: nasty}]))
    page = Page(html)
    assert nasty in flat("".join(page.words))
    assert sum(tag == "script" for tag, _ in page.tags) == 1
    assert not any(tag == "img" or any(name.startswith("on") for name in attrs) for tag, attrs in page.tags)


def test_other_text_from_outside_stays_text_too() -> None:
    nasty = "\"'><script>alert(1)</script>"
    step = {"step": nasty, "in": 5, "out": 4, "changed": 1, "dropped": {nasty: 1}}
    data = replace(
        FULL,
        title=nasty,
        created=nasty,
        recipe_yaml=nasty,
        stages=[(nasty, nasty, 1.0, nasty)],
        ledger={**FULL.ledger, "steps": [step]},
        comparisons=[replace(PERPLEXITY, metric=nasty)],
        samples=[{**FULL.samples[0], "language": nasty}],
        export={"path": nasty},
        environment={nasty: nasty, "base": nasty},
        next_commands=[nasty],
    )
    page = Page(render_report(data))
    assert sum(tag == "script" for tag, _ in page.tags) == 1


def test_the_numbers_are_those_of_the_input() -> None:
    text = Page(render_report(FULL)).text
    for wanted in (
        "On 118 held-out rows, the tuned model is clearly better than its base: Perplexity 12.34 → 4.56 "
        "(95 % interval of the difference −8.91 to −6.64).",
        "No clear difference: BLEU.",
        "4.56 4.21 – 4.95",
        "12.34 11.01 – 13.77",
        "−7.78 −8.91 to −6.64",
        "−0.8 −3.3 to +1.7",
        "1,203 read, 1,087 in the data set",
        "kept as they were 941 78 %",
        "dropped 116 10 %",
        "1,151 −52 52 like an earlier row",
        "1,087 −64 64 longer than 256 tokens · 7 changed",
        "training 914",
        "test 118 11 %",
        "212,430 tokens, of which 61,377 (29 %) are learned",
        "loss 3.000 → 0.075 over 40 steps",
        "best validation loss 0.077 at step 40",
        "612 MB",
        "98.74 %",
        "0.00312",
        "/runs/7/export",
        "danlu chat insurance-qa@7",
        "1 h 2 min",
        "Qwen/Qwen3-0.6B",
        "2025-06-11 09:42 UTC",
        "16 more",
    ):
        assert wanted in flat(text), wanted


def test_verdicts_say_better_worse_or_neither() -> None:
    worse = replace(PERPLEXITY, verdict="worse")
    text = Page(render_report(replace(FULL, comparisons=[worse, replace(BLEU, verdict="better")]))).text
    assert "clearly worse than its base" in text and "Better: BLEU" in text and "Also" not in text
    text = Page(render_report(replace(FULL, comparisons=[BLEU]))).text
    assert "no clear difference between the tuned model and its base: BLEU 21.4 → 20.6" in flat(text)


def test_scores_without_a_comparison() -> None:
    data = replace(
        FULL, comparisons=[], scores=[PERPLEXITY.tuned], confidence=0.9, samples=[{**FULL.samples[0], "base": None}]
    )
    page = Page(render_report(data))
    assert "has Perplexity 4.56 (90 % interval 4.21 to 4.95). It was not compared with its base." in flat(page.text)
    assert "better" not in page.text.replace("is better", "")
    assert not any("of-base" in (attributes.get("class") or "") for _, attributes in page.tags)


def test_scores_that_were_compared_are_not_shown_twice() -> None:
    html = render_report(replace(FULL, scores=[PERPLEXITY.tuned, BLEU.tuned, Score("rouge", 0.5, 0.4, 0.6, 118)]))
    headings = re.findall(r'<article class="card">\s*<h3>(.*?)</h3>', html)
    assert headings == ["Perplexity", "BLEU", "ROUGE-L"]


@pytest.mark.parametrize(
    "name", ["comparisons", "samples", "history", "stages", "environment", "next_commands", "recipe_yaml"]
)
def test_a_missing_part_does_no_harm(name: str) -> None:
    Page(render_report(replace(FULL, **{name: type(getattr(FULL, name))()})))


@pytest.mark.parametrize(
    "ledger", [{}, {"read": 0}, {"read": 3}, {"read": 1, "fates": {}, "steps": [], "splits": {}, "tokens": {}}]
)
def test_a_ledger_may_be_empty(ledger: dict[str, Any]) -> None:
    Page(render_report(replace(FULL, ledger=ledger)))


@pytest.mark.parametrize("value", [0.0, 1e-12, 1e304, -1e304, math.nan, math.inf, -math.inf, None])
def test_any_number_gives_charts_with_finite_positions(value: float | None) -> None:
    history = [{"step": step, "loss": value, "learning_rate": value, "validation_loss": 1.5} for step in range(1, 4)]
    comparisons = PERPLEXITY
    if value is not None:
        odd = Score("perplexity", value, value, value, 1)
        comparisons = replace(PERPLEXITY, tuned=odd, difference=value, low=value, high=value)
    html = render_report(
        replace(FULL, history=history, comparisons=[comparisons], export={"mean_kl": value, "top1": value})
    )
    Page(html)
    assert not re.search(r'(?:points|x|y|x1|x2|cx|cy|width|style)="[^"]*(?:nan|inf)', html)


@pytest.mark.parametrize("count", [1, 2, 19, 20, 3000])
def test_a_history_of_any_length(count: int) -> None:
    history = [{"step": step, "loss": 1 / step} for step in range(1, count + 1)]
    html = render_report(replace(FULL, history=history))
    assert ('class="raw"' in html) == (count >= charts.SMOOTHED_FROM)
    assert len(html) < 400_000
    points = next(attributes["data-points"] for _, attributes in Page(html).tags if "data-points" in attributes)
    assert points is not None
    hints = json.loads(points)
    assert hints[0][2] == "step 1 · loss 1.0000" and f"step {count} " in hints[-1][2]


def test_curves_go_from_the_upper_left_to_the_lower_right_when_the_loss_falls() -> None:
    chart = charts.loss_curve([{"step": 1, "loss": 4.0}, {"step": 5, "loss": 3.0}, {"step": 9, "loss": 2.0}])
    found = re.search(r'class="train" points="([^"]+)"', chart)
    assert found
    points = [tuple(map(float, pair.split(","))) for pair in found.group(1).split()]
    assert [x for x, _ in points] == [0, 500, 1000]
    assert points[0][1] < points[1][1] < points[2][1]
    assert points[1][1] == 500


def test_intervals_are_drawn_where_they_are() -> None:
    from danlu.evaluation.metrics import style_of

    chart = charts.interval_plot(style_of("perplexity"), PERPLEXITY.base, PERPLEXITY.tuned)
    scale = around([11.01, 12.34, 13.77, 4.21, 4.56, 4.95], 0.12)
    for score in (PERPLEXITY.base, PERPLEXITY.tuned):
        assert f'x1="{scale(score.low)}%" x2="{scale(score.high)}%"' in chart
        assert f'cx="{scale(score.value)}%"' in chart


def test_parts_of_a_bar_fill_it() -> None:
    chart = charts.stacked_bar([("kept", "kept", 60), ("changed", "changed", 0), ("dropped", "dropped", 40)], "fates")
    assert re.findall(r'class="(\w+)" x="([\d.]+)%" y="0" width="([\d.]+)%"', chart) == [
        ("kept", "0.0", "60.0"),
        ("dropped", "60.0", "40.0"),
    ]
    assert charts.stacked_bar([("kept", "kept", 0)], "fates") == Markup()


def test_even_one_dropped_row_can_be_seen_in_the_funnel() -> None:
    found = re.findall(
        r'class="dropped" x="([\d.]+)%" y="0" width="([\d.]+)%"', charts.funnel_bar(100_000, 99_999, 100_000, "x")
    )
    assert found == [("99.4", "0.6")]
    assert "dropped" not in charts.funnel_bar(10, 10, 10, "x")


@pytest.mark.parametrize(
    ("reference", "answer", "marked"),
    [
        ("Send a photo today", "Please send a photo", "Please <mark>send a photo</mark>"),
        ("保单第二天零点生效", "保单从第二天起生效", "<mark>保单</mark>从<mark>第二天</mark>起<mark>生效</mark>"),
        ("the end", "in the beginning", "in the beginning"),
        ("Yes", "yes", "<mark>yes</mark>"),
        ("a<b and c", "a<b and d", "<mark>a&lt;b and</mark> d"),
        ("", "anything", "anything"),
        ("anything", "", ""),
    ],
)
def test_shared_runs_of_words_are_marked(reference: str, answer: str, marked: str) -> None:
    assert shared_with(reference, answer) == marked


def test_long_answers_are_cut() -> None:
    text = shared_with("w " * 5000, "w " * 5000)
    assert len(text) < 3000 and text.endswith("…")


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (lambda: numbers.number(1234.5), "1,234.50"),
        (lambda: numbers.number(-0.25), "−0.25"),
        (lambda: numbers.number(2.5e9), "2.5e+09"),
        (lambda: numbers.number(0.0001, 2), "1.0e−04"),
        (lambda: numbers.number(0.0), "0.00"),
        (lambda: numbers.number(math.inf), "∞"),
        (lambda: numbers.number(None), "–"),
        (lambda: numbers.signed(0.5), "+0.50"),
        (lambda: numbers.significant(0.00005), "5e−5"),
        (lambda: numbers.significant(1200.0), "1,200"),
        (lambda: numbers.percent(0.001), "<1 %"),
        (lambda: numbers.percent(0.29), "29 %"),
        (lambda: numbers.size(999), "999 B"),
        (lambda: numbers.size(1_500_000), "1.5 MB"),
        (lambda: numbers.size(7e15), "7,000 TB"),
        (lambda: numbers.duration(4.21), "4.2 s"),
        (lambda: numbers.duration(59.7), "1 min 0 s"),
        (lambda: numbers.duration(3725), "1 h 2 min"),
        (lambda: numbers.duration(math.nan), "–"),
    ],
)
def test_numbers_as_people_read_them(made: Callable[[], str], text: str) -> None:
    assert made() == text


def test_ticks_are_round_and_within_the_range() -> None:
    assert Scale(0.3, 10.4).ticks(4) == [5, 10]
    assert Scale(0, 1e-4).ticks(2) == pytest.approx([0, 5e-5, 1e-4])
    assert Scale(2.25, 2.75).ticks(4) == pytest.approx([2.4, 2.6])


def test_a_smooth_curve_neither_lags_nor_bends_at_its_ends() -> None:
    line = [10.0 - 0.1 * step for step in range(100)]
    assert smooth(line)[20:80] == pytest.approx(line[20:80], abs=0.02)
    assert smooth([3.0] * 50) == pytest.approx([3.0] * 50)
    assert smooth([]) == []


def test_a_few_wild_values_do_not_decide_the_range() -> None:
    usual = [1 + 0.01 * i for i in range(100)]
    assert without_outliers([*usual, 50.0]) == usual
    assert without_outliers([1.0, 50.0]) == [1.0, 50.0]


def test_what_the_training_took_is_told() -> None:
    text = Page(render_report(FULL)).text
    assert "tokens 212,430" in text and "parameters trained 400,000 (5.0 %)" in text and "memory 1.2 GB" in text


def test_a_run_without_an_evaluation_shows_the_figures_of_its_objective() -> None:
    data = replace(FULL, comparisons=(), scores=(), figures={"loss": 0.31, "accuracy": 0.875, "macro_f1": 0.874})
    page = render_report(data)
    assert "On held-out rows, the tuned model has accuracy 0.875, macro-F1 0.874, loss 0.310." in page
    sure = render_report(replace(data, training={**FULL.training, "test_rows": 48}))
    assert "accuracy 0.875 (95 % interval 0.753 to 0.941, 48 rows), macro-F1 0.874, loss" in sure
