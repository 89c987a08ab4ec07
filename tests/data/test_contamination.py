"""Contamination: what counts as a repeated evaluation item, against brute force and by cases."""

from __future__ import annotations

import pickle
import random
from collections import Counter

import pytest

from danlu.data import comparison_units, contamination, window_table
from danlu.data.contamination import CHARACTERS, WORDS, ContaminationIndex, Hit
from danlu.data.row import Row
from tests.data.test_comparison_units import plain

ZH = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就"
ZH += "分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民"
EN = [
    "river",
    "stone",
    "cloud",
    "lantern",
    "paper",
    "engine",
    "garden",
    "winter",
    "copper",
    "signal",
    "bridge",
    "market",
]


def chat(number: int, *turns: str, labels: tuple[str, ...] = (), file: str = "rows") -> Row:
    roles = ["user", "assistant"] * len(turns)
    messages = tuple({"role": role, "content": text} for role, text in zip(roles, turns, strict=False))
    return Row(f"{file}:{number}", file, number, messages=messages, labels=labels)


def chinese(seed: int, length: int) -> str:
    return "".join(random.Random(seed).choices(ZH, k=length))


def english(seed: int, length: int) -> str:
    return " ".join(
        f"{word}{seed}" if i % 3 else word for i, word in enumerate(random.Random(seed).choices(EN, k=length))
    )


def only(index: ContaminationIndex, *turns: str, labels: tuple[str, ...] = ()) -> Hit | None:
    return index.hits([chat(1, *turns, labels=labels)])[0]


LONG_ZH, LONG_EN = chinese(1, 60), english(1, 40)
ITEMS = [chat(1, LONG_ZH, chinese(2, 50), file="exam"), chat(2, LONG_EN, english(2, 40), file="exam")]


@pytest.fixture(scope="module")
def index() -> ContaminationIndex:
    return ContaminationIndex({"exam": ITEMS})


@pytest.mark.parametrize(
    "text",
    [
        LONG_ZH,
        "，".join(LONG_ZH),
        " ".join(LONG_ZH) + "！！",
        chinese(8, 70) + LONG_ZH + chinese(9, 70),
        "see below " * 20 + LONG_ZH,
        LONG_EN,
        LONG_EN.upper(),
        LONG_EN.replace(" ", ", "),
        f"{english(8, 80)}. {LONG_EN}. {english(9, 80)}",
        chinese(7, 50) + LONG_EN,
        LONG_EN.translate({ord(c): ord(c) + 0xFEE0 for c in "abcdefghijklmnopqrstuvwxyz"}),
    ],
)
def test_a_repeated_question_is_found_however_it_is_written(index: ContaminationIndex, text: str) -> None:
    for turns in ((text, "something else"), ("something else", text)):
        hit = only(index, *turns)
        assert hit and hit.share == 1 and hit.part == "question" and hit.evaluation_set == "exam"
        assert hit.evaluation_row == ("exam:1" if "".join(plain(LONG_ZH)) in "".join(plain(text)) else "exam:2")
    assert index.hits([Row("t:1", "t", 1, text=text)])[0]


def test_a_leaked_answer_is_found_without_its_question(index: ContaminationIndex) -> None:
    hit = only(index, "another question", f"Well: {english(2, 40)}")
    assert hit == Hit("exam", "exam:2", 1.0, "answer")
    assert hit.reason() == "repeats 100% of the answer of exam exam:2"


def test_unrelated_rows_and_empty_ones_are_clean(index: ContaminationIndex) -> None:
    rows = [chat(i, chinese(i, 80), english(i, 60)) for i in range(100, 150)]
    assert index.hits([*rows, Row("t:1", "t", 1), chat(1, "", "")]) == [None] * 52
    assert index.hits([]) == []
    assert ContaminationIndex({"none": []}).hits(rows) == [None] * 50


def test_edited_text_is_found_and_a_passing_likeness_is_not(index: ContaminationIndex) -> None:
    words = LONG_EN.split()
    words[11] = words[30] = "edited"
    hit = only(index, " ".join(words), "x")
    assert hit and hit.share == pytest.approx(38 / 40)
    assert only(index, " ".join(LONG_EN.split()[:19]), "x") is None, "less than half"
    assert only(index, " ".join(LONG_EN.split()[:21]), "x")


def test_one_shared_n_gram_does_not_condemn() -> None:
    start = "edit this sentence to make it sound more"
    index = ContaminationIndex({"exam": [chat(1, f"{start} formal: we want to leave", "x")]})
    assert only(index, f"{start} friendly: go away at once or else", "y") is None


