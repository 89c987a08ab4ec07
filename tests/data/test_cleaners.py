"""Cleaners that rewrite: what they must mend, and what none of them may change."""

from __future__ import annotations

import json
import sys
import types
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danlu.data.cleaners.html import Html, html_to_text
from danlu.data.cleaners.normalize import Normalize, normalize_text
from danlu.data.cleaners.opencc import Opencc, converter
from danlu.data.cleaners.replace import Replace
from danlu.data.cleaning import rewrite_texts
from danlu.data.row import Row
from danlu.recipe.cleaners import HtmlCleaner, NormalizeCleaner, OpenccCleaner, ReplaceCleaner
from danlu.recipe.errors import UserError

GOLDEN = Path(__file__).parent.parent / "golden"
MUST_NOT_CHANGE = [json.loads(line) for line in (GOLDEN / "must_not_change.jsonl").read_text("utf-8").splitlines()]

NORMALIZED = [
    ("e\u0301te\u0301", "été"),
    ("a\r\nb\rc", "a\nb\nc"),
    ("a\u200bb", "ab"),
    ("\ufefftext", "text"),
    ("  outer \n", "outer"),
    ("\n\tascii only \n", "ascii only"),
    ("a\x00b\x1bc", "abc"),
    ("\x1b[31mred\x1b[0m", "red"),
    ("a\u2028b\x85c\x0cd", "a\nb\nc\nd"),
    ("\u200b \u2060", ""),
    ("\u1112\u1161\u11ab", "한"),
    ("soft\u00adhyphen", "softhyphen"),
    ("it\x92s \x93so\x94", "it’s “so”"),
    ("/* \u202e } \u2066 if admin \u2069 */", "/*  }  if admin  */"),
    ("a\u200e\u200fb", "ab"),
    ("שלום\u200f!", "שלום\u200f!"),
    ("水\u200c\u200d印 wa\u200dter", "水印 water"),
    ("สวัสดี\u200bครับ", "สวัสดี\u200bครับ"),
    ("hid\U000e0041\U000e0042den", "hidden"),
    ("x\ufe0f\ufe0e\ufe0fy", "x\ufe0fy"),
    ("end \nnext   \n  \nlast", "end\nnext\n\nlast"),
    ("```\nkept \n```\ncut \nx", "```\nkept \n```\ncut\nx"),
    ("\n\n    return x\n", "    return x"),
    ("    if a:\n        b()\n", "    if a:\n        b()"),
    ("  Dear Sir,\nthank you", "Dear Sir,\nthank you"),
    (" Paris", "Paris"),
    ("   \n\t\n", ""),
]

PAGES = [
    ("<p>Hello&nbsp;<b>world</b></p><p>Second &amp; last &lt;b&gt;</p>", "Hello world\n\nSecond & last <b>"),
    ("你好<br>世界<br/>\n再见", "你好\n世界\n再见"),
    ("<ul>\n <li>one</li>\n <li>two <i>x</i></li></ul><ol><li>a<li>b</ol>z", "- one\n- two x\n\n1. a\n2. b\n\nz"),
    ("<ul><li>a<ul><li>b</li></ul></li></ul>", "- a\n  - b"),
    ("<table><tr><th>Name</th><th>Age</th></tr>\n<tr><td>Bob</td><td>5</td></tr></table>", "Name | Age\nBob | 5"),
    ("<div>a<script>if (a<b) x('</div>')</script><style>p{}</style>b<!-- c <p> --></div>", "ab"),
    ("<!DOCTYPE html><html><head><title>T</title></head><body>x\n  y</body></html>", "x y"),
    ("<p>x</p><pre>  a\n    b</pre>", "x\n\n```\n  a\n    b\n```"),
    ("<p>x<sup>2</sup> + H<sub>2</sub>O + e<sup>ix</sup> + a<sub>k</sub></p>", "x² + H₂O + e^(ix) + a_k"),
    ("<a href='https://x.y/?a=1&b=2' title=\"t\">link</a> text", "link text"),
    ("```html\n<p>x</p>\n```\n<p>y</p>", "```html\n<p>x</p>\n```\n\ny"),
    ("<p>use `<p>` and $a<b$</p>", "use `<p>` and $a<b$"),
    ("<b>ok</b> <think> a<b and c>d &unknown; R&D", "ok <think> a<b and c>d &unknown; R&D"),
    ("<p>&#20320;&#x597d;&amp;lt;</p>", "你好&lt;"),
    ("<o:p></o:p><p>word</p>", "word"),
    ("Tom &amp; Jerry&nbsp;said &quot;hi&quot;", 'Tom & Jerry said "hi"'),
    ("<p>never <!-- closed", "<p>never <!-- closed"),
    ("<p>a</p><script>never closed", "a\n\nnever closed"),
    ("<b>x</b>\n\n  indented\n    code", "x\n\n  indented\n    code"),
    ("<p>x &#0; &#55296; &#9999999;</p>", "x &#0; &#55296; &#9999999;"),
]


