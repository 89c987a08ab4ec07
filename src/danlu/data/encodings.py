"""Which encoding a file of text is in: UTF-8, or GB18030 where that is Chinese; and what was wrong with bytes."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol

from danlu.recipe.errors import UserError

BLOCK = 1 << 20
ENOUGH = 4096  # continuation bytes of valid UTF-8 after which nothing else is thinkable
SAMPLE = 200_000  # characters looked at to tell whether text is Chinese

# The commonest characters of running Chinese text, simplified and traditional, and its punctuation. Real text has 0.37
# to 0.75 of its non-ASCII characters among them; Korean, Japanese, Russian, Thai, Greek, German and French bytes that
# happen to decode as GB18030 have 0.00 to 0.13 (measured; see tests/data/test_files.py).
FREQUENT = frozenset(
    "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事"
    "成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此"
    "已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代"
    "内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安"
    "少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光"
    "放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运"
    "們來為國說時會對過發後裡種經麼學現當沒動這樣開從實軍無與長機業將兩間問體應戰頭見產話給門東聲員論處義幾認條氣題爾變總"
    "電數報結務場計資許統區隊決馬書則聽卻達難權設記類據張該規萬覺術領確傳師觀讓識帶導爭運，。、；：？！“”‘’（）《》"
)


class Openable(Protocol):
    """Something whose bytes can be read from the start, again and again."""

    @property
    def path(self) -> Path:
        """Where it is."""
        ...

    def open(self) -> AbstractContextManager[BinaryIO]:
        """The bytes, unpacked, without a byte order mark."""
        ...


class EncodingOf:
    """The encoding of one file, found out when a byte first comes by that is not ASCII.

    Args:
        source: the file.
        wanted: 'utf-8', 'gb18030', or 'auto'.
    """

    def __init__(self, source: Openable, wanted: str) -> None:
        self._source = source
        self._known = None if wanted == "auto" else wanted

    def of(self, raws: Iterable[bytes]) -> str:
        """The encoding to decode these bytes with: the file's, or UTF-8 while all was ASCII."""
        if self._known is None and not all(raw.isascii() for raw in raws):
            self._known = detect_encoding(self._source)
        return self._known or "utf-8"


def detect_encoding(source: Openable) -> str:
    """'utf-8', or 'gb18030' for a file most of whose lines are no UTF-8 but GB18030, and that reads like Chinese.

    Only lines that are not ASCII count. So a UTF-8 file with some broken lines stays one, and so does a GB18030 file.
    Reads as far as it must, a block at a time: to the first 4,096 continuation bytes of valid UTF-8, or to the end.

    Raises:
        UserError: most lines are no UTF-8 but could be GB18030, and what they would say is no plausible Chinese. To
            take it for UTF-8 would keep the few rows that are UTF-8 by accident, as garbage.
    """
    with source.open() as file:
        if _is_utf8(_blocks(file)):
            return "utf-8"
    with source.open() as file:
        lines = _count_lines(file)
    if lines.broken <= lines.utf8 or lines.gb18030 * 4 < lines.broken * 3:
        return "utf-8"
    if is_plausible_chinese(lines.seen):
        return "gb18030"
    if lines.broken * 20 < lines.all:
        return "utf-8"
    raise UserError(
        f"is not UTF-8: {lines.broken:,} of {lines.all:,} lines are not",
        where=str(source.path),
        fix="if it is Chinese (GB18030, GBK, GB2312), set the source's encoding: gb18030; else convert it: "
        f"iconv -f ITS-ENCODING -t UTF-8 '{source.path.name}' > new-file",
    )


@dataclass
class _Lines:
    """How many lines a file has, and of those that are not ASCII: UTF-8, not UTF-8, and of the latter GB18030.

    `seen` counts what these say as GB18030, ASCII apart.
    """

    all: int = 0
    utf8: int = 0
    broken: int = 0
    gb18030: int = 0
    seen: Counter[str] = field(default_factory=Counter)


