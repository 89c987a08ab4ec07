"""Duplicates and conflicts: which rows go, which stay, and what is said of them."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from danlu.data.cleaners.conflicts import Conflicts
from danlu.data.cleaners.exact_duplicates import ExactDuplicates
from danlu.data.cleaners.near_duplicates import NearDuplicates
from danlu.data.cleaners.semantic_duplicates import SemanticDuplicates
from danlu.data.operators import DatasetCleaner, MemoryCorpus, Verdict, features_of, joined
from danlu.data.row import Row
from danlu.data.similarity import jaccard, meaning, row_text
from danlu.data.similarity.connecting import keep_one
from danlu.recipe.cleaners import (
    ConflictsCleaner,
    ExactDuplicatesCleaner,
    NearDuplicatesCleaner,
    SemanticDuplicatesCleaner,
)
from danlu.recipe.errors import UserError
from tests.data.similarity.making import LETTERS, edited, plain_pairs, text

CLEANERS: list[DatasetCleaner] = [
    ExactDuplicates(ExactDuplicatesCleaner()),
    NearDuplicates(NearDuplicatesCleaner(threshold=0.6)),
    SemanticDuplicates(SemanticDuplicatesCleaner(threshold=0.5, on_found="drop")),
    Conflicts(ConflictsCleaner(on_found="drop")),
]


def judge(cleaner: DatasetCleaner, rows: Sequence[Row], batch: int = 64) -> Verdict:
    corpus = MemoryCorpus(rows, batch)
    return cleaner.decide(features_of(cleaner, corpus), corpus)


def chat(number: int, question: str, answer: str = "Yes.", **fields: Any) -> Row:
    turns = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Row(f"a.jsonl:{number}", "a.jsonl", number, messages=turns, **fields)


def texts(values: Sequence[str]) -> list[Row]:
    return [Row(f"t.txt:{number}", "t.txt", number, text=value) for number, value in enumerate(values)]


def mixed(rng: random.Random, count: int) -> list[Row]:
    rows: list[Row] = []
    for number in range(count):
        question, answer = text(rng, 60, LETTERS), text(rng, 80)
        if rows and rng.random() < 0.5:
            other = rng.choice(rows)
            question = edited(rng, other.question(), rng.choice([0.001, 0.02]), LETTERS)
            answer = edited(rng, other.answer(), 0.01) if rng.random() < 0.7 else answer
        labels = (rng.choice("ab"),) if rng.random() < 0.3 else ()
        rows.append(chat(number, question, answer, labels=labels))
    return rows


@pytest.mark.parametrize("cleaner", CLEANERS, ids=lambda cleaner: type(cleaner).__name__)
def test_the_batches_do_not_matter(cleaner: DatasetCleaner) -> None:
    rows = mixed(random.Random(1), 150)
    verdicts = [judge(cleaner, rows, batch) for batch in (1, 7, 150)]
    assert verdicts[0].dropped and verdicts[0] == verdicts[1] == verdicts[2]
    assert judge(pickle.loads(pickle.dumps(cleaner)), rows) == verdicts[0]
    assert list(verdicts[0].dropped) == sorted(verdicts[0].dropped)
    json.dumps(verdicts[0].report)


@pytest.mark.parametrize("cleaner", CLEANERS, ids=lambda cleaner: type(cleaner).__name__)
def test_no_rows_and_one_row(cleaner: DatasetCleaner) -> None:
    nothing = MemoryCorpus([])
    assert not cleaner.decide(joined([]), nothing).dropped
    assert not judge(cleaner, [chat(1, "a")]).dropped


@pytest.mark.parametrize("cleaner", CLEANERS, ids=lambda cleaner: type(cleaner).__name__)
def test_nothing_said_holds_text(cleaner: DatasetCleaner) -> None:
    secret = "zebra 4111111111111111 crossing the wide road at noon with many friends"
    rows = [chat(number, secret, answer) for number, answer in enumerate([secret, secret, secret + "!", "no, no"])]
    verdict = judge(cleaner, rows + texts([secret, secret]))
    assert verdict.dropped
    said = json.dumps([list(verdict.dropped.values()), verdict.report])
    assert "zebra" not in said and "4111" not in said


def test_exact_keeps_the_first_and_names_it() -> None:
    rows = [
        chat(1, "a  b"),
        chat(2, "c"),
        chat(3, "a b"),
        chat(4, "A b"),
        chat(5, "ａ b"),
        chat(6, "a b", "No."),
        chat(7, "a b", labels=("x",)),
        chat(8, "c", tools=({"type": "function", "function": {"name": "f"}},)),
    ]
    rows += [Row("t:9", "t", 9, text="你好，世界"), Row("t:10", "t", 10, text="你好,世界")]
    verdict = judge(ExactDuplicates(ExactDuplicatesCleaner()), rows)
    assert verdict.dropped == {2: "same as a.jsonl:1", 4: "same as a.jsonl:1", 9: "same as t:9"}
    assert verdict.report == {"rows": 10, "dropped": 3}


def test_exact_ignoring_case() -> None:
    rows = [chat(1, "Straße"), chat(2, "STRASSE")]
    assert judge(ExactDuplicates(ExactDuplicatesCleaner(ignore_case=True)), rows).dropped == {1: "same as a.jsonl:1"}
    assert not judge(ExactDuplicates(ExactDuplicatesCleaner()), rows).dropped


def test_exact_key_is_128_bits_a_row() -> None:
    features = ExactDuplicates(ExactDuplicatesCleaner()).features([chat(1, "a"), chat(2, "b"), chat(3, "a")])
    assert features["key"].shape == (3, 2) and features["key"].dtype == np.uint64
    assert features["key"][0].tolist() == features["key"][2].tolist() != features["key"][1].tolist()


def test_every_near_duplicate_names_a_row_that_stays_and_is_truly_similar() -> None:
    rng = random.Random(2)
    values = [text(rng, 120) for _ in range(150)]
    for _ in range(250):  # copies of copies: chains whose ends are not alike
        values.append(edited(rng, rng.choice(values), rng.choice([0.005, 0.02])))
    rows = texts(values)
    verdict = judge(NearDuplicates(NearDuplicatesCleaner()), rows)
    assert len(verdict.dropped) > 150
    for row, reason in verdict.dropped.items():
        name, similarity = reason.removeprefix("near duplicate of ").removesuffix(")").split(" (J=")
        stays = int(name.split(":")[1])
        assert stays not in verdict.dropped
        assert jaccard(values[row], values[stays]) >= 0.8
        assert f"{jaccard(values[row], values[stays]):.2f}" == similarity
    kept = [value for number, value in enumerate(values) if number not in verdict.dropped]
    assert not plain_pairs(kept, 0.8)


def test_near_keeps_the_longest_answer_or_the_first() -> None:
    rng = random.Random(3)
    question, answer = text(rng, 40), text(rng, 200)
    rows = [chat(1, question, answer), chat(2, question, answer + "，好的"), chat(3, question, answer + "，好吗")]
    best = judge(NearDuplicates(NearDuplicatesCleaner()), rows)
    assert list(best.dropped) == [0, 2]  # of equally long ones the first stays
    assert all("a.jsonl:2 (J=0.9" in reason for reason in best.dropped.values())
    first = judge(NearDuplicates(NearDuplicatesCleaner(keep="first")), rows)
    assert list(first.dropped) == [1, 2]
    reported = judge(NearDuplicates(NearDuplicatesCleaner(on_found="report")), rows)
    assert not reported.dropped and reported.report == best.report


def test_near_reports_clusters_as_ids() -> None:
    rng = random.Random(4)
    one, other = text(rng, 100), text(rng, 100)
    rows = texts([one, other, one + "a", text(rng, 100), other + "b", one + "c"])
    report = judge(NearDuplicates(NearDuplicatesCleaner()), rows).report
    assert report["clusters"] == 2 and report["rows_in_clusters"] == 5 and report["duplicates"] == 3
    assert report["sizes"] == {"2": 1, "3": 1}
    assert report["largest"][0] == {"size": 3, "rows": ["t.txt:0", "t.txt:2", "t.txt:5"]}
    assert sum(report["similarity"]["pairs"]) == report["pairs"] == 4


def test_near_never_drops_across_labels_or_answers() -> None:
    rng = random.Random(5)
    question = text(rng, 300)
    rows = [
        chat(1, question, "yes", labels=("yes",)),
        chat(2, question + "?", "yes", labels=("no",)),
        chat(3, question, "42"),
        chat(4, question, "43"),
        chat(5, question, "The answer is forty-two."),
        chat(6, question, "The answer is forty-three."),
    ]
    verdict = judge(NearDuplicates(NearDuplicatesCleaner()), rows)
    assert not verdict.dropped
    assert verdict.report["pairs_with_other_labels"] >= 1 and verdict.report["pairs_with_other_answers"] >= 6
    again = judge(NearDuplicates(NearDuplicatesCleaner()), [*rows, chat(7, question + "!", "42")])
    assert list(again.dropped) == [6] and "a.jsonl:3" in again.dropped[6]


def test_near_drops_long_answers_that_differ_by_an_edit_only() -> None:
    rng = random.Random(6)
    question, answer = text(rng, 20), text(rng, 150)
    rows = [chat(1, question, answer), chat(2, question, answer[:-1] + "了"), chat(3, question * 8, text(rng, 150))]
    assert list(judge(NearDuplicates(NearDuplicatesCleaner()), rows).dropped) == [1]


def test_near_with_one_system_prompt_for_all() -> None:
    rng = random.Random(7)
    system = {"role": "system", "content": text(rng, 2000)}
    rows = [
        Row(row.id, row.file, row.line, messages=(system, *row.messages))
        for row in (chat(number, text(rng, 30), text(rng, 30)) for number in range(50))
    ]
    assert not judge(NearDuplicates(NearDuplicatesCleaner(threshold=0.5)), rows).dropped


def test_near_with_unicode_emoji_and_very_short_rows() -> None:
    rows = texts(["👍", "👍", "👎", "ok", "OK", "好", "好的", "Ｏｋ"])
    verdict = judge(NearDuplicates(NearDuplicatesCleaner()), rows)
    assert list(verdict.dropped) == [1, 4, 7]


def test_keep_one_where_only_known_pairs_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("danlu.data.similarity.connecting._ROUNDS", 1)
    chain = np.array([(row, row + 1) for row in range(9)], np.int64)
    nothing = np.empty((0, 2), np.int64), np.empty(0)
    gone = keep_one(chain, np.full(9, 0.9), np.arange(10), lambda pairs: nothing)
    assert {row: stays for row, (stays, _) in gone.items()} == {1: 0, 3: 2, 5: 4, 7: 6, 9: 8}
    backwards = keep_one(chain, np.full(9, 0.9), np.arange(10)[::-1].copy(), lambda pairs: nothing)
    assert {row: stays for row, (stays, _) in backwards.items()} == {8: 9, 6: 7, 4: 5, 2: 3, 0: 1}


def test_similar_tfidf_is_exact() -> None:
    rng = random.Random(8)
    words = [text(rng, 4, LETTERS[:18]) for _ in range(60)]
    values = [" ".join(rng.choice(words) for _ in range(rng.randrange(1, 9))) for _ in range(400)]
    values += [text(rng, rng.randrange(2, 20), "天地玄黄宇宙洪荒") for _ in range(200)] + ["", "!!"]
    reference = pytest.importorskip("sklearn.feature_extraction.text")
    dense = reference.TfidfVectorizer(analyzer=meaning.tokens).fit_transform(values).toarray()
    expected = np.triu(dense @ dense.T, 1)
    vectors = meaning.tfidf([values[:100], values[100:]])
    for threshold in (0.5, 0.8, 0.95):
        pairs, similarity = meaning.similar_tfidf(vectors, threshold)
        true = {tuple(pair) for pair in np.argwhere(expected >= threshold).tolist()}
        found = dict(zip(map(tuple, pairs.tolist()), similarity.tolist(), strict=True))
        assert found.keys() == true and len(true) > 20
        assert all(abs(value - expected[pair]) < 1e-5 for pair, value in found.items())
        dense_pairs, _ = meaning.similar_embeddings(dense.astype(np.float32), threshold)
        assert {tuple(pair) for pair in dense_pairs.tolist()} == true


def test_many_copies_are_few_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = meaning.tfidf([["the very same words"] * 300])
    pairs, _ = meaning.similar_tfidf(vectors, 0.9)
    assert len(pairs) <= 64 * 300 and np.unique(pairs).size == 300
    monkeypatch.setattr("danlu.data.similarity.meaning._TILE", 70)
    pairs, _ = meaning.similar_embeddings(np.ones((500, 1), np.float32), 0.9)
    assert len(pairs) <= 64 * 500 and np.unique(pairs).size == 500


def test_tokens_are_words_and_pairs_of_characters() -> None:
    assert meaning.tokens("Cancel my 订单取消 now, 好!") == ["cancel", "my", "订单", "单取", "取消", "now", "好"]
    assert meaning.tokens("👍 ...") == []


def test_semantic_reports_by_default_and_spares_other_answers() -> None:
    rows = [
        chat(1, "how do I cancel my order from yesterday", "Open the order and press cancel."),
        chat(2, "How do I cancel my order from yesterday?", "Open the order and press cancel."),
        chat(3, "my order from yesterday, how do I cancel", "open the order and press cancel. "),
        chat(4, "how do I cancel my order from yesterday", "Call us."),
        chat(5, "how do I cancel my order from yesterday", "Call us.", labels=("order",)),
        chat(6, "how do I cancel my order from yesterday!!", "Call us."),
        chat(7, "what colours are there", "Red."),
    ]
    quiet = judge(SemanticDuplicates(SemanticDuplicatesCleaner()), rows)
    assert not quiet.dropped
    assert quiet.report["pairs_with_other_labels_or_answers"] > 0
    verdict = judge(SemanticDuplicates(SemanticDuplicatesCleaner(on_found="drop")), rows)
    assert {row: reason.split()[4] for row, reason in verdict.dropped.items()} == {
        1: "a.jsonl:1",
        2: "a.jsonl:1",
        5: "a.jsonl:4",
    }
    assert verdict.report == quiet.report


def test_semantic_with_an_encoder_folder(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel, BertConfig, BertModel, BertTokenizer

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij", *(f"##{c}" for c in "abcdefghij")]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    tokenizer = BertTokenizer(str(tmp_path / "vocab.txt"))
    tokenizer.save_pretrained(tmp_path)
    torch.manual_seed(0)
    sizes: dict[str, Any] = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
    }
    model = BertModel(BertConfig(vocab_size=len(words), max_position_embeddings=40, **sizes))
    model.save_pretrained(tmp_path)
    questions = ["a b c d", "A b  c d", "e f g", "h i j a" * 30, "abc", "a"]
    rows = [chat(number, question) for number, question in enumerate(questions)]
    # the reference: every text by itself, so without padding
    encoder = AutoModel.from_pretrained(tmp_path).eval()
    alone = []
    for question in questions:
        with torch.no_grad():
            inputs = tokenizer([question], return_tensors="pt", truncation=True, max_length=40)
            mean = encoder(**inputs).last_hidden_state[0].mean(0)
        alone.append((mean / mean.norm()).numpy())
    expected = np.stack(alone) @ np.stack(alone).T
    from danlu.data.similarity.encoder import embed

    vectors = embed(str(tmp_path), [questions[:4], questions[4:]])
    assert vectors @ vectors.T == pytest.approx(expected, abs=1e-5)
    values = np.sort(expected[np.triu_indices(6, 1)])
    threshold = float((values[-2] + values[-1]) / 2)  # the equal pair is above it, all others below
    config = SemanticDuplicatesCleaner(encoder=str(tmp_path), threshold=threshold, on_found="drop")
    verdict = judge(SemanticDuplicates(config), rows)
    assert verdict.dropped == {1: "means the same as a.jsonl:0 (cosine 1.00)"}


def test_semantic_names_a_missing_or_broken_encoder(tmp_path: Path) -> None:
    config = SemanticDuplicatesCleaner(encoder=str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"no encoder in .*nowhere"):
        judge(SemanticDuplicates(config), [chat(1, "a"), chat(2, "b")])
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(UserError, match="cannot be loaded"):
        judge(SemanticDuplicates(SemanticDuplicatesCleaner(encoder=str(tmp_path))), [chat(1, "a"), chat(2, "b")])


def test_conflicts_are_ranked_by_size() -> None:
    rows = [
        chat(1, "What time is it?", "Noon."),
        chat(2, "what  time is it？", "noon. "),
        chat(3, "What time is it?", "Midnight."),
        chat(4, "Who?", "Me."),
        chat(5, "Who?", "Me."),
        chat(6, "Good?", "yes", labels=("yes",)),
        chat(7, "Good?", "yes", labels=("no",)),
        chat(8, "What time is it?", "Noon.", thinking=True),
        Row("t:9", "t", 9, text="Who?"),
        Row("t:10", "t", 10, text="Who?"),
    ]
    verdict = judge(Conflicts(ConflictsCleaner(on_found="drop")), rows)
    assert list(verdict.dropped) == [0, 1, 2, 5, 6]
    assert verdict.dropped[0] == "asks the same as a.jsonl:3 and answers differently"
    assert verdict.dropped[2] == "asks the same as a.jsonl:1 and answers differently"
    assert verdict.report["largest"] == [
        {"size": 3, "answers": 2, "rows": ["a.jsonl:1", "a.jsonl:2", "a.jsonl:3"]},
        {"size": 2, "answers": 2, "rows": ["a.jsonl:6", "a.jsonl:7"]},
    ]
    assert verdict.report["conflicts"] == 2 and verdict.report["rows_in_conflicts"] == 5
    quiet = judge(Conflicts(ConflictsCleaner()), rows)
    assert not quiet.dropped and quiet.report == verdict.report


def test_another_system_prompt_or_tool_is_another_question() -> None:
    row = chat(1, "Hello", "Hi")
    pirate = (
        {"role": "system", "content": "You are a pirate."},
        row.messages[0],
        {"role": "assistant", "content": "Ahoy"},
    )
    rows = [row, Row("b:1", "b", 1, messages=pirate), chat(2, "Hello", "Ok", tools=({"type": "function"},))]
    assert not judge(Conflicts(ConflictsCleaner(on_found="drop")), rows).dropped


def test_row_text_is_what_near_duplicates_compare() -> None:
    rng = random.Random(9)
    rows = [chat(1, text(rng, 80), text(rng, 80))]
    rows.append(chat(2, edited(rng, rows[0].question(), 0.02), rows[0].answer()))
    expected = jaccard(row_text(rows[0]), row_text(rows[1]))
    assert 0.5 < expected < 1
    verdict = judge(NearDuplicates(NearDuplicatesCleaner(threshold=0.5)), rows)
    assert f"(J={expected:.2f})" in verdict.dropped[1]
