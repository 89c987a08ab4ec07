"""Broken text: each wrong encoding is recognised, and no text in the right one is."""

from __future__ import annotations

import pytest

from danlu.data.mojibake import mojibake_share


@pytest.mark.parametrize(
    ("text", "encodings"),
    [
        ("人工智能正在改变世界。", ("cp1252", "latin-1", "gb18030")),
        ("“Quotes” — it’s fine…", ("cp1252", "latin-1", "cp1251", "gb18030")),
        ("Привет, как дела?", ("cp1252", "latin-1", "cp1251")),
        ("日本語のテキストです", ("cp1252", "latin-1", "cp932", "gb18030")),
    ],
)
def test_mojibake_is_proved_by_undoing_it(text: str, encodings: tuple[str, ...]) -> None:
    assert mojibake_share(text) == 0
    for wrong in encodings:
        broken = text.encode().decode(wrong, "replace")
        assert mojibake_share(broken.replace("\ufffd", "?")) > 0, wrong
