"""How much of a text was decoded with the wrong encoding, proved by decoding it back."""

from __future__ import annotations

import re

# UTF-8 read as Latin-1 or Windows-1252: a lead byte, then what continuation bytes look like in those encodings.
_CP1252_HIGH = "€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ"
_UTF8_AS_LATIN = re.compile(f"[\xc2-\xf4][\x80-\xbf{_CP1252_HIGH}]{{1,3}}")
_BACK = {ord(sign): byte for byte in range(0x80, 0xA0) for sign in bytes([byte]).decode("cp1252", "ignore")}
# GBK read as Latin-1 (`ÄãºÃ` for 你好): long runs of high Latin letters, which no language has.
_GBK_AS_LATIN = re.compile("[\xa1-\xfe]{6,}")
# UTF-8 read as GBK (`浣犲ソ` for 你好), or as Shift-JIS: what common characters become.
_UTF8_AS_GBK_HINT = re.compile("[锛鐨銆銉銇鏄鎴鍙鍦鐢鈥锟浣涓鏈鍒縺繧繝譁蜷]")
_TRACES = ("锟斤", "烫烫烫", "屯屯屯", "鈥", "\ufffd")
_HIGH_LATIN = re.compile("[\xa1-\xff]")
_ALWAYS = re.compile("锟斤拷?|烫烫烫+|屯屯屯+|鈥[^\\s]|\ufffd+")
# UTF-8 read as Windows-1251 (`РџСЂРёРІРµС‚`): every other letter is Р or С, and quotation marks are вЂ.
_UTF8_AS_CYRILLIC = re.compile("(?:[РС][^\\s]){6,}|вЂ[^\\s]")
# What such a sequence stood for; rare letters are left out, because É before an ellipsis would be one.
_PLAUSIBLE = re.compile(
    "[\xa0-\u017f\u0370-\u04ff\u05d0-\u06ff\u0900-\u0eff\u2010-\u2fff\u3000-\ud7af\uf900-\uffef\U0001f000-\U0001faff]"
)
_HAN_OR_KANA = re.compile("[\u3041-\u30ff\u4e00-\u9fff]")


def mojibake_share(text: str) -> float:
    """Share (0 to 1) of the text's characters, white space apart, that are traces of a wrong encoding.

    A sequence counts when its bytes in the wrong encoding are valid in the right one, so accented letters, rare Han and
    quotation marks do not.
    """
    if text.isascii():
        return 0.0
    broken = _length(_ALWAYS, text) if any(trace in text for trace in _TRACES) else 0
    if _HIGH_LATIN.search(text):
        broken += sum(len(found) for found in _UTF8_AS_LATIN.findall(text) if _was_utf8(found))
        broken += sum(len(found) for found in _GBK_AS_LATIN.findall(text) if _was_gbk(found))
    if "Р" in text or "С" in text or "вЂ" in text:
        broken += _length(_UTF8_AS_CYRILLIC, text)
    if len(_UTF8_AS_GBK_HINT.findall(text)) * 20 >= len(text):
        broken += _undone(text)
    return min(1.0, broken / len("".join(text.split()))) if broken else 0.0


def _was_utf8(found: str) -> bool:
    raw = bytes(_BACK.get(ord(sign), ord(sign)) for sign in found)
    # The class takes up to three continuations; a shorter sequence is followed by signs of its own.
    for length in range(len(raw), 1, -1):
        try:
            return bool(_PLAUSIBLE.fullmatch(raw[:length].decode()))
        except UnicodeDecodeError:
            continue
    return False


def _was_gbk(found: str) -> bool:
    raw = found.encode("latin-1")
    return any(_decodes(raw[start : len(raw) - (len(raw) - start) % 2], "gb2312") for start in (0, 1))


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _undone(text: str) -> int:
    """How many characters of a text become Han or kana when its GBK (or Shift-JIS) bytes are read as UTF-8."""
    best = 0
    for encoding in ("gb18030", "cp932"):
        raw = text.encode(encoding, "ignore")
        recovered = len(_HAN_OR_KANA.findall(raw.decode("utf-8", "ignore")))
        # Three bytes of UTF-8 are one and a half characters of two bytes.
        best = max(best, int(recovered * 1.5))
    return best if best * 4 >= len(text) else 0


def _length(runs: re.Pattern[str], text: str) -> int:
    return sum(map(len, runs.findall(text)))
