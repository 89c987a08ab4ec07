"""Why rows went, in the user's language: the data room books its reasons in English, a Chinese page translates them."""

from __future__ import annotations

import re
from functools import cache

from danlu.recipe.language import chosen_language

# English pattern -> Chinese; N is a number or the … of folded reasons, ID a row id or …, T the rest of a text.
_SAID: tuple[tuple[str, str], ...] = (
    ("is N characters long, fewer than N", "仅 {} 个字符，少于 {}"),
    ("is N words long, fewer than N", "仅 {} 个词，少于 {}"),
    ("is N characters long, more than N", "长 {} 个字符，多于 {}"),
    ("is N words long, more than N", "长 {} 个词，多于 {}"),
    ("has N of its text in repeated lines, more than N", "有 {} 的文本是重复的行，多于 {}"),
    ("has N of its text in repeated N-grams, more than N", "有 {} 的文本是重复的 {} 元组，多于 {}"),
    ("is broken text to N, more than N", "有 {} 是乱码，多于 {}"),
    ("is N symbols, more than N", "有 {} 是符号，多于 {}"),
    ("is N characters long and ends in 'T'", "长 {} 个字符，以“{}”结尾，疑似被截断"),
    ("is N words long and ends in 'T'", "长 {} 个词，以“{}”结尾，疑似被截断"),
    ("is N characters long and ends in a word that leads on", "长 {} 个字符，结尾的词语没有说完"),
    ("is N words long and ends in a word that leads on", "长 {} 个词，结尾的词语没有说完"),
    ("is N characters long and ends in the middle of a sentence", "长 {} 个字符，句子没有说完"),
    ("is N words long and ends in the middle of a sentence", "长 {} 个词，句子没有说完"),
    ("begins with a phrase of 'extra'", "以 extra 中的短语开头"),
    ("refuses, or speaks as a language model", "拒绝回答，或以语言模型自居"),
    ("answer N is the question again to N", "第 {} 个回答有 {} 是在重复问题"),
    ("T is in 'T' (confidence N), not in T", "{}的语言是 {}（置信度 {}），不在 {} 之列"),
    ("T is in 'T', not in T", "{}的语言是 {}，不在 {} 之列"),
    ("same as ID", "与 {} 相同"),
    ("near duplicate of ID (J=N)", "与 {} 近似重复（J={}）"),
    ("near duplicate of ID", "与 {} 近似重复"),
    ("means the same as ID (cosine N)", "与 {} 语义重复（余弦 {}）"),
    ("means the same as ID", "与 {} 语义重复"),
    ("asks the same as ID and answers differently", "与 {} 问题相同而回答不同"),
    ("labelled 'T', probably 'T' (p=N)", "标签为“{}”，更可能是“{}”（p={}）"),
    ("labelled 'T', probably 'T'", "标签为“{}”，更可能是“{}”"),
    ("is tied to a row of T; keeping it would leak one into the other", "与 {} 的行相关，保留会造成泄漏"),
    ("is tied to a held-out row (T)", "与留出的行相关（{}）"),
    ("the reference has no such T", "参照数据中没有这样的 {}"),
    ("more of its T than in the reference", "其 {} 的占比高于参照数据"),
    ("longer than N tokens: T", "超过 {} 个 token：{}"),
    ("longer than N tokens", "超过 {} 个 token"),
    ("no learned token within N tokens", "前 {} 个 token 内没有可学习的 token"),
    ("repeats N of the question of T", "重复了 {1} 的问题的 {0}"),
    ("repeats N of the answer of T", "重复了 {1} 的回答的 {0}"),
    ("repeats N of the question and answer of T", "重复了 {1} 的问答的 {0}"),
    ("holds T", "含有 {}"),
    ("changes more than the question", "改动了问题以外的内容"),
    ("is empty", "为空"),
    ("says the same as its parent, but for punctuation and case", "除标点和大小写外与原文相同"),
    ("is much shorter than its parent", "比原文短得多"),
    ("is much longer than its parent", "比原文长得多"),
    ("is in another language", "换了语言"),
    ("changes code, a formula, an address, a quotation or a tag", "改动了代码、公式、网址、引文或标签"),
    ("changes a number", "改动了数字"),
    ("changes a name", "改动了名称"),
    ("drops a label that the question names", "丢掉了问题中列出的标签"),
    ("changes when something is", "改动了时间"),
    ("changes a negation", "改动了否定"),
    ("turns a word into its opposite", "把词换成了反义词"),
    ("is no longer a question", "不再是问题"),
    ("is a near-duplicate of its parent", "与原文近似重复"),
    ("has no assistant turn, so nothing would be learned from it", "没有助手回合，学不到任何内容"),
    ("'T' is empty", "“{}”为空"),
    ("its keys (T) fit no format; T", "其字段（{}）不符合任何格式；{}"),
    ("format T needs the key 'T'", "格式 {} 需要字段“{}”"),
    ("'T' must be text, not T", "“{}”必须是文本，而不是 {}"),
    ("'T' must be a list", "“{}”必须是列表"),
    ("'messages' must be a list with at least one message", "“messages”必须是至少含一条消息的列表"),
    ("'chosen' and 'rejected' are the same", "“chosen”与“rejected”相同"),
    ("T: unknown role T; T", "{}：未知角色 {}；{}"),
    ("T: unknown key 'T'; T", "{}：未知字段“{}”；{}"),
    ("T: the assistant's turn is empty", "{}：助手回合为空"),
    ("T must be an object, not T", "{} 必须是对象，而不是 {}"),
    ("is not JSON: T", "不是 JSON：{}"),
    ("is not JSON", "不是 JSON"),
    ("is not a JSON object", "不是 JSON 对象"),
)
_SUBJECTS = (("the answer ", "回答"), ("answer … ", "第 … 个回答"), ("the text ", "文本"))
_ANSWER = re.compile(r"answer (\d+) ")
_SLOT = {"N": r"([\d.,…]+ ?%?|at least \d+)", "ID": r"(\S+)", "T": "(.+?)"}


def said(reason: str) -> str:
    """The reason in the user's language; one that is not known stays as it is."""
    if chosen_language() != "zh":
        return reason
    whole = _translated(reason)
    if whole is not None:
        return whole
    numbered = _ANSWER.match(reason)
    heads = ((numbered.group(), f"第 {numbered.group(1)} 个回答"),) if numbered else _SUBJECTS
    for english, chinese in heads:
        rest = _translated(reason.removeprefix(english)) if reason.startswith(english) else None
        if rest is not None:
            return chinese + rest
    return reason


def _translated(reason: str) -> str | None:
    for pattern, chinese in _patterns():
        match = pattern.fullmatch(reason)
        if match:
            return chinese.format(*match.groups())
    return None


@cache
def _patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    return tuple((re.compile(_compiled(english)), chinese) for english, chinese in _SAID)


def _compiled(english: str) -> str:
    parts = re.split(r"\b(ID|N|T)\b", english)
    return "".join(_SLOT[part] if part in _SLOT else re.escape(part) for part in parts)
