"""Secrets: keys and tokens of known form, private-key blocks, passwords in URLs, and what stands after such a "
"label."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from danlu.data.personal.spans import Span

_L = r"(?<![0-9A-Za-z_\-])"
_R = r"(?![0-9A-Za-z_\-])"

# Forms that the issuers document; each is safe without a label.
_KNOWN = re.compile(
    _L
    + r"(?:(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{16}|gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{22,255}|"
    r"sk-(?:[A-Za-z0-9]+-)*[A-Za-z0-9_\-]{16,200}|(?:sk|rk|pk)_(?:live|test)_[0-9A-Za-z]{10,247}|"
    r"whsec_[A-Za-z0-9+/=]{16,}|"
    r"xox[abeoprs]-(?:[A-Za-z0-9]+-)*[A-Za-z0-9]{8,}|xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]+|AIza[0-9A-Za-z_\-]{30,45}|"
    r"GOCSPX-[A-Za-z0-9_\-]{20,}|"
    r"ya29\.[0-9A-Za-z_\-]{20,}|eyJ[A-Za-z0-9_\-]{6,}\.[A-Za-z0-9_\-]{6,}\.[A-Za-z0-9_\-]{6,}|"
    r"glpat-[A-Za-z0-9_\-]{20,}|"
    r"npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_\-]{40,}|hf_[A-Za-z0-9]{30,}|SG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}|"
    r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}|do[opr]_v1_[a-f0-9]{64}|dckr_pat_[A-Za-z0-9_\-]{20,}|"
    r"LTAI[A-Za-z0-9]{12,24}|AKID[A-Za-z0-9]{13,40}|"
    r"\d{8,10}:AA[A-Za-z0-9_\-]{33}|key-[0-9a-f]{32}|SK[0-9a-f]{32}|AC[0-9a-f]{32}|lin_api_[A-Za-z0-9]{40}|"
    r"sq0(?:atp|csp)-[A-Za-z0-9_\-]{22,}|"
    r"EAACEdEose0cBA[0-9A-Za-z]+|sntrys_[A-Za-z0-9+/=_\-]{30,}|nvapi-[A-Za-z0-9_\-]{40,}|gsk_[A-Za-z0-9]{40,}|"
    r"r8_[A-Za-z0-9]{30,}|"
    r"dapi[a-f0-9]{32,40}|hv[bs]\.[A-Za-z0-9_\-]{20,}|figd_[A-Za-z0-9_\-]{30,}|xkeysib-[a-f0-9]{40,}-\w+|"
    r"PMAK-[a-f0-9]{20,}-[a-f0-9]{20,}|ATATT3[A-Za-z0-9_\-=]{60,}|"
    r"tfp_[A-Za-z0-9]{30,}|AGE-SECRET-KEY-1[A-Z0-9]{50,})" + _R
)
_HOOK = re.compile(
    r"https://hooks\.slack\.com/services/[A-Za-z0-9/]{20,}|https://(?:discord|discordapp)"
    r"\.com/api/webhooks/\d+/[\w\-]+"
)
_BLOCK = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:.*?-----END (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----|(?:\\n|[A-Za-z0-9+/=\s:,\-])*)",
    re.DOTALL,
)
_URL = re.compile(
    r"[A-Za-z][A-Za-z0-9+.\-]{1,20}://[^\s:/@\u4e00-\u9fff]{0,64}:([^\s/\u4e00-\u9fff]{1,128})@(?=[A-Za-z0-9\[])"
)
_BEARER = re.compile(r"\b(?:[Bb]earer|BEARER|[Bb]asic|[Tt]oken)\s+([A-Za-z0-9._~+/\-]{16,}=*)")
_LABEL = re.compile(
    r"(?<![A-Za-z])((?:api[_\- ]?key|apikey|access[_\- ]?key(?:[_\- ]?(?:id|secret))?|"
    r"secret[_\- ]?(?:access[_\- ]?)?key|app[_\- ]?secret|"
    r"app[_\- ]?key|client[_\- ]?secret|auth[_\- ]?token|access[_\- ]?token|refresh[_\- ]?token|"
    r"session[_\- ]?token|api[_\- ]?token|"
    r"private[_\- ]?key|encryption[_\- ]?key|signing[_\- ]?key|secret|token|passwd|password|passphrase|"
    r"pass[_\- ]?code|passcode|pwd|credentials?))"
    r"[\"']?\*{0,2}\s{0,3}(?::=|=>|=|:|：)\*{0,2}\s{0,3}([\"']?)([^\s\"'，。；、）】》\u4e00-\u9fff]{4,256})",
    re.IGNORECASE,
)
_SPOKEN = re.compile(
    r"\b(?:password|passphrase|passcode|passwd|pwd?|api key|token|secret(?: key)?|pin)"
    r"(?: (?:for|of|on) [\w\- ]{1,40}?)?"
    r" (?:(?:(?:was|has been|got) )?(?:changed|reset|set|rotated)(?: [a-z ]{1,20}?)? to|is|was|to|=):?"
    r" [\"'`]?([^\s\"'`，。]{4,128})",
    re.IGNORECASE,
)
# a sticky note with the wifi password 3qs*PgC$i9F on it
_BESIDE = re.compile(
    r"(?:\b(?:password|passphrase|passcode)\b:? [\"'“`]?|(?:密码|口令)(?:还是|是不是|[:：])? ?)"
    r"([\x21\x23-\x26\x28-\x5f\x61-\x7e]{6,64})",
    re.IGNORECASE,
)
# SMTP_PASS='...', "user pass": "...", and alone only as an assignment: PASS: 15/20 tests is none
_PASS = re.compile(
    r"(?:(?<![a-z])(?:smtp|imap|pop3?|ftp|e?mail|user|login|admin|root|db|sql|mysql|pg|postgres|mongo|redis|ldap|wifi|"
    r"proxy|http|auth|svc|service|app|vpn|my)[_\-. ]?pass[\"']?\s{0,2}[:=]|(?<![\w\-])pass=)\s{0,2}[\"']?"
    r"([^\s\"'，。；]{6,128})",
    re.IGNORECASE,
)
# What stands beside the word and is no password: algorithms, types, measures, identifiers
_TECHNICAL = re.compile(
    r"(?i:.*(?:sha-?\d|md5|aes\d|rsa|oauth|pbkdf|bcrypt|base64|utf-?8|x26[45]).*)|[A-Z0-9\-]+|[\d.,/%]+[A-Za-z]{0,4}|"
    r"[a-z]+(?:_[a-z]+)+(?:_?v?\d{0,2})|[\d\-]+(?:chars?|digits?|bytes?)"
)
# The passcode for the meeting (Blizzard_2019^7) must not be passed on.
_IN_BRACKETS = re.compile(r"\b(?:password|passphrase|passcode)\b[^.!?()\n]{0,32}\(([^\s()]{6,64})\)", re.IGNORECASE)
_CHINESE = re.compile(
    r"(?:密码|口令|密钥|秘钥|令牌|密匙|授权码|访问凭证|提取码)(?:已?(?:改|设|重置|更新|修改)?(?:成|为|置为)|是|为|"
    r"设置?为|(?:换|改|更新)了[,，]?(?:现在|新的?)?是|现在是)?\s?(?:[:：=]|(?<=[是为成]))\s?[\"'“‘「`]?"
    r"([\x21\x23-\x26\x28-\x5f\x61-\x7e]{4,128})"
)
# What only a machine writes, wherever such a word leads to it: the secret "6128…", 授权码qsqibst…, AppSecret: 8a77…
_LED = re.compile(
    r"(?:(?:secret|token|webhook|password|passphrase|credential|(?:api|access|secret)[_ -]?key)s?"
    r"(?: (?=[0-9a-f]{32})|\s?[\"'“‘(（]| - |\s?[:：=为是]\s?[\"'“‘]?|[\u4e00-\u9fff]{1,8}[:：（(]?)|"
    r"(?:授权码|密钥|秘钥|令牌|访问凭证)[\u4e00-\u9fff]{0,8}[\"'“‘(（:：]?)\s?([A-Za-z0-9_+/=.\-]{14,128})",
    re.IGNORECASE,
)
_ENOUGH = re.compile(r"[A-Za-z0-9_+/=.\-]{14}")
_HEX = re.compile(r"[0-9a-f]{32,128}|[0-9A-F]{32,128}")
# A column of keys: its heading stands in a line before, its cells are nothing else
_KEY_HEADING = re.compile(
    r"密钥|秘钥|令牌|凭证|\b(?:[Aa][Pp][Ii][ _]?[Kk]ey|[Ss]ecret|[Tt]oken|[Aa]ccess[ _]?[Kk]ey|AppKey|AppSecret)"
)
_HASH_HEADING = re.compile(r"commit|md5|sha-?\d|hash|digest|checksum|摘要|校验|指纹|哈希|提交|trace", re.IGNORECASE)
_KEY_CELL = re.compile(r"(?:(?<=[|,\t])|(?<=\| )|(?<=  ))[0-9a-f]{32}(?=\s?(?:[|,\t\n]| {2}|$))")
_PLACEHOLDER = re.compile(
    r"[x*.•#\-_]{3,}.*|.*\*{3,}.*|<.*|\$\{?.*|\{.*|%.*%|.{0,24}(?:your|placeholder|example|change.?me|redacted|"
    r"hidden|insert|replace).{0,24}|"
    r"none|null|nil|true|false|undefined|required|optional|string|str|secret|password|token|empty|unknown|os\.\S*|"
    r"process\.env\S*|"
    r"getenv\S*|config\S*|settings\S*|self\.\S*|env\S*|input\S*|request\S*|args\S*|.*\(.*",
    re.IGNORECASE,
)
_LONG = re.compile(r"[A-Za-z0-9_\-.:+/=]{16,}")
_WORD = re.compile("key|secret|token|pass|pw|phrase|credential|pin ")
_CHINESE_WORD = re.compile("密码|口令|密钥|秘钥|令牌|密匙|授权码|访问凭证|提取码")
_JOINED = re.compile(r"[A-Za-z0-9_.\-]*$")
# What command lines say without a word like password: curl -u user:value, redis-cli -a value.
_TOLD = re.compile(
    r"(?:(?<![\w-])(?:-u|--user)[ =][\"']?[\w.@+-]{1,40}:|(?:redis-cli|valkey-cli) [^\n]{0,80}?(?<= )-a [\"']?)"
    r"([^\s\"'，。]{6,128})"
)
# vwhZDXphdKfS is no word and no two words put together
_ODD_CASE = re.compile(r"[a-z][A-Z]{2,}[a-z]|[a-z][A-Z]$")
_STRONG_LABEL = re.compile(r"key|secret|token|credential", re.IGNORECASE)


def _bits(value: str) -> float:
    """Shannon entropy in bits a character."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())


