"""Reasons are counted by kind, with the numbers that all members of a kind share."""

from __future__ import annotations

from danlu.data.reasons import Reasons


def counted(*reasons: str) -> dict[str, int]:
    found = Reasons()
    for reason in reasons:
        found.add(reason)
    assert found.total() == len(reasons)
    return found.counts()


def test_row_ids_and_similarities_are_folded() -> None:
    assert counted("near duplicate of a.jsonl:1 (J=0.91)", "near duplicate of b/c.jsonl:22 (J=0.84)") == {
        "near duplicate of …": 2
    }
    assert counted("same as a.jsonl:1") == {"same as an earlier row": 1}


def test_numbers_that_all_share_stay() -> None:
    found = counted("answer 1 is 3 words long, fewer than 5", "answer 2 is 4 words long, fewer than 5")
    assert found == {"answer … is … words long, fewer than 5": 2}
    assert counted("longer than 40 tokens: 53", "longer than 40 tokens: 61") == {"longer than 40 tokens": 2}


def test_the_most_frequent_comes_first_and_places_are_left_out() -> None:
    found = counted("b", "messages[3]: the assistant's turn is empty", "messages[1]: the assistant's turn is empty")
    assert list(found.items()) == [("the assistant's turn is empty", 2), ("b", 1)]
    assert counted() == {}
