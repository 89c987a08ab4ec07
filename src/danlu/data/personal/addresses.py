"""Chinese postal addresses: a street, estate or village with a number, and the regions in front of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from danlu.data.personal.chinese_words import segmenter
from danlu.data.personal.context import before
from danlu.data.personal.spans import Span
from danlu.data.personal.tables import table, words

_NUM = (
    r"(?:[0-9]{1,5}|[A-Za-z][0-9]{0,4}|[零〇一二三四五六七八九十百]{1,5}|[甲乙丙丁](?:[0-9]{1,4})?)"
    r"(?:[-之附/][0-9A-Za-z]{1,5}){0,3}"
)
_UNIT = (
    r"(?:号院|号楼|号(?:之[一二三四五六七八九十])?|弄|支弄|栋|幢|座|楼|层|单元|室|房|户|村民小?组|小组|组|社(?![区会保交])|队|排|期|区|"
    r"门(?![口外前卫诊])|铺|[甲乙](?![街镇乡村路]))"
)
_STREET = "路街道巷弄里段同线"
_ESTATE = "村镇乡苑园区城寓厦场府湾庭邸居轩阁屯寨庄心际坊院都郡墅堡峰岛洲"
_NOT_IN_NAME = "的在有是和与到从附近旁边对面，。；：、！？了着过请把被给将您你我他她它这那哪们"
_NAME = f"[^\\W\\d_{_NOT_IN_NAME}]"
# What an estate between a house number and a building may be called, 和平里小区, 锦绣江南; no verbs of delivery
_CALLED = (
    "(?:和(?=[平谐睦顺美泰苑园府居庭城])|(?<=[万丰嘉祥永泰兴融宏瑞康])和|"
    f"[^\\W\\da-zA-Z_{_NOT_IN_NAME}送寄收找打电话联系订退换取拨号])"
)
_FLATS = r"[0-9]{1,3}-[0-9]{1,2}-(?!(?:19|20)[0-9]{2})[0-9]{3,4}(?![0-9]|-[0-9])"
_ARABIC = r"(?:[0-9]{1,4}[A-Z]?|[A-Z][0-9]{0,2})"
_ANCHOR = re.compile(
    rf"[{_STREET}{_ESTATE}查组](?<![^嘎]查)(?:(?<!组)|(?<=村.组)|(?<=村..组)|(?<=村...组))(?:[东西南北中](?:段|区|街|路|里)?|[一二三四五六七八九十]段|[一二三四五六七八九十1-9]期|"
    rf"[A-Z]区)? ?"
    rf"(?:第)?(?P<number>{_NUM}) ?(?P<unit>{_UNIT})"
)
# A building needs no estate's suffix where a flat follows, 春江花月19栋B座2702, nor flats a unit: 东方名城6-4-1105.
_BUILDING = re.compile(
    r"(?![号码分数有建括是各和共了的新])[\u4e00-\u9fff](?:(?P<number>[0-9A-Z]{1,4}) ?(?P<unit>号楼|[栋幢]|(?<=[A-Z])座)"
    r"(?= ?[0-9A-Z]{1,3}(?:单元|[座门])| ?[0-9]{1,2}[楼层][0-9A-Z]{1,4}[室号房]|"
    r" ?[0-9]{3,4}(?![0-9套户人米个层年月元万]))|"
    rf"(?P<flats>{_FLATS}))"
)
_BUILT = re.compile(r"号楼|[栋幢座] ?[0-9A-Za-z一二三四五六七八九十]|[0-9]-[0-9]{1,2}-[0-9]{3}")
# Where two streets meet: 文三路与翠竹路交叉口东28米
_CROSSING = re.compile(
    rf"[{_STREET}][与和]{_CALLED}{{1,8}}?[路街道巷](?:交叉口|交汇处|交口|路口)(?:[东西南北]{{1,2}}侧?(?:[0-9]{{1,4}}米)?)?"
)
# A number behind a building's name needs no unit: 国贸大厦1208.
_ROOM = re.compile(r"(?:大厦|公寓|广场|中心|花园|小区|家园|新村) ?[A-Z]?[0-9]{3,5}(?![0-9年月日元人平米个家])")
_TAIL = re.compile(
    rf"(?: ?(?:第?{_NUM} ?{_UNIT}(?:院|楼)?|附{_NUM}号|"
    rf"[东西南北中][区楼座塔院](?=[0-9A-Za-z])|"
    rf"{_FLATS}|\([东西南北]\S{{0,4}}\)|"
    rf"{_CALLED}{{2,8}}?(?:[东西南北中]区)?"
    rf"(?={_ARABIC} ?(?:号楼|[栋幢座]|单元|[层楼室房](?=[0-9A-Z]|[^\w]|$))|{_FLATS})|"
    rf"{_CALLED}{{1,8}}?(?:小区|花园|家园|公寓|新村|社区|公馆|[苑园府庭湾])(?= ?[0-9]{{1,3}}号)|"
    rf"{_CALLED}{{2,6}}[一壹]号{_CALLED}{{0,4}}(?=[0-9])|(?<=号)(?:商铺|底商|门面房?|铺面)|"
    rf"(?<=村){_CALLED}{{1,4}}组(?=[0-9])|"
    rf"{_NAME}{{1,10}}?(?:大厦|广场|花园|小区|公寓|家园|新村|社区|中心|大楼|国际|园区|产业园|科技园|创业园|工业园|"
    rf"软件园|写字楼|宿舍楼?|"
    rf"[苑园城庭府湾邸居轩阁楼院都郡墅])"
    rf"(?= ?(?:[0-9A-Za-z零一二三四五六七八九十东西南北]|$|[^\w]))))*"
    rf"(?:(?<![0-9]) ?[A-Z]?[1-9][0-9]{{1,4}}(?:-[0-9]{{1,5}})*(?![0-9年月日点时:.元块万千人个岁%]|-[0-9]))?"
)
_OPEN = re.compile(
    rf"(?:{_NAME}{{2,8}}?(?:街道|镇|乡))?{_NAME}{{1,8}}?(?:小区|花园|家园|公寓|新村|村|屯|庄|大道|大街|路|街|巷|胡同)"
)
_LABEL = re.compile(
    r"(?:地址|住址|住所|家住|居住|住在|住|户籍|籍贯|收货地|寄到|寄往|送到|送至|位于|address)[^\n。；]{0,6}$",
    re.IGNORECASE,
)
_STOP = re.compile(
    r"(?:地址|住址|住所|位于|坐落|房号|地点|场所|所在地|户籍地址?|居住地址?|取件|寄件|派件|换成|换到|搬到|搬去|搬至|寄到|寄往|寄至|送到|送至|送往|住在|家住|居住|现住|来到|来自|发往|"
    r"发到|前往|改为|改成|填写|"
    r"为(?!民)|是|在|到|于|至(?!善|诚|德)|往(?!流)|去|从|的|(?<![万丰嘉祥永泰兴融宏瑞康])和(?![平谐睦义顺静田硕龙县])|与|及|跟|叫|给|把|(?<!干)将|被|了|着|"
    r"请|您|你|我[家们]?|他[家们]?|"
    r"她[家们]?|它|这|那|住|:|,|;|收货|收件|联系人|货)"
)
# What begins with a town and stands behind a mark or a space: 塘厦镇红星村10组
_TOWN = re.compile(
    "(?![^镇乡道]{0,3}[城乡古小各全本该老集的这那]镇|[^乡]{0,3}[老各全本该城的]乡)"
    "[\u4e00-\u9fff]{2,4}(?:镇|乡|街道)(?! ?$)"
)
_COMPANY = re.compile("公司|集团|厂")
_PLACE_TAGS = frozenset(words("ns nr nz n nt j f b m eng x vn an a nrt nrfg ng i l s q zg z g"))


@cache
def _regions() -> tuple[frozenset[str], frozenset[str], int]:
    """Full names of all regions; short names of provinces and cities; the longest length."""
    names = table("regions")
    full = frozenset(word for words in names.values() for word in words)
    short = {
        re.sub(r"(?:省|市|自治区|壮族|回族|维吾尔|特别行政区)+$", "", w)
        for w in (*names["provinces"], *names["cities"])
    }
    return full, frozenset(w for w in short if len(w) >= 2), max(map(len, full))


@cache
def _region_heads() -> frozenset[str]:
    return frozenset(name[0] for name in _regions()[0])


def addresses(text: str) -> Iterator[Span]:
    """Spans of addresses; the text is folded."""
    done = 0
    found = [*_ANCHOR.finditer(text)]
    if _BUILT.search(text):
        found += _BUILDING.finditer(text)
    if "口" in text or "交汇" in text:
        found += _CROSSING.finditer(text)
    for match in sorted(found, key=re.Match.start):
        if match.start() < done:
            continue
        groups = match.groupdict()
        span = _around(text, match.start() + 1, match.end(), done, groups.get("unit") or "-")
        numbered = span is not None and ("number" in groups or span.end > match.end())
        if span is not None and (groups.get("unit") or (numbered and span.confidence > 0.9)):
            yield span
            done = span.end
    for match in _ROOM.finditer(text):
        end = match.end()
        span = _around(text, match.start() + 2, end, 0, "室")
        if span is not None and span.confidence > 0.7:
            yield span
    if _VILLAGE.search(text):
        yield from _unnumbered(text)


def _around(text: str, name_end: int, number_end: int, floor: int, unit: str) -> Span | None:
    start, levels = _start(text, name_end, floor)
    if start is None or name_end - start < 2 or (text[name_end - 1] == "同" and text[name_end - 2] != "胡"):
        return None
    end = number_end
    tail = _TAIL.match(text, number_end)
    if tail:
        end = tail.end()
    labelled = _LABEL.search(before(text, start)) is not None
    street = text[name_end - 1] in _STREET
    if unit in "期区甲乙" and end == number_end and (not levels or _COMPANY.search(text, start, name_end)):
        return None
    if levels or labelled:
        return Span(start, end, "CN_ADDRESS", 0.95)
    weak = unit in "层楼期区组队排门甲乙铺社" and end == number_end
    if not street and (weak or (end == number_end and unit in "号座房户")):
        return Span(start, end, "CN_ADDRESS", 0.4)
    return Span(start, end, "CN_ADDRESS", 0.6 if weak else 0.8)


def _start(text: str, name_end: int, floor: int) -> tuple[int | None, int]:
    """Where the address that runs up to `name_end` begins, and how many known regions stand at its head."""
    low = max(floor, name_end - 40)
    cut = low
    for i in range(name_end - 1, low - 1, -1):
        c = text[i]
        if not (c.isalnum() or c == "·" or (c == " " and i > low and _level_ends(text, low, i))):
            cut = i + 1
            break
    window = text[cut:name_end]
    found = _first_region(window)
    if found is not None:
        return cut + found[0], found[1]
    offset = max((stop.end() for stop in _STOP.finditer(window) if stop.end() <= len(window) - 2), default=0)
    if _TOWN.match(window, offset):
        return cut + offset, 1
    if offset and 2 <= len(window) - offset <= 7:
        return cut + offset, 0
    return _by_words(text, cut + offset, name_end), 0


def _level_ends(text: str, low: int, at: int) -> bool:
    """Whether a level of an address ends here, so that a space may stand behind: 江苏 徐州 沛县, 西丽街道 三元里."""
    if text[at - 1] in "省市区县州镇乡路国" or text[at - 2 : at] == "街道":
        return True
    _, short, _ = _regions()
    return any(text[max(low, at - size) : at] in short for size in (2, 3, 4))


def _first_region(window: str) -> tuple[int, int] | None:
    """Offset of the leftmost region name with nothing but an address behind it, and how many regions stand there."""
    heads = {stop.end() for stop in _STOP.finditer(window)} | {0}
    for i in range(len(window) - 1):
        if window[i] not in _region_heads():
            continue
        levels, end = 0, i
        short = i in heads or _is_province(window, i)
        while size := _region_size(window, end, short=short or levels > 0):
            levels, end = levels + 1, end + size
            end += window[end : end + 1] == " "
        stop = _STOP.search(window, end)
        if levels and (stop is None or stop.end() > len(window) - 2):
            return (i - 2 if window[max(0, i - 2) : i] == "中国" else i), levels
    return None


def _is_province(window: str, at: int) -> bool:
    """Whether a short name stands in front of another region's full one, as in 广西南宁市 and 广东深圳南山区."""
    size = _region_size(window, at, short=True)
    if not size:
        return False
    city = _region_size(window, at + size, short=True)
    full = _region_size(window, at + size, short=False)
    return full > 0 or (city > 0 and _region_size(window, at + size + city, short=False) > 0)