def _trimmed(value: str) -> str:
    """A value without the punctuation of the sentence around it; a closing mark that belongs to it stays."""
    value = value.rstrip(",;.:")
    while (
        value
        and value[-1] in ")]}>"
        and value.count(value[-1]) > value.count({")": "(", "]": "[", "}": "{", ">": "<"}[value[-1]])
    ):
        value = value[:-1].rstrip(",;.:")
    return value


def secrets(text: str) -> Iterator[Span]:
    """Spans of all secrets; the text is as it was written, as folding would glue full-width punctuation to a "
    "value."""
    for match in _known(text):
        value = match.group()
        if not value.startswith("sk-") or (_bits(value) > 3.2 and any(c.isdigit() for c in value)):
            yield Span(match.start(), match.end(), "SECRET", 0.99)
    if "://" in text:
        yield from _in_urls(text)
    for match in _BLOCK.finditer(text) if "PRIVATE KEY" in text else ():
        yield Span(match.start(), match.start() + len(match.group().rstrip()), "SECRET", 0.99)
    low = text.lower()
    if _WORD.search(low):
        yield from _labelled(text)
    if _CHINESE_WORD.search(text):
        yield from _spoken(text, _CHINESE, 0.9)
    yield from _opaque(text)
    if "-u " in text or "--user" in text or "-cli " in text:
        yield from _spoken(text, _TOLD, 0.8)
    if "密码" in text or "口令" in text or "pass" in low:
        yield from _beside(text)
    if "earer " in text or "asic " in text or "oken " in text or "BEARER " in text:
        yield from _authorizations(text)


