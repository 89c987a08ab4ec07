"""Numbers of the report: small ones keep their digits, only tiny and huge ones become powers."""

from __future__ import annotations

import pytest

from danlu.pipeline.report.numbers import number, signed


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (0.049, 1, "0.049"),
        (-0.0331, 1, "−0.033"),
        (66.26, 1, "66.3"),
        (0.0, 1, "0.0"),
        (2e-5, 2, "2.0e−05"),
        (3e9, 2, "3.0e+09"),
    ],
)
def test_number(value: float, digits: int, shown: str) -> None:
    assert number(value, digits) == shown


def test_a_small_gain_keeps_its_sign() -> None:
    assert signed(0.012, 1) == "+0.012"