def chat(question: str, answer: str = "Yes.") -> Row:
    messages = ({"role": "user", "content": question}, {"role": "assistant", "content": answer})
    return Row("a.jsonl:1", "a.jsonl", 1, messages=messages)


def test_the_golden_set_is_as_large_as_promised() -> None:
    assert len(MUST_NOT_CHANGE) == len(set(MUST_NOT_CHANGE)) >= 200


@pytest.mark.parametrize("text", MUST_NOT_CHANGE)
def test_no_rewriting_cleaner_changes(text: str) -> None:
    row = chat("Continue.", text)
    for cleaner in (
        Normalize(NormalizeCleaner()),
        Html(HtmlCleaner()),
        Replace(ReplaceCleaner(pattern=r"[ \t]{9,}|qqq", replacement=" ")),
    ):
        assert list(cleaner([row])) == [row], type(cleaner).__name__
    page = Row("t:1", "t", 1, text=text)
    assert list(Html(HtmlCleaner())([page])) == [page]


def test_opencc_leaves_simplified_text_and_other_languages_alone() -> None:
    pytest.importorskip("opencc")
    cleaner = Opencc(OpenccCleaner(to="simplified"))
    for text in MUST_NOT_CHANGE:
        row = chat("继续", text)
        assert list(cleaner([row])) == [row]


@pytest.mark.parametrize(("text", "expected"), NORMALIZED)
def test_normalisation_mends(text: str, expected: str) -> None:
    assert normalize_text(text) == expected
    assert normalize_text(expected) == expected


@settings(max_examples=400, deadline=None)
@given(
    st.text(
        alphabet=st.sampled_from("ab \t\n\r`=(中e\u0301\u200b\u200d\u200e\ufe0f\u202e\x1b[m\x85\x92\u3000👩"),
        max_size=30,
    )
)
def test_normalising_twice_is_normalising_once(text: str) -> None:
    once = normalize_text(text)
    assert normalize_text(once) == once
    assert "".join(once.split()) == "" or once == once.rstrip()


def test_normalise_books_a_change_only_where_there_is_one() -> None:
    clean, dirty = chat("a<b"), chat("cafe\u0301 ")
    first, second = Normalize(NormalizeCleaner())([clean, dirty])
    assert first is clean
    assert isinstance(second, Row) and second.changed_by == ("normalize",)
    assert second.messages[0]["content"] == "café" and second.id == dirty.id
    assert second.messages[1] is dirty.messages[1]


def test_rewriting_reaches_reasoning_rejected_answers_and_text_rows() -> None:
    messages = ({"role": "assistant", "content": "a", "reasoning_content": "b\r\nc"},)
    rejected = ({"role": "assistant", "content": "d\r\ne"},)
    rows = [Row("1", "a", 1, messages=messages), Row("2", "a", 2, text="d\r\ne"), Row("3", "a", 3, rejected=rejected)]
    first, second, third = Normalize(NormalizeCleaner())(rows)
    assert isinstance(first, Row) and first.messages[0]["reasoning_content"] == "b\nc"
    assert isinstance(second, Row) and second.text == "d\ne"
    assert isinstance(third, Row) and third.rejected[0]["content"] == "d\ne"


def test_rewriting_leaves_tool_calls_and_other_roles_alone() -> None:
    call = {"role": "assistant", "content": "x", "tool_calls": [{"name": "f", "arguments": {"a": "x"}}]}
    row = Row("1", "a", 1, messages=({"role": "user", "content": "x"}, call), text="x")
    result = rewrite_texts(row, "s", str.upper, roles=("assistant",))
    assert [message["content"] for message in result.messages] == ["x", "X"] and result.text == "x"
    assert result.messages[1]["tool_calls"] == call["tool_calls"]


@pytest.mark.parametrize(("text", "expected"), PAGES)
def test_html_becomes_text(text: str, expected: str) -> None:
    assert html_to_text(text) == expected


