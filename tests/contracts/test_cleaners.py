"""What every cleaner of the table promises: pure, one for one, in order, independent of batches and of other rows."""

from __future__ import annotations

import json
import pickle
from collections.abc import Sequence
from typing import Any, get_args

import numpy as np
import pytest

from danlu.data.cleaners import CLEANERS, OVER_ALL_ROWS
from danlu.data.operators import DatasetCleaner, MemoryCorpus, features_of
from danlu.data.row import Dropped, Row
from danlu.recipe.cleaners import Cleaner
from tests.data.test_splitting import sentence

CONFIGS: dict[str, Any] = {kind.model_fields["type"].default: kind for kind in get_args(get_args(Cleaner)[0])}
GIVEN: dict[str, dict[str, Any]] = {"replace": {"pattern": "ka", "replacement": "k"}, "opencc": {"to": "traditional"}}
MARK = "ZQXMARKED"


def config(kind: str) -> Any:
    return CONFIGS[kind](**GIVEN.get(kind, {}))


def talk(number: int, question: str, answer: str, **fields: Any) -> Row:
    messages = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Row(f"a.jsonl:{number}", "a.jsonl", number, messages=messages, **fields)


def rows() -> list[Row]:
    """Good rows and bad ones of every kind, in both languages, as conversations and texts."""
    answers = [
        "机器学习是人工智能的一个分支，它研究如何让计算机从数据中学习规律。",
        "Machine learning studies how computers improve with data.",
        "<p>Hello <b>world</b>, we open at <i>nine</i>.</p><ul><li>one</li><li>two</li></ul>",
        "the same line again and again until the end of it\n" * 30,
        "#$%^&*()_+#$%^&*()_+#$%^&*()_+#$%^&*()_+#$%^&*()_+",
        "As an AI language model, I cannot help with that request.",
        "抱歉，我无法回答这个问题。",
        "The quick brown fox jumps over the lazy dog and then it went on to the river where it saw that its fox was",
        "cafe\u0301 \u200b with\ufeff marks\r\nand lines",
        "Это ответ на русском языке, который никто не ждал здесь увидеть.",
        "```python\nfor i in range(3):\n\tprint(i)\n```",
    ]
    made = [talk(n, f"{MARK} {sentence(n)}", answer) for n, answer in enumerate(answers, start=1)]
    made += [talk(20 + n, sentence(n % 4, 20), sentence(50 + n % 3, 25)) for n in range(12)]
    made += [
        talk(40 + n, sentence(300 + n, 12), "好" if n % 2 else "坏", labels=("好" if n % 2 else "坏",))
        for n in range(30)
    ]
    made += [Row(f"a.jsonl:{80 + n}", "a.jsonl", 80 + n, text=sentence(400 + n % 3, 40)) for n in range(6)]
    question = "What is the capital of the land beyond the seven hills?"
    return [*made, talk(95, question, question), Row("a.jsonl:96", "a.jsonl", 96, text="")]


@pytest.fixture(params=sorted(CLEANERS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def judged(kind: str, given: Sequence[Row], batch: int) -> list[str]:
    """The fate of each row, by either kind of cleaner, over batches of a size."""
    cleaner = CLEANERS.load(kind)(config(kind))
    if kind in OVER_ALL_ROWS:
        corpus = MemoryCorpus(given, batch)
        verdict = cleaner.decide(features_of(cleaner, corpus), corpus)
        return [verdict.dropped.get(position, "kept") for position in range(len(given))]
    parts = [given[start : start + batch] for start in range(0, len(given), batch)]
    return [repr(item) for part in parts for item in cleaner(part)]


def test_the_table_and_the_recipe_name_the_same_cleaners() -> None:
    assert set(CLEANERS) == set(CONFIGS)


def test_it_is_of_the_kind_that_the_table_says(kind: str) -> None:
    assert isinstance(CLEANERS.load(kind)(config(kind)), DatasetCleaner) == (kind in OVER_ALL_ROWS)


def test_it_does_not_depend_on_batches(kind: str) -> None:
    expected = judged(kind, rows(), 1000)
    assert len(expected) == len(rows())
    assert judged(kind, rows(), 1) == judged(kind, rows(), 7) == expected


def test_it_survives_no_rows(kind: str) -> None:
    assert judged(kind, [], 10) == []


def test_its_config_can_be_sent_to_another_process(kind: str) -> None:
    again = pickle.loads(pickle.dumps(config(kind)))
    assert again == config(kind)


def test_it_changes_nothing_of_what_it_is_given(kind: str) -> None:
    given, same = rows(), rows()
    judged(kind, given, 1000)
    assert given == same


def test_reasons_and_reports_never_quote_a_row(kind: str) -> None:
    given = rows() * 1
    cleaner = CLEANERS.load(kind)(config(kind))
    if kind in OVER_ALL_ROWS:
        corpus = MemoryCorpus(given)
        verdict = cleaner.decide(features_of(cleaner, corpus), corpus)
        said = json.dumps([list(verdict.dropped.values()), verdict.report], ensure_ascii=False)
    else:
        said = json.dumps([item.reason for item in cleaner(given) if isinstance(item, Dropped)], ensure_ascii=False)
    assert MARK not in said and sentence(0)[:20] not in said and "人工智能" not in said


def test_a_row_cleaner_gives_a_row_or_an_end_for_each_row_in_order(kind: str) -> None:
    if kind in OVER_ALL_ROWS:
        cleaner = CLEANERS.load(kind)(config(kind))
        features = cleaner.features(rows())
        assert features and all(
            isinstance(array, np.ndarray) and len(array) == len(rows()) for array in features.values()
        )
        return
    items = list(CLEANERS.load(kind)(config(kind))(rows()))
    ids = [item.row.id if isinstance(item, Dropped) else item.id for item in items]
    assert ids == [row.id for row in rows()]
    for before, after in zip(rows(), items, strict=True):
        if isinstance(after, Dropped):
            assert after.step == kind and after.reason
        elif after != before:
            assert after.changed_by == (kind,)


def test_it_does_something(kind: str) -> None:
    """On rows made for it every cleaner drops, rewrites or reports."""
    cleaner = CLEANERS.load(kind)(config(kind))
    if kind in OVER_ALL_ROWS:
        corpus = MemoryCorpus(rows())
        verdict = cleaner.decide(features_of(cleaner, corpus), corpus)
        assert verdict.dropped or verdict.report
    elif kind != "length":  # its defaults only stop what is absurd
        assert any(isinstance(item, Dropped) or item.changed_by for item in cleaner(rows()))