@pytest.mark.parametrize("at_once", [1 << 20, 4])
def test_an_instruction_template_is_no_evidence(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_table, "_AT_ONCE", at_once)
    template = "判断下面评论的情感，只回答正面或者负面："
    items = [chat(i, template + chinese(i, 20), "正面", labels=("正面",), file="exam") for i in range(8)]
    index = ContaminationIndex({"exam": items})
    rows = [chat(i, template + chinese(i, 20), "正面", labels=("正面",)) for i in range(50, 150)]
    assert index.hits(rows) == [None] * 100
    assert all(index.hits(items))
    # The same review under another instruction is still the same review.
    assert only(index, "这条评论怎么样？" + chinese(3, 20), "负面")


def test_few_items_that_share_a_text_are_no_template() -> None:
    shared = chinese(5, 40)
    index = ContaminationIndex({"exam": [chat(i, shared + chinese(i, 30), "x", file="exam") for i in range(3)]})
    hit = only(index, shared, "y")
    assert hit and hit.share == pytest.approx(40 / 70) and hit.evaluation_row == "exam:0"


def test_copies_of_an_item_are_no_template_and_all_are_dirty() -> None:
    index = ContaminationIndex({"exam": [chat(i, LONG_ZH, chinese(2, 50), file="exam") for i in range(30)]})
    found = index.found([chat(1, LONG_ZH, "x")])
    assert len(index.dirty([found]).items["exam"]) == 30


def test_short_items_are_compared_whole() -> None:
    index = ContaminationIndex({"exam": [chat(1, "中国的首都是哪里？", "北京", file="exam")]})
    assert only(index, "中国的首都是哪里", "上海") == Hit("exam", "exam:1", 1.0, "question")
    assert only(index, "你好", "你好！", "中国的 首都 是哪里?", "北京")
    assert only(index, "中国的首都是哪里有名的", "北京") is None
    assert only(index, "请问，中国的首都是哪里？", "北京") is None
    assert only(index, "哪个城市最大？", "北京") is None, "a short answer alone"


def test_very_short_items_need_their_answer_too() -> None:
    index = ContaminationIndex(
        {"exam": [chat(1, "Hi!", "Hello there.", file="exam"), chat(2, "很好用", "正面", file="exam")]}
    )
    assert only(index, "hi", "What do you want?") is None
    assert only(index, "hi", "hello, there") == Hit("exam", "exam:1", 1.0, "question and answer")
    assert only(index, "thanks", "bye", "HI", "Hello there") is not None
    assert only(index, "hi", "bye", "thanks", "Hello there") is None, "the answer of another turn"
    assert only(index, "很好用", "负面") is None
    assert only(index, "很好用", "正面")


def test_a_label_is_never_evidence() -> None:
    label = "this review is about the delivery and the packaging of the product"
    index = ContaminationIndex({"exam": [chat(1, english(3, 30), label, labels=(label,), file="exam")]})
    assert only(index, english(4, 30), label, labels=(label,)) is None
    assert only(index, english(3, 30), "other", labels=("other",))


def test_system_prompts_are_not_compared() -> None:
    def with_system(number: int, question: str) -> Row:
        row = chat(number, question, "fine", file="exam")
        return row.rewritten("", messages=({"role": "system", "content": chinese(4, 80)}, *row.messages))

    index = ContaminationIndex({"exam": [with_system(1, LONG_ZH)]})
    assert index.hits([with_system(2, chinese(9, 60))]) == [None]


def test_rejected_answers_are_trained_on_and_so_compared(index: ContaminationIndex) -> None:
    row = chat(1, "another question", "fine")
    leaked = row.rewritten("", rejected=({"role": "assistant", "content": chinese(2, 50)},))
    assert index.hits([row])[0] is None
    assert index.hits([leaked])[0] == Hit("exam", "exam:1", 1.0, "answer")


def test_dirty_items_are_listed_by_set(monkeypatch: pytest.MonkeyPatch) -> None:
    sets = {"exam": ITEMS, "quiz": [chat(1, chinese(70, 40), "x", file="quiz"), ITEMS[0]], "empty": []}
    index = ContaminationIndex(sets)
    batches = [[chat(1, chinese(200, 60), "x")], [chat(2, LONG_ZH, "x"), chat(3, LONG_ZH, "y")]]
    dirty = index.dirty(index.found(batch) for batch in batches)
    assert dirty.items == {"exam": ["exam:1"], "quiz": ["exam:1"], "empty": []}
    monkeypatch.setenv("DANLU_LANG", "en")
    report = dirty.as_dict()
    assert report["exam"]["dirty"] == 1 and report["exam"]["items"] == 2 and report["exam"]["share"] == 0.5
    assert "1 of the 2 items of exam (50.0%) stand in the training rows" in report["exam"]["sentence"]
    assert report["empty"]["share"] == 0
    monkeypatch.setenv("DANLU_LANG", "zh")
    assert "2 条评测样本中有 1 条（50.0%）" in dirty.sentence("exam")
    kept = [row for batch in batches for row in batch if index.hits([row])[0] is None]
    assert not any(index.dirty([index.found(kept)]).items.values()), "dropping what is hit leaves no dirty item"