@pytest.mark.parametrize(
    ("question", "changes"),
    [
        ("Summarise: <p>The shop <b>opens</b> at nine.</p>", True),
        ("总结：<p>商店九点<b>开门</b>。</p>", True),
        ("How do I make text bold in HTML? <p>like <b>this</b></p>", False),
        ("网页里怎样加粗？<p>像<b>这样</b></p>", False),
        ("Convert to Markdown: <p>a <b>tag</b></p>", False),
    ],
)
def test_rows_that_talk_about_markup_keep_it(question: str, changes: bool) -> None:
    row = chat(question)
    assert (list(Html(HtmlCleaner())([row])) != [row]) is changes


def test_a_scraped_page_is_cleaned_though_it_mentions_a_website() -> None:
    page = Row("1", "a", 1, text="<div><p>Visit our website.</p></div>")
    (result,) = Html(HtmlCleaner())([page])
    assert isinstance(result, Row) and result.text == "Visit our website." and result.changed_by == ("html",)


HOSTILE_PAGES = ["<a ", "<!--", "<script>", "<p><", "</p>", "<p>", "<b", "&", "&amp", "<pre>", "<li>", "<sup>"]


@pytest.mark.parametrize("unit", HOSTILE_PAGES)
def test_hostile_pages_end_in_linear_time(unit: str) -> None:
    """Minutes to hours, were the time quadratic; the test suite's own timeout is the bound."""
    html_to_text("<p>x</p>" + unit * (300_000 // len(unit)))


def test_replace_rewrites_chosen_roles_outside_of_protected_spans() -> None:
    row = chat("call 12 or `12` or https://a.b/12", "12")
    config = ReplaceCleaner(pattern=r"(\d)(\d)", replacement=r"\2\1", roles=("user",))
    (result,) = Replace(config)([row])
    assert isinstance(result, Row)
    assert [m["content"] for m in result.messages] == ["call 21 or `12` or https://a.b/12", "12"]
    (bare,) = Replace(config.model_copy(update={"protect": False}))([row])
    assert isinstance(bare, Row) and bare.messages[0]["content"] == "call 21 or `21` or https://a.b/21"


def test_replace_refuses_a_replacement_that_names_no_group() -> None:
    with pytest.raises(UserError, match="cannot replace"):
        Replace(ReplaceCleaner(pattern="a", replacement=r"\1"))


def test_a_pattern_that_never_ends_is_a_user_error_without_the_text() -> None:
    row = chat("a" * 60 + "!")
    with pytest.raises(UserError) as caught:
        list(Replace(ReplaceCleaner(pattern=r"(a|aa|a+)+$"), seconds=0.2)([row]))
    assert "a.jsonl:1" in str(caught.value) and "aaaa" not in str(caught.value)


def test_opencc_converts_phrases_and_spares_what_is_protected() -> None:
    pytest.importorskip("opencc")
    assert (
        converter("traditional")("理发店的头发在后面，皇后，干部，饼干，里程，乾坤")
        == "理髮店的頭髮在後面，皇后，幹部，餅乾，里程，乾坤"
    )
    assert converter("simplified")("乾隆皇帝吃餅乾，穿著、著名、瞭解") == "乾隆皇帝吃饼干，穿著、著名、了解"
    row = chat("軟體 `軟體` $軟_1$ https://a.b/軟體/")
    (result,) = Opencc(OpenccCleaner(to="simplified"))([row])
    assert isinstance(result, Row) and result.messages[0]["content"].startswith("软体 `軟體` $軟_1$ https://a.b/")


def test_opencc_leaves_japanese_alone_line_by_line() -> None:
    pytest.importorskip("opencc")
    row = chat(
        "東京の図書館と発車時刻を確認する方法",
        "日文例句如下，請仔細閱讀並且翻譯成中文，然後檢查每一個句子：\n図書館へ行く",
    )
    (result,) = Opencc(OpenccCleaner(to="simplified"))([row])
    assert isinstance(result, Row) and result.messages[0]["content"] == row.messages[0]["content"]
    assert (
        result.messages[1]["content"].startswith("日文例句如下，请仔细阅读")
        and "図書館へ行く" in result.messages[1]["content"]
    )


def test_opencc_takes_the_other_package_of_its_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fake = types.ModuleType("opencc")
    fake.__file__ = str(tmp_path / "__init__.py")
    fake.OpenCC = lambda name: types.SimpleNamespace(convert=lambda text: f"{name}:{text}")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "opencc", fake)
    assert converter.__wrapped__("simplified")("漢") == "t2s:漢"


def test_opencc_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opencc", None)
    with pytest.raises(UserError, match="opencc"):
        converter.__wrapped__("simplified")
