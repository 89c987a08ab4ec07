"""The script of a text."""

from __future__ import annotations

import pytest

from danlu.evaluation.rows import detect_language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The claim is paid.", "en"),
        ("L'été à la plage", "en"),
        ("保单从付款的第二天零点开始生效。", "zh"),
        ("请在 Settings → Privacy 里关闭 Cloud Backup 功能", "zh"),
        ("The word 炼丹 is slang for training a model", "en"),
        ("今日は天気がいいですね", "ja"),
        ("오늘 날씨가 좋네요", "ko"),
        ("Сегодня хорошая погода", "other"),
        ("42 + 1 = ?", "other"),
        ("", "other"),
    ],
)
def test_language_is_told_by_script(text: str, language: str) -> None:
    assert detect_language(text) == language


def test_a_text_without_letters_leaves_the_choice_to_the_next() -> None:
    assert detect_language("42", "多少钱？") == "zh"