def test_batches_blocks_and_pickling_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(3)
    items = [chat(i, chinese(i, rng.randint(4, 90)), english(i, rng.randint(1, 40)), file="exam") for i in range(60)]
    rows = [chat(i, chinese(i, 30) + chinese(i % 70, 40), english(i % 110, 30)) for i in range(1500)]
    index = ContaminationIndex({"exam": items})
    expected = index.hits(rows)
    monkeypatch.setattr(window_table, "_AT_ONCE", 100)
    monkeypatch.setattr(comparison_units, "BLOCK", 500)
    assert ContaminationIndex({"exam": items}).hits(rows) == expected
    monkeypatch.undo()
    again = pickle.loads(pickle.dumps(index))
    monkeypatch.setattr(contamination, "_BLOCK", 70)
    assert [hit for i in range(0, 1500, 123) for hit in again.hits(rows[i : i + 123])] == expected
    assert 0 < sum(hit is not None for hit in expected) < 1500


def brute(items: list[list[str]], text: list[str], size: int) -> dict[int, float]:
    """Share of each item's units that stand in `text`, by sets of tuples; templates left out."""
    half = size // 2
    runs = [Counter(tuple(item[i : i + half]) for i in range(len(item) - half + 1)).keys() for item in items]
    often = Counter(run for own in runs for run in own)
    template = {run for run, count in often.items() if count > max(3, 0.01 * len(items))}
    here = {tuple(text[i : i + k]) for k in (size, half) for i in range(len(text) - k + 1)}
    shares = {}
    for number, item in enumerate(items):
        ignored = {
            i + k for i in range(len(item) - half + 1) if tuple(item[i : i + half]) in template for k in range(half)
        }
        counted = set(range(len(item))) - ignored
        whole = [i for i in range(len(item) - size + 1) if tuple(item[i : i + size]) in here]
        seeds = [i for i in whole if any(i + k in counted for k in range(size))]
        runs_here = [i for i in range(len(item) - half + 1) if tuple(item[i : i + half]) in here]
        covered = {i + k for i in runs_here for k in range(half)} & counted
        if seeds and len(counted) >= size and len(covered) / len(counted) >= 0.5:
            share = len(covered) / len(counted)
            if share >= 0.8 or len(covered) >= 2 * size:
                shares[number] = share
    return shares


@pytest.mark.parametrize(("size", "alphabet", "glue"), [(CHARACTERS, ZH[:12], ""), (WORDS, EN[:9], " ")])
def test_shares_are_those_of_brute_force(size: int, alphabet: str, glue: str) -> None:
    rng = random.Random(size)
    stock = [rng.choices(alphabet, k=rng.randint(5, 40)) for _ in range(25)]
    texts = [[unit for piece in rng.choices(stock, k=rng.randint(1, 4)) for unit in piece] for _ in range(80)]
    items = [list(item) for item in dict.fromkeys(tuple(text) for text in texts[:40])]
    index = ContaminationIndex({"exam": [chat(i, glue.join(item), "", file="exam") for i, item in enumerate(items)]})
    checked = 0
    for text in texts[40:]:
        found = index.found([chat(0, glue.join(text), "")])
        got = {int(index._first_item[part]): share for part, share in zip(found.part, found.share, strict=True)}
        expected = brute(items, text, size)
        whole = {i for i, item in enumerate(items) if item == text}
        assert {i: s for i, s in got.items() if i not in whole} == pytest.approx(
            {i: s for i, s in expected.items() if i not in whole}
        )
        checked += len(expected)
    assert plain(glue.join(texts[0])) == texts[0]
    assert checked > 20


def test_a_common_answer_is_no_evidence_but_a_rare_one_and_a_repeated_question_are() -> None:
    """Sentences that stand for classes repeat in training; what three rows at most repeat is a leak."""
    common, rare, asked = english(11, 20), english(12, 20), english(13, 20)
    index = ContaminationIndex({"exam": [chat(1, "Short?", common), chat(2, asked, rare)]})
    rows = [chat(n, english(100 + n, 12), common) for n in range(4)]
    rows += [chat(5, english(105, 12), rare), chat(6, asked, common)]
    found = [index.found(rows[:3]), index.found(rows[3:])]
    assert sum(len(part.row) for part in found) == 7
    left = index.credible(found)
    assert index.best(left[0], 3) == [None] * 3
    assert [hit.part if hit else None for hit in index.best(left[1], 3)] == [None, "answer", "question"]
    few = [index.found(rows[:3])]
    assert all(hit is not None for hit in index.best(index.credible(few)[0], 3))