def region_length(address: str) -> int:
    """How many characters at the head of an address are region names (province, city, district)."""
    at = 0
    while size := _region_size(address, at, short=True):
        at += size
        at += address[at : at + 1] == " "
    return at


def _region_size(window: str, at: int, *, short: bool) -> int:
    """Length of the region name at `at`, 0 where none is; short names (深圳) where they cannot be part of a word."""
    full, abbreviated, longest = _regions()
    for size in range(min(longest, len(window) - at), 1, -1):
        word = window[at : at + size]
        if word in full or (short and word in abbreviated):
            return size
    return 0


def _by_words(text: str, low: int, name_end: int) -> int | None:
    """The start of the run of place-like words that ends at `name_end`."""
    words = segmenter().tag(text[low:name_end])
    start = name_end
    for word, tag in reversed(words):
        inside = (
            tag in _PLACE_TAGS or start == name_end or (len(word) == 1 and name_end - start < 2) or name_end - start < 2
        )
        if not inside or name_end - start >= 14:
            break
        start -= len(word)
    return start if name_end - start >= 2 else None


_VILLAGE = re.compile(
    r"[省市区县旗州](?:[\u4e00-\u9fff]{2,16}(?:[村屯庄]|小区|花园|家园|公寓|路|街|道|巷|胡同)|"
    r"[\w ]{1,24}[0-9A-Za-z](?:号楼|[栋幢座室]|单元))"
)
_LOOSE = re.compile(r"[\w \-]{1,20}?[0-9A-Za-z]{1,5}(?:号楼|[栋幢座室]|单元)")


def _unnumbered(text: str) -> Iterator[Span]:
    """Two regions and a street, estate or village without any number: 河南省太康县王集乡李庄村."""
    done = 0
    for found in _VILLAGE.finditer(text):
        for start in range(max(done, found.start() - 11), found.start()):
            if text[start] not in _region_heads():
                continue
            levels, end = 0, start
            while size := _region_size(text, end, short=False):
                levels, end = levels + 1, end + size
            match = _OPEN.match(text, end) if levels >= 2 else None
            loose = _LOOSE.match(text, end) if levels >= 2 else None
            if loose:
                tail = _TAIL.match(text, loose.end())
                done = tail.end() if tail else loose.end()
                yield Span(start, done, "CN_ADDRESS", 0.75)
                break
            if match and (text[match.end() - 1] in "村屯庄区园寓" or _LABEL.search(before(text, start))):
                yield Span(start, match.end(), "CN_ADDRESS", 0.7)
                done = match.end()
                break