def _opaque(text: str) -> Iterator[Span]:
    """What only a machine writes, behind a word for a secret or in a column of them."""
    if _ENOUGH.search(text) is None:
        return
    for match in _LED.finditer(text):
        value = _trimmed(match.group(1))
        if _is_opaque(value, led=match.group()[:3] == "授权码"):
            yield Span(match.start(1), match.start(1) + len(value), "SECRET", 0.8)
    heading = _KEY_HEADING.search(text)
    if heading is None:
        return
    other = _HASH_HEADING.search(text)
    for match in _KEY_CELL.finditer(text, heading.end()):
        line = text.rfind("\n", 0, match.start()) + 1
        if heading.end() <= line and not (other and other.end() <= line):
            yield Span(match.start(), match.end(), "SECRET", 0.7)


def _is_opaque(value: str, *, led: bool) -> bool:
    """A long hexadecimal number, or letters of both cases with digits between; of mail codes also 16 letters."""
    if _HEX.fullmatch(value) or (led and len(value) == 16 and value.isalpha()):
        return True
    kinds = (any(map(str.isdigit, value)), any(map(str.islower, value)), any(map(str.isupper, value)))
    return all(kinds) and _bits(value) > 3.2 and not _PLACEHOLDER.fullmatch(value) and not _TECHNICAL.fullmatch(value)


