"""What is quoted, technical or a name is found; everyday words are not."""

from __future__ import annotations

from itertools import pairwise

import pytest

from danlu.data.named_values import fixed_spans, fixed_values, is_common, names


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("发到a.b@c.com吧", ["a.b@c.com"]),
        ("见src/a.py和C:\\x\\y.txt", ["C:\\x\\y.txt", "src/a.py"]),
        ("打开报告.docx看", ["开报告.docx"[-7:]]),
        ("读《红楼梦》和“三国”", ["“三国”", "《红楼梦》"]),
        ("say \"yes sir\" or 'no sir' to the user's dog", ['"yes sir"', "'no sir'"]),
        ("[CN_MOBILE] {name} ${HOME} <b> @bob #news --force", [
            "#news", "$" + "{HOME}", "--force", "<b>", "@bob", "[CN_MOBILE]", "{name}"]),
        ("`a b` https://x.org/y", ["`a b`", "https://x.org/y"]),
        ("x = 1\nreturn x;\ndef f(a):\n普通的话。", ["def f(a):", "return x;", "x = 1"]),
        ("plain words, nothing else. 普通的话", []),
    ],
)  # fmt: skip
def test_fixed_values(text: str, values: list[str]) -> None:
    assert fixed_values(text) == sorted(values)


def test_spans_are_sorted_and_disjoint() -> None:
    spans = fixed_spans('“看 https://a.b/c.html” 和 `x` "y z" a@b.cc {n}')
    assert spans == sorted(spans)
    assert all(one[1] <= two[0] for one, two in pairwise(spans))


@pytest.mark.parametrize(
    ("text", "language", "found"),
    [
        ("我和张伟在北京买iPhone15", "zh", {"张伟", "北京", "iphone15"}),
        ("番茄和西红柿很安静", "zh", set()),
        ("Paris is nice. The Louvre too", "en", {"paris", "louvre"}),
        ("What is it? Writing helps. Don't go. I'm here. I said I'd go", "en", set()),
        ("Is NASA on an iPhone near O'Hare?", "en", {"nasa", "iphone", "o'hare"}),
        ("Smith's car", "en", {"smith"}),
    ],
)
def test_names(text: str, language: str, found: set[str]) -> None:
    assert names(text, language) == found


def test_everyday_words_and_their_forms() -> None:
    assert all(map(is_common, ["write", "writes", "writing", "studies", "quickly", "bigger", "the", "stopped"]))
    assert not any(map(is_common, ["paris", "nvidia", "zhang", "china", "qwen"]))
