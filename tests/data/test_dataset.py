"""The dataset artifact: what is written is what is read, and another rendering is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from danlu.data.dataset import DatasetWriter, check_dataset_rendering, load_rows, load_samples
from danlu.data.row import Row
from danlu.models.chat import ChatRenderer, Sample
from danlu.recipe.errors import UserError
from tests.data.making import chat, prepare, section, write_jsonl

TOOLS = ({"type": "function", "function": {"name": "天气", "parameters": {"type": "object", "properties": {}}}},)


def test_rows_and_samples_come_back_as_they_went_in(tmp_path: Path) -> None:
    asked = ({"role": "user", "content": "Q\n\t²"}, {"role": "assistant", "content": "答", "reasoning_content": "r"})
    talk = Row("a.jsonl:1", "a.jsonl", 1, messages=(*asked, *asked), tools=TOOLS, thinking=True, weight=0.5)
    text = Row("a.jsonl:2", "a.jsonl", 2, text="plain")
    held = Row("b.csv:9", "b.csv", 9, messages=asked, thinking=False)
    writer = DatasetWriter(tmp_path)
    writer.write(talk, "train", [Sample([1, 2, 3, 4], [(2, 4)], [1]), Sample([5, 6, 7], [(1, 2), (2, 3)], [1, 3])])
    writer.write(text, "train", [Sample([8, 9], [(1, 2)], [])])
    writer.write(held, "test", [Sample([1, 2], [(1, 2)], [1])])
    writer.close()
    assert load_rows(tmp_path, "train") == [talk, text]
    assert load_rows(tmp_path, "test") == [held]
    assert load_rows(tmp_path, "validation") == [] and load_samples(tmp_path, "validation") == []
    samples = load_samples(tmp_path, "train")
    assert [(s.row_id, s.input_ids, s.spans, s.text, s.learned) for s in samples] == [
        ("a.jsonl:1", [1, 2, 3, 4], [(2, 4)], False, 2),
        ("a.jsonl:1", [5, 6, 7], [(1, 2), (2, 3)], False, 2),
        ("a.jsonl:2", [8, 9], [(1, 2)], True, 1),
    ]


def test_both_answers_of_a_preference_row_are_rendered(renderer: ChatRenderer, tmp_path: Path) -> None:
    said = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Yes?"}]
    asked = [*said, {"role": "user", "content": "你好"}]
    better, worse = ({"role": "assistant", "content": text} for text in ("你好。", "No."))
    row = {"prompt": asked, "chosen": [better], "rejected": [worse], "weight": 2}
    prepare(section(write_jsonl(tmp_path / "rows.jsonl", [row])), renderer, tmp_path / "out")
    found = load_samples(tmp_path / "out", "train")
    # Qwen3's template takes the empty thinking out of history, so each turn is a sequence of its own
    assert [(sample.rejected, sample.turns) for sample in found] == [(False, [1]), (False, [3]), (True, [3])]
    assert {sample.weight for sample in found} == {2.0}
    for sample, answer in zip(found[1:], (better, worse), strict=True):
        prompt, completion = renderer.encode_turn([*asked, answer], 3)
        assert sample.input_ids == prompt + completion
        assert sample.spans[-1] == (len(prompt), len(sample.input_ids))
    (kept,) = load_rows(tmp_path / "out", "train")
    assert kept.preferred_from == 3 and kept.rejected == (worse,)


def test_judgements_and_weights_travel_with_their_rows(renderer: ChatRenderer, tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "weight": 0}]
    talk += [{"role": "user", "content": "c"}, {"role": "assistant", "content": "d", "weight": 0.5}]
    rows = [
        {"messages": talk},
        {"prompt": "a?", "completion": "b", "desirable": False},
        {"prompt": "c?", "completion": "d", "desirable": "true", "weight": "3"},
    ]
    prepare(section(write_jsonl(tmp_path / "rows.jsonl", rows)), renderer, tmp_path / "out")
    found = load_samples(tmp_path / "out", "train")
    assert [(s.span_weights, s.weight, s.desirable) for s in found] == [
        ([0.0], 1.0, None),
        ([0.5], 1.0, None),
        ([1.0], 1.0, False),
        ([1.0], 3.0, True),
    ]
    assert [row.desirable for row in load_rows(tmp_path / "out", "train")] == [None, False, True]


def test_samples_are_the_renderers_own(renderer: ChatRenderer, tmp_path: Path) -> None:
    records = [chat("Hello?", "你好。"), {"text": "A text."}]
    prepare(section(write_jsonl(tmp_path / "a.jsonl", records)), renderer, tmp_path / "out")
    talk, text = load_samples(tmp_path / "out", "train")
    expected = renderer.samples(records[0]["messages"])
    assert (talk.input_ids, talk.spans) == (expected[0].input_ids, expected[0].spans)
    assert text.text and text.input_ids == [*renderer.encode_text("A text."), renderer.document_end_id]
    assert text.spans == [(1, len(text.input_ids))]


def test_thinking_rows_may_have_several_samples(renderer: ChatRenderer, tmp_path: Path) -> None:
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": "b", "reasoning_content": "because"},
        {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d", "reasoning_content": "so"},
    ]
    prepare(section(write_jsonl(tmp_path / "a.jsonl", [{"messages": messages}])), renderer, tmp_path / "out")
    samples = load_samples(tmp_path / "out", "train")
    assert [sample.row_id for sample in samples] == ["a.jsonl:1"] * 2
    assert load_rows(tmp_path / "out", "train")[0].messages == tuple(messages)


def test_another_rendering_is_refused(renderer: ChatRenderer, tmp_path: Path) -> None:
    out = tmp_path / "out"
    prepare(section(write_jsonl(tmp_path / "a.jsonl", [chat("a")])), renderer, out)
    check_dataset_rendering(out, renderer.rendering_hash)
    with pytest.raises(UserError, match="was rendered with hash") as error:
        check_dataset_rendering(out, "0" * 64)
    assert error.value.where == str(out) and "danlu data" in error.value.fix


def test_a_changed_template_changes_the_hash(renderer: ChatRenderer, tokenizer_folder: Path) -> None:
    from danlu.models.loading import load_tokenizer

    tokenizer = load_tokenizer(tokenizer_folder)
    assert ChatRenderer(tokenizer).rendering_hash == renderer.rendering_hash
    tokenizer.chat_template = tokenizer.chat_template + " "
    assert ChatRenderer(tokenizer).rendering_hash != renderer.rendering_hash
