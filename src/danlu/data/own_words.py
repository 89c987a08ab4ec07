"""Tasks whose answer depends on the very words of the question: another wording would make the answer wrong."""

from __future__ import annotations

import re

from danlu.data.drafts import question_of
from danlu.data.row import Row

_TEXT_ZH = "(?:文[本章字]|句子|段[落话]|内容|短文|材料|对话|词语?|诗)"
_ZH = (
    "翻译|译[成为]|改写|重写|润色|纠错|改错|病句|错别字|语法错误|续写|扩写|缩写|仿写|造句|[近反同]义词|什么意思|的意思|含义|释义|定义"
    "|拼音|笔画|部首|字数|[几多少]个字|押韵|对联|[上下]联|组词|填空|摘要|提取|抽取|关键词|命名实体|分词|标点|原文|重新排列|打乱"
    "|拼写|[大小]写字母|逆序|反转|接龙|谜语|谜底|打一|歇后语|回文|绕口令|藏头|成语"
    f"|这[句段]话|这个{_TEXT_ZH}|(?:以下|如下|下面|下列)[^，。？！\n]{{0,6}}{_TEXT_ZH}"
)
_TEXT_EN = (
    "(?:sentence|text|paragraph|passage|article|word|phrase|story|poem|quote|tweet|verb|noun|adjective|tense|song"
    "|lyrics|essay|e-?mail|letter|speech|dialogue|conversation|review|code)s?"
)
_CHANGE_EN = "(?:correct|edit|convert|change|transform|classify|identify|find|analy[sz]e)"
_EN = (
    r"translat\w+|paraphras\w+|re-?writ\w+|rephras\w+|re-?word\w*|proofread\w*|grammar\w*|grammatical\w*|spell\w*"
    r"|synonyms?|antonyms?|definition of|define|meaning of|mean by|what (?:do|does) [^.?!\n]{1,60} mean|rhym\w+"
    r"|syllab\w+|pronounc\w+|etymolog\w+|letters? (?:in|of)|summari[sz]\w+|summary|extract\w*|keywords?|unscramble"
    r"|how many (?:\w+ )?(?:words|letters|characters|vowels|sentences)|anagram|palindrome|riddle|headline"
    r"|fill in the blanks?|complete the|continue the|re-?arrange|upper ?case|lower ?case|capitali[sz]\w+"
    rf"|{_CHANGE_EN} the (?:\w+ ){{0,3}}{_TEXT_EN}|(?:this|these|given|following|below|above) (?:\w+ )?{_TEXT_EN}"
)
_OWN_WORDS = re.compile(rf"{_ZH}|\b(?:{_EN})\b", re.IGNORECASE)


def about_own_words(row: Row) -> bool:
    """Whether the task is about its own words (translate, rewrite, count, summarise ...), so that they must stay.

    Rows with labels are never such tasks here: a label does not depend on single words. Nor are texts.
    """
    return bool(row.messages) and not row.classified and _OWN_WORDS.search(question_of(row)) is not None