def _count_lines(file: BinaryIO) -> _Lines:
    found = _Lines()
    while piece := file.readline(BLOCK):
        found.all += 1
        utf8, gb18030 = _Decoding("utf-8"), _Decoding("gb18030")
        ascii_only = True
        while True:  # a long line comes in pieces
            last = piece.endswith(b"\n") or len(piece) < BLOCK
            ascii_only = ascii_only and piece.isascii()
            if not ascii_only:
                utf8.take(piece, last=last)
                gb18030.take(piece, last=last)
            if last:
                break
            piece = file.readline(BLOCK)
        if ascii_only:
            continue
        found.utf8 += utf8.works
        found.broken += not utf8.works
        if not utf8.works and gb18030.works:
            found.gb18030 += 1
            if found.seen.total() < SAMPLE:
                found.seen.update(gb18030.seen)
    return found


class _Decoding:
    """One line, decoded piece by piece: whether it can be, and the first characters that are not ASCII."""

    def __init__(self, encoding: str) -> None:
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self.works = True
        self.seen: Counter[str] = Counter()

    def take(self, piece: bytes, *, last: bool) -> None:
        """The next piece of the line."""
        if not self.works:
            return
        try:
            text = self._decoder.decode(piece, last)
        except UnicodeDecodeError:
            self.works = False
            return
        if self.seen.total() < SAMPLE:
            self.seen.update(character for character in text if not character.isascii())


def _blocks(file: BinaryIO) -> Iterator[bytes]:
    while block := file.read(BLOCK):
        yield block


def _is_utf8(blocks: Iterable[bytes]) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    proof = 0
    try:
        for block in blocks:
            proof += len(block) - len(decoder.decode(block))
            if proof >= ENOUGH:
                return True
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def is_plausible_chinese(seen: Counter[str]) -> bool:
    """Whether characters (those that are not ASCII, counted) are what Chinese text has.

    At least a quarter must be among the commonest; a few words, where shares say little, need a tenth, and nine
    tenths among the 3,755 everyday characters of GB 2312 level 1. Names, drugs and parts have few of the commonest: a
    twentieth will do where 85 % are everyday characters that are spread over their table as those of Chinese are. The
    bytes of Korean and Japanese leave its last third (its last fifth) empty, and the second bytes of Russian and Greek
    all lie in a third of their range.
    """
    total = seen.total()
    if not total:
        return False
    share = sum(count for character, count in seen.items() if character in FREQUENT) / total
    if share >= 0.25:
        return True
    everyday = {code: count for character, count in seen.items() if (code := _everyday(character))}
    common = sum(count for character, count in seen.items() if character in FREQUENT or _everyday(character)) / total

    def part(chosen: Callable[[bytes], bool]) -> float:
        return sum(count for code, count in everyday.items() if chosen(code)) / max(1, sum(everyday.values()))

    third = part(lambda code: 0xC0 <= code[1] <= 0xDF)
    if total < 40 and share >= 0.1 and common >= 0.9 and third < 0.9:
        return True
    return (
        len(everyday) >= 15
        and share >= 0.05
        and common >= 0.85
        and part(lambda code: code[0] >= 0xC9) >= 0.25
        and part(lambda code: code[0] >= 0xD0) >= 0.02
        and third <= 0.6
    )


def _everyday(character: str) -> bytes:
    """The GB 2312 bytes of one of its everyday characters; none of another."""
    try:
        code = character.encode("gb2312")
    except UnicodeEncodeError:
        return b""
    return code if len(code) == 2 and 0xB0 <= code[0] <= 0xD7 else b""


def escaped(raw: bytes, encoding: str = "utf-8") -> str:
    """Bytes as text that can be shown: what does not decode stands as \\xNN."""
    return raw.decode(encoding, "backslashreplace")


def undecodable(error: UnicodeDecodeError) -> str:
    """The reason of a record whose bytes do not decode; bytes count from 1."""
    name = "UTF-8" if error.encoding in {"utf-8", "utf8"} else error.encoding.upper()
    return f"invalid {name} at byte {error.start + 1}"
