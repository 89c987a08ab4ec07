"""Sampling parameters refuse values out of range, by name."""

from __future__ import annotations

from typing import Any

import pytest

from danlu.inference.completion import Sampling


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_new_tokens", 0),
        ("temperature", -0.1),
        ("temperature", float("nan")),
        ("temperature", float("inf")),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_k", -1),
        ("seed", 2**64),
        ("stop", "text"),
        ("stop", ("",)),
    ],
)
def test_value_out_of_range_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{field} must be .*"):
        Sampling(**{field: value})


def test_defaults_are_greedy() -> None:
    assert Sampling().greedy
    assert not Sampling(temperature=0.1).greedy
