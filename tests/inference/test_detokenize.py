"""Text grows by whole characters, and stop texts are found wherever the borders fall."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from danlu.inference.detokenize import UNFINISHED, GrowingText, StopSearch, overlap
from danlu.models.chat import ChatRenderer

TEXT = "Flood? 洪水不赔付。 🔥👩‍👩‍👧 naïve x² \n\n end"


def bytes_to_text(ids: Sequence[int]) -> str:
    """A tokenizer whose tokens are bytes."""
    return bytes(ids).decode("utf-8", "replace")


def test_every_delta_is_whole_characters_and_they_sum_to_the_text() -> None:
    growing = GrowingText(bytes_to_text)
    pieces = [growing.push(byte) for byte in TEXT.encode()]
    assert "".join(pieces) == TEXT
    assert growing.rest() == ""
    assert not any(UNFINISHED in piece for piece in pieces)


def test_with_a_real_tokenizer_characters_split_over_tokens_arrive_whole(renderer: ChatRenderer) -> None:
    ids = renderer.encode_text(TEXT)
    assert any(UNFINISHED in renderer.decode([token]) for token in ids)  # else this would prove nothing
    growing = GrowingText(renderer.decode)
    pieces = [growing.push(token) for token in ids]
    assert "".join(pieces) == TEXT
    assert not any(UNFINISHED in piece for piece in pieces)


@pytest.mark.parametrize("seed", range(20))
def test_broken_bytes_give_what_decoding_the_whole_gives(seed: int) -> None:
    noise = random.Random(seed)
    fragments = [b"a", "水".encode(), "🔥".encode(), b"\x80", b"\xf0\x9f", b"\xe6", b"\xff", "\ufffd".encode()]
    data = b"".join(noise.choice(fragments) for _ in range(40))
    growing = GrowingText(bytes_to_text)
    assert "".join(growing.push(byte) for byte in data) + growing.rest() == data.decode("utf-8", "replace")


def test_an_unfinished_tail_is_told_apart() -> None:
    growing = GrowingText(bytes_to_text)
    assert [growing.push(byte) for byte in b"a\xe6\xb4"] == ["a", "", ""]
    assert growing.rest() == UNFINISHED


def cut_by_hand(text: str, stops: Sequence[str]) -> str:
    found = [at for at in (text.find(stop) for stop in stops) if at >= 0]
    return text[: min(found)] if found else text


@pytest.mark.parametrize("seed", range(50))
def test_stop_texts_are_found_however_the_text_is_cut(seed: int) -> None:
    noise = random.Random(seed)
    text = "".join(noise.choice("ab") for _ in range(30))
    stops = ["".join(noise.choice("ab") for _ in range(noise.randint(2, 6))) for _ in range(2)]
    search, given, at = StopSearch(stops), "", 0
    stopped = False
    while at < len(text) and not stopped:
        size = noise.randint(1, 4)
        piece, stopped = search.push(text[at : at + size])
        given += piece
        at += size
        assert cut_by_hand(text, stops).startswith(given)  # nothing was given out that had to be held back
    assert given + search.rest() == cut_by_hand(text, stops)


def test_text_is_held_back_only_while_it_may_become_a_stop_text() -> None:
    search = StopSearch(["###"])
    assert search.push("one #") == ("one ", False)
    assert search.push("two ##") == ("#two ", False)
    assert search.rest() == "##"
    assert search.rest() == ""


def test_overlap() -> None:
    assert overlap("abcab", "abd") == 2
    assert overlap("abd", "abd") == 0
    assert overlap("", "abd") == 0
