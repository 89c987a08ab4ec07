"""The guard lets wordings pass and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danlu.data import guard
from danlu.data.guard import changes
from danlu.data.row import Row
from tests.data.augmenting import chat_row

REASONS = {value for name, value in vars(guard).items() if name.isupper() and isinstance(value, str)}


def judge(old: str, new: str, **fields: Any) -> str | None:
    parent = chat_row("a:1", old, **fields)
    return changes(parent, chat_row("a:1~paraphrase.1", new, **fields))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("我想在３天内退货，怎么办理？", "请问三天之内要退货的话，该如何办理？"),
        ("百分之三十的折扣什么时候结束？", "30%的折扣何时结束呢？"),
        ("为什么不能登录我的账号？", "我的账号无法登录，这是为何？"),
        ("能不能帮我查一下北京的天气？", "可以帮我看下北京今后的天气吗？"),
        ("订单A380-12有没有发货？", "请问A380-12这个订单发货了没？"),
        ("我有一些问题想问一下。", "有些事情我想请教你。"),
        ("How do I get from Paris to London in 2 hours?", "What lets me travel from Paris to London in two hours?"),
        ("I can't log in to GitHub. Why?", "Why am I not able to sign in to GitHub?"),
        ("What costs $5?", "Which thing costs 5 dollars?"),
        ("Please call `f(x)` at https://a.org/b.", "At https://a.org/b you should please call `f(x)`."),
    ],
)
def test_wordings_pass(old: str, new: str) -> None:
    assert judge(old, new) is None


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("我想在3天内退货。", "我要在5天之内把货退掉。", guard.NUMBERS),
        ("我想在三天内退货。", "我要在五天之内把货退掉。", guard.NUMBERS),
        ("我想在３天内退货。", "我要在３个月之内把货退掉。", guard.NUMBERS),
        ("我买了2件，退了2件。", "我买了2件，都退了。", guard.NUMBERS),
        ("他排在第3位。", "他一共排了3位。", guard.NUMBERS),
        ("价格是3万元吗？", "请问价格是不是3元？", guard.NUMBERS),
        ("十分钟够吗？", "请问够十分吗？", guard.NUMBERS),
        ("Give me 12 apples please.", "I would like 21 apples please.", guard.NUMBERS),
        ("The trip takes three days.", "Travelling there takes four days.", guard.NUMBERS),
        ("It weighs 5 kg.", "Its weight is 5 lb.", guard.NUMBERS),
        ("运行`ls -l`会怎样？", "执行`ls -a`有什么效果？", guard.FIXED),
        ("请看https://a.cn/x这个网页。", "麻烦看下https://a.cn/y这个网页。", guard.FIXED),
        ("发到a.b@c.com可以吗？", "可以寄到a.c@c.com吗？", guard.FIXED),
        ("我的电话是[CN_MOBILE]。", "我的电话号码是多少。", guard.FIXED),
        ("打开报告.docx之后怎么办？", "打开总结.docx之后怎么办理？", guard.FIXED),
        ("他说“明天见”是什么态度？", "他说“明儿见”是何态度？", guard.FIXED),
        ("把 $x^2$ 求导要怎么做？", "如何对 $x^3$ 求导数？", guard.FIXED),
        ("张伟去了北京出差。", "张伟到上海出差去了。", guard.NAMES),
        ("我的iPhone坏了怎么办？", "我的手机坏了该怎么办？", guard.NAMES),
        ("手机坏了该怎么办？", "我的iPhone坏了怎么办？", guard.NAMES),
        ("Is Paris a large city?", "Is London a large town?", guard.NAMES),
        ("Paris is large, is it?", "London is a big one, is it?", guard.NAMES),
        ("Does NASA hire people?", "Does ESA hire some people?", guard.NAMES),
        ("我今天下午去银行可以吗？", "我今天上午到银行去行吗？", guard.TIMES),
        ("Shall we meet tomorrow?", "Could we meet today?", guard.TIMES),
        ("这个可以退款吗？", "请问这个不可以退款吗？", guard.NEGATION),
        ("为什么没有收到短信？", "为什么收到短信了呢？", guard.NEGATION),
        ("You should never do it.", "You should always do it.", guard.NEGATION),
        ("I don't like the soup.", "I really like the soup.", guard.NEGATION),
        ("怎么增加内存？", "如何减少内存呢？", guard.OPPOSITE),
        ("How do I enable the alarm?", "How can I disable the alarm?", guard.OPPOSITE),
        ("怎么修改密码？", "How do I change it?", guard.LANGUAGE),
        ("How do I change it?", "如何修改这个东西？", guard.LANGUAGE),
        ("怎么修改密码？", "   ", guard.EMPTY),
        ("怎么修改密码？", "怎么修改密码?!", guard.SAME),
        ("How are you?", "how  are you", guard.SAME),
        ("怎么修改密码？", "修改密码这件事情的办法，我已经找了很久很久，就是想弄明白到底该怎么做才好呢？", guard.LONG),
        ("我找了很久很久的修改办法，就是想弄明白到底该怎么做才好，你们的客服电话也占线。", "占线。", guard.SHORT),
        ("如何学习游泳？", "先在浅水区练习呼吸。", guard.STATEMENT),
    ],
)  # fmt: skip
def test_what_changes_the_meaning_is_refused(old: str, new: str, reason: str) -> None:
    assert judge(old, new) == reason


def test_near_duplicates_of_the_parent_are_refused_from_the_threshold_on() -> None:
    old = "我昨晚在你们店里下了单，订单一直显示正在处理，客服电话也打了好几遍都占线，" * 3
    new = old + "谢谢。"
    assert judge(old, new) is None or judge(old, new) == guard.NEAR
    assert changes(chat_row("a", old), chat_row("b", new), max_similarity=0.5) == guard.NEAR
    assert changes(chat_row("a", old), chat_row("b", new), max_similarity=1.0) is None


@pytest.mark.parametrize(
    "fields",
    [
        {"labels": ("other",)},
        {"tools": ({"type": "function"},)},
        {"thinking": True},
        {"metadata": {"user": "2"}},
        {"rejected": ({"role": "assistant", "content": "x"},)},
    ],
)
def test_only_the_question_may_differ(fields: dict[str, object]) -> None:
    parent = chat_row("a:1", "怎么修改密码？")
    child = chat_row("a:1~x.1", "如何把密码改掉？")
    assert changes(parent, child) is None
    assert changes(parent, replace(child, **fields)) == guard.ANSWER  # type: ignore[arg-type]


def test_answers_system_prompts_and_earlier_turns_may_not_differ() -> None:
    def talk(system: str, first: str, answer: str) -> Row:
        texts = [
            ("system", system),
            ("user", first),
            ("assistant", "a"),
            ("user", "怎么修改密码？"),
            ("assistant", answer),
        ]
        return Row("a:1", "a", 1, messages=tuple({"role": role, "content": text} for role, text in texts))

    parent = talk("s", "q", "b")
    assert changes(parent, talk("S", "q", "b")) == guard.ANSWER
    assert changes(parent, talk("s", "Q", "b")) == guard.ANSWER
    assert changes(parent, talk("s", "q", "B")) == guard.ANSWER
    assert changes(parent, replace(parent, messages=parent.messages[:-1])) == guard.ANSWER


def test_a_label_that_the_question_names_stays() -> None:
    fields = {"labels": ("正面",)}
    assert judge("这条评价是正面还是负面：很好用", "请判断评价的倾向，正面还是负面：很好用", **fields) is None
    assert judge("这条评价是正面还是负面：很好用", "请判断这条评价的倾向好坏：很好用", **fields) in (
        guard.LABEL,
        guard.OPPOSITE,
    )


def test_texts_are_judged_too() -> None:
    parent = Row("a:1", "a", 1, text="天气很好。我们有3个人。")
    assert changes(parent, replace(parent, text="我们有3个人。天气很好。")) is None
    assert changes(parent, replace(parent, text="我们有4个人。天气很好。")) == guard.NUMBERS


@settings(deadline=None)
@given(
    st.sampled_from(["订单号{}何时发货？", "When will order {} be shipped?", "我在{}买的票"]),
    st.integers(2, 10**9),
    st.integers(2, 10**9),
)
def test_another_number_never_passes(template: str, one: int, other: int) -> None:
    parent, child = (
        template.format(one),
        "请 " + template.format(other) if "订单" in template else template.format(other),
    )
    if one != other:
        assert judge(parent, child) == guard.NUMBERS


@settings(deadline=None)
@given(st.text(max_size=200), st.text(max_size=200))
def test_it_judges_any_text_and_reasons_quote_none(old: str, new: str) -> None:
    assert judge("x" + old, new) in REASONS | {None}


@settings(deadline=None)
@given(st.text(min_size=1, max_size=100))
def test_a_text_never_passes_as_its_own_child(text: str) -> None:
    assert judge(text, text) is not None


@pytest.mark.parametrize(
    "text", ["a" * 200_000, "a." * 100_000, "“" * 90_000, "一" * 200_000, "'a " * 60_000, "a@" * 90_000]
)
def test_hostile_texts_come_back(text: str) -> None:
    assert judge(text, text + "b") in REASONS | {None}  # a pattern of quadratic time would run into the suite's timeout
