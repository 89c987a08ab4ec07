"""From a model to files and back, and two of them compared."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from transformers import PreTrainedModel

from danlu.evaluation.evaluate import (
    compare,
    comparison_from_json,
    comparison_to_json,
    evaluate_model,
    read_evaluation,
    write_evaluation,
)
from danlu.evaluation.metrics import build_metrics
from danlu.models.chat import ChatRenderer
from danlu.recipe.errors import UserError
from danlu.recipe.evaluate import EvaluateSection, ExactMatchMetric, PerplexityMetric
from tests.evaluation.answers import HeldOut, many

CONFIG = EvaluateSection(resamples=100)


def held_out(count: int) -> list[HeldOut]:
    rows = []
    for index in reversed(range(count)):
        question, answer = (f"第{index}个问题？", "请等一天。") if index % 2 else (f"Question {index}?", "Wait a day.")
        messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
        rows.append(HeldOut(f"r{index}", messages))
    return rows


def test_a_model_is_evaluated_on_the_first_rows_by_id(model: PreTrainedModel, renderer: ChatRenderer) -> None:
    seen: list[tuple[int, int]] = []
    config = EvaluateSection(max_rows=3, max_new_tokens=4, batch_rows=2)
    found = evaluate_model(model, renderer, held_out(5), config, lambda done, total: seen.append((done, total)))
    assert [row.row_id for row in found] == ["r0", "r1", "r2"]
    assert [row.language for row in found] == ["en", "zh", "en"]
    assert found[1].question == "第1个问题？" and found[1].reference == "请等一天。"
    assert all(row.nll > 0 and row.tokens > 2 and row.finish_reason in ("stop", "length") for row in found)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (6, 6)


def test_the_best_value_is_reached_by_a_reference_with_tool_calls_that_is_repeated() -> None:
    from danlu.evaluation.answering import last_turn, spoken
    from danlu.models.completion import parse_answer

    call = {"function": {"name": "weather", "arguments": '{"city": "北京"}'}}
    asked = {"role": "user", "content": "天气？"}
    row = HeldOut("a", [asked, {"role": "assistant", "content": "", "tool_calls": [call]}])
    messages, turn = last_turn(row)
    reference = spoken(messages[turn]["content"], messages[turn]["tool_calls"])
    said = parse_answer('<tool_call>\n{"name": "weather", "arguments": {"city": "北京"}}\n</tool_call>')
    assert spoken(said.content, said.tool_calls) == reference != ""


def test_no_rows_are_refused(model: PreTrainedModel, renderer: ChatRenderer) -> None:
    with pytest.raises(UserError, match="no rows"):
        evaluate_model(model, renderer, [], CONFIG)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    rows = [replace(row, reasoning="because" if index % 3 else None) for index, row in enumerate(many(12))]
    metrics = build_metrics(CONFIG.metrics)
    written = write_evaluation(tmp_path / "evaluation", rows[::-1], metrics, CONFIG, seed=5)
    read = read_evaluation(tmp_path / "evaluation")
    assert read == written
    assert read.rows == rows
    body = json.loads((tmp_path / "evaluation" / "scores.json").read_text())
    assert (body["rows"], body["seed"], body["resamples"], body["confidence"]) == (12, 5, 100, 0.95)
    assert [entry["metric"] for entry in body["scores"]] == ["perplexity", "bleu", "rouge"]
    table = pq.read_table(tmp_path / "evaluation" / "rows.parquet").to_pydict()
    for metric in metrics:
        assert table[f"metric.{metric.name}"] == metric.per_row(metric.statistics(rows)).tolist()


def test_two_evaluations_are_compared_metric_by_metric(tmp_path: Path) -> None:
    base = many(40, quality=0.2)
    tuned = [replace(row, answer=row.reference, nll=row.nll * 1.5) for row in base]
    config = EvaluateSection(metrics=(PerplexityMetric(), ExactMatchMetric()), resamples=200)
    metrics = build_metrics(config.metrics)
    write_evaluation(tmp_path / "base", base, metrics, config, seed=1)
    write_evaluation(tmp_path / "tuned", tuned, metrics, config, seed=1)
    found = compare(tmp_path / "base", tmp_path / "tuned", config, seed=1)
    assert [(entry.metric, entry.verdict) for entry in found] == [("perplexity", "worse"), ("exact_match", "better")]
    assert found[0].base == read_evaluation(tmp_path / "base").scores[0]
    assert found[1].tuned.value == 1.0
    for entry in found:
        assert comparison_from_json(json.loads(json.dumps(comparison_to_json(entry)))) == entry


def test_evaluations_of_other_rows_are_not_compared(tmp_path: Path) -> None:
    metrics = build_metrics(CONFIG.metrics)
    write_evaluation(tmp_path / "base", many(5), metrics, CONFIG, seed=1)
    write_evaluation(tmp_path / "tuned", many(4), metrics, CONFIG, seed=1)
    with pytest.raises(UserError, match="not of the same rows"):
        compare(tmp_path / "base", tmp_path / "tuned", CONFIG, seed=1)


@pytest.mark.parametrize("broken", ["scores.json", "rows.parquet"])
@pytest.mark.parametrize("content", [None, b"", b"[]", b'{"scores": [{"metric": "x"}]}'])
def test_a_broken_evaluation_says_so(tmp_path: Path, broken: str, content: bytes | None) -> None:
    write_evaluation(tmp_path, many(3), build_metrics(CONFIG.metrics), CONFIG, seed=1)
    (tmp_path / broken).unlink()
    if content is not None:
        (tmp_path / broken).write_bytes(content)
    with pytest.raises(UserError, match="not an evaluation of danlu"):
        read_evaluation(tmp_path)


def test_a_broken_comparison_says_so() -> None:
    with pytest.raises(UserError, match="not a comparison"):
        comparison_from_json({"metric": "bleu"})


def test_reading_and_comparing_need_no_torch() -> None:
    code = (
        "import sys, danlu.evaluation.evaluate as e; from danlu.evaluation.metrics import METRICS\n"
        "for name in METRICS: METRICS.load(name)\n"
        "print(sorted({'torch', 'transformers', 'sacrebleu', 'rouge_score'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