def _beside(text: str) -> Iterator[Span]:
    """What stands behind the word with no mark or a colon between, where it looks like a password and nothing else."""
    for match in _BESIDE.finditer(text):
        value = _trimmed(match.group(1))
        if len(value) >= 8 and _is_password(value):
            yield Span(match.start(1), match.start(1) + len(value), "SECRET", 0.75)


def _is_password(value: str) -> bool:
    """Whether a value mixes letters with digits or marks, or has odd case, and is no path or technical term."""
    place = value.startswith(("/", "./", "~/")) or "://" in value or "=" in value or re.search(r"@\w+\.", value)
    if place or _TECHNICAL.fullmatch(value) or _PLACEHOLDER.fullmatch(value):
        return False
    mixed = any(map(str.isalpha, value)) and any(c.isdigit() or c in "!@#$%^&*" for c in value)
    return mixed or (len(value) >= 10 and _ODD_CASE.search(value) is not None)


def _known(text: str) -> Iterator[re.Match[str]]:
    """Secrets of known form, looked for only in runs of letters and digits that are long enough."""
    for run in _LONG.finditer(text):
        yield from _KNOWN.finditer(text, run.start(), run.end())


def _authorizations(text: str) -> Iterator[Span]:
    for match in _BEARER.finditer(text):
        value = _trimmed(match.group(1))
        if any(c.isdigit() for c in value) and _bits(value) > 3:
            yield Span(match.start(1), match.start(1) + len(value), "SECRET", 0.9)


def _in_urls(text: str) -> Iterator[Span]:
    for match in _HOOK.finditer(text):
        yield Span(match.start(), match.end(), "SECRET", 0.99)
    for match in _URL.finditer(text):
        if not _PLACEHOLDER.fullmatch(match.group(1)):
            yield Span(match.start(1), match.end(1), "SECRET", 0.95)


def _labelled(text: str) -> Iterator[Span]:
    for match in _LABEL.finditer(text):
        value = _trimmed(match.group(3)) if not match.group(2) else match.group(3)
        if len(value) < 4 or _PLACEHOLDER.fullmatch(value):
            continue
        mixed = any(c.isdigit() for c in value) or not value.isalnum()
        mixed = mixed or (len(value) >= 10 and _ODD_CASE.search(value) is not None)
        strong = _STRONG_LABEL.search(_whole_label(text, match)) is not None
        long_enough = len(value) >= 8 if strong else len(value) >= 4
        if match.group(2) or (mixed and long_enough):
            if not mixed and strong and len(value) < 12:
                continue
            yield Span(match.start(3), match.start(3) + len(value), "SECRET", 0.9)
    yield from _spoken(text, _SPOKEN, 0.75)
    for pattern in (_IN_BRACKETS, _PASS):
        for match in pattern.finditer(text):
            value = _trimmed(match.group(1))
            if _is_password(value):
                yield Span(match.start(1), match.start(1) + len(value), "SECRET", 0.8)


def _whole_label(text: str, match: re.Match[str]) -> str:
    """The label with what is joined to it in front: DB_SECRET_PASSWORD."""
    head = _JOINED.search(text, max(0, match.start() - 24), match.start())
    return (head.group() if head else "") + match.group(1)


def _spoken(text: str, pattern: re.Pattern[str], confidence: float) -> Iterator[Span]:
    for match in pattern.finditer(text):
        value = _trimmed(match.group(1))
        odd = any(c.isdigit() or c in "!@#$%^&*" for c in value) and not value.startswith(("/", "./", "~/", "http"))
        if len(value) >= 4 and odd and not _PLACEHOLDER.fullmatch(value):
            yield Span(match.start(1), match.start(1) + len(value), "SECRET", confidence)
