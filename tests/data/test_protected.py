"""Protected spans: what is code, LaTeX, a table or a URL, and what only looks like it; linear time on hostile text."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danlu.data.protected import Kind, pieces, protected_spans, rewrite_outside, without_protected

# (text, the parts of it that are protected)
SPANS = [
    ("plain text", []),
    ("use `a < b` here", ["`a < b`"]),
    ("``a ` b`` c", ["``a ` b``"]),
    ("a ` b\n\nc ` d", []),
    ("one ` only", []),
    ("x\n```python\na = 1\n\nb\n```\ny", ["```python\na = 1\n\nb\n```"]),
    ("~~~\n```\n~~~\nend", ["~~~\n```\n~~~"]),
    ("````\n```\n````\nend", ["````\n```\n````"]),
    ("代码：```python\nprint(1)\n\nx\n```完", ["```python\nprint(1)\n\nx\n```"]),
    ("open\n```\nnever closed", ["```\nnever closed"]),
    ("> ```\n> a\n> ```\nb", ["> ```\n> a\n> ```"]),
    ("$5 and $10", []),
    ("costs $5-$10, or US$20", []),
    ("price $5, $6 and A$7/B$8 in $HOME/bin:$PATH", []),
    ("$x $y is", []),
    ("so $x$ is", ["$x$"]),
    ("$x^2 + y$ and $5", ["$x^2 + y$"]),
    ("$5 and $x$", ["$x$"]),
    ("$\\sin x$, $n-1$, $f(x)$", ["$\\sin x$", "$n-1$", "$f(x)$"]),
    ("$$\na = b\n$$", ["$$\na = b\n$$"]),
    ("$$\n\na_1 = b\n\n$$", ["$$\n\na_1 = b\n\n$$"]),
    ("\\(a<b\\) or \\[c\\]", ["\\(a<b\\)", "\\[c\\]"]),
    ("\\begin{align}\na &= b \\\\[2pt]\n\\end{align} z", ["\\begin{align}\na &= b \\\\[2pt]\n\\end{align}"]),
    ("\\begin{a}\\begin{a}x\\end{a}\\end{a}", ["\\begin{a}\\begin{a}x\\end{a}\\end{a}"]),
    ("\\begin{a} no end, \\$5 \\$6", []),
    ("见 https://a.cn/x?y=1&z=2。然后", ["https://a.cn/x?y=1&z=2"]),
    ("(https://en.wikipedia.org/wiki/A_(b)) x", ["https://en.wikipedia.org/wiki/A_(b)"]),
    ("<https://a.b/c>, www.a.b.", ["https://a.b/c", "www.a.b"]),
    ("email a@www.b.c", []),
    ("t\n| a | b |\n|---|:-:|\n| 1 | 2 |\nend", ["| a | b |\n|---|:-:|\n| 1 | 2 |"]),
    ("a | b\n--|--\n1 | 2", ["a | b\n--|--\n1 | 2"]),
    ("a | b\nc | d", []),
    ("---\nx | y", []),
    ("`a $b` and c$", ["`a $b`"]),
]


@pytest.mark.parametrize(("text", "expected"), SPANS)
def test_spans(text: str, expected: list[str]) -> None:
    assert [text[start:end] for start, end in protected_spans(text)] == expected


def test_kinds_can_be_chosen_and_code_hides_the_rest() -> None:
    text = "`$x^2$` $y^2$ https://a.b"
    kinds: tuple[Kind, ...] = ("latex",)
    assert [text[start:end] for start, end in protected_spans(text, kinds)] == ["$y^2$"]


def test_rewriting_happens_between_the_spans_only() -> None:
    text = "shout `quiet` shout https://a.b/c shout"
    assert rewrite_outside(text, str.upper) == "SHOUT `quiet` SHOUT https://a.b/c SHOUT"
    assert rewrite_outside("shout", str.upper) == "SHOUT"
    assert without_protected(text) == "shout \n shout \n shout"
    assert without_protected("nothing") == "nothing"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="`~$\\[](){}|-:\n ab5https://begin.end<>", max_size=80))
def test_spans_are_sorted_disjoint_and_cover_the_text_with_the_rest(text: str) -> None:
    spans = protected_spans(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(left[1] < right[0] for left, right in pairwise(spans))
    assert "".join(piece for piece, _ in pieces(text, spans)) == text


HOSTILE = {
    "backticks": "`",
    "unequal runs": "` `` ``` ```` ",
    "growing runs": None,
    "dollars": "$",
    "dollar pairs": "$ a$",
    "begins": "\\begin{a}",
    "openings": "\\[\\(",
    "bars": "|",
    "rules": "|-",
    "rules over lines": "|-|\n",
    "spaces": " ",
    "quotes": "> ",
    "tildes": "~~~\n",
    "fences": "```\n",
    "url starts": "https://",
    "url ends": "http://" + ")" * 1000 + " ",
    "one url": ")",
    "blank lines": "`\n\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_much_hostile_text_takes_linear_time(name: str) -> None:
    """15 CPU seconds for 400,000 characters, where a quadratic search takes hours: no measurement of speed."""
    unit = HOSTILE[name]
    text = unit * (400_000 // len(unit)) if unit else " a\n".join("`" * n for n in range(1, 1400))
    started = time.process_time()
    protected_spans("http://x\n"[: 7 if name == "one url" else 9] + text + "x")
    assert time.process_time() - started < 15
