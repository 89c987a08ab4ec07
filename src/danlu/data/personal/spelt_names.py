"""Names that spell another language, their parts joined by dots or not: 买买提·艾力, 扎西顿珠, 乌兰图雅, 阿苦伍各."""

from __future__ import annotations

import re
from collections.abc import Iterator

from danlu.data.personal.chinese_words import Words, is_known
from danlu.data.personal.spans import Span
from danlu.data.personal.tables import words

_DOTTED = re.compile("[\u4e00-\u9fff]{1,8}(?:[·•・‧][\u4e00-\u9fff]{1,8}){1,3}")
# Characters that spell foreign and minority names; they bound a name with dots where words do not.
_SPELLING = frozenset(
    "卜甫阿艾安奥巴白拜保鲍贝比彼别宾波伯勃博布采查察达大戴丹道德登迪地第蒂丁东都杜多恩尔法凡菲费芬佛弗夫伏福盖甘高戈哥格葛根古"
    "瓜哈海罕汉豪赫黑亨洪胡华霍基吉加贾江杰金久卡凯坎康考科可克孔库夸拉莱赖兰朗劳乐勒雷黎里理利莉力丽连列烈林琳留柳龙卢鲁路露"
    "伦罗洛马玛迈麦曼芒毛梅门蒙孟米密明摩莫默姆木穆纳娜乃奈南瑙内尼宁纽农努诺欧帕派潘庞佩彭皮平珀普其齐奇恰钱乔切琴琼丘热仁日"
    "荣茹如儒瑞若萨塞赛桑瑟森沙莎山珊尚绍舍申圣施史士斯司松苏素孙索塔台泰坦汤唐陶特腾提替廷图土托娃瓦万旺威维卫魏温文翁沃乌武西"
    "希锡夏香肖谢辛雄休许雅亚延扬耶叶伊依宜易因印英尤约泽扎詹珍芝治朱兹卓佐买孜江提吐逊衣迪力卡热古丽娅措姆卓玛次仁平多吉丹增"
    "肯旦顿珠扎西才央金拉毛格桑桑杰嘉巴图额尔敦其木格娜仁托娅萨日朗苏乌兰呼那顺铁木真合买提江吾甫尔艾合肉孜依明努尔阿不都热"
    "汗义吾来且旺堆让央觉曲措宗嘎琼追强群培欧措朗贡布旦白仓决益坚赞琴高娃毕巴雅宝音孟达特额日斯纳满楞丽沙帕夏提荪瓦居吐洪曼班德哈祖叶江玉才桑仙"
)


# What Tibetan and Mongolian names are put together of: two parts, or one that nothing else is called
_TIBETAN = (
    "扎西|次仁|卓玛|格桑|梅朵|洛桑|平措|旦增|丹增|曲珍|德吉|央宗|央金|白玛|班玛|次旺|次央|索南|索朗|旺堆|旺姆|旺久|旺扎|顿珠|多吉|尼玛|"
    "达瓦|拉姆|拉珍|拉巴|仁青|仁增|边巴|普布|米玛|巴桑|曲宗|曲扎|桑珠|桑吉|加措|嘉措|贡布|才让|才旦|才仁|卓嘎|益西|措姆|坚赞|群培|群宗|"
    "强巴|土登|江村|江白|阿旺|昂旺|丹巴|洛珠|泽仁|泽翁|泽让|罗布|罗让|尕藏|尕让|东珠|央吉|玉珍|白珍|美朵|华旦|拉毛|德庆|德央|晋美|"
    "贡嘎|朗杰|朗加|赤列|云丹|白姆|卓尕|普赤|仓决|次珍|次巴|达娃|欧珠|觉旦"
)
_MONGOLIAN = (
    "乌兰|图雅|托娅|高娃|其木格|其其格|格日勒图|格日勒|格日乐|巴特尔|巴图|巴雅尔|宝音|朝鲁|呼格|吉勒图|吉乐图|额尔敦|阿拉坦|阿拉腾|乌力吉|孟和|萨仁|"
    "娜仁|斯琴|敖登|通拉嘎|牧仁|特木尔|哈斯|那顺|满都拉|满达|乌日娜|萨日娜|苏日娜|娜日苏|那日松|乌恩|其尔|吉日嘎拉|吉日格勒|阿古拉|恩和|"
    "青格勒|青格乐|道尔吉|斯日古楞|布仁|特古斯|苏德|毕力格|朝克图|朝格图|孟克|乌云|花日|珠拉|塔娜|海拉苏|苏和|呼和|查干|图门|白音|德力格尔|乌日汗"
)
_ALONE = frozenset(
    words(
        "其木格 其其格 格日勒 格日乐 巴特尔 额尔敦 通拉嘎 特木尔 满都拉 乌日娜 萨日娜 苏日娜 娜日苏 那日松 青格勒 "
        "道尔吉 毕力格 娜仁花"
    )
)
_WORDS = ("乌云", "呼和", "查干", "白音", "德力格尔")
"""What stands first in names of places and in sentences as well."""
_YI = (
    "(?:沙马|吉克|阿苦|俄木|马海|吉木|曲比|勒格|尔古|吉狄|罗洪|曲木|比曲|海来|阿尔|吉伙|的日|瓦扎|地木|吉日|阿侯|果基|石扎|阿余|莫色|俄底)"
    "[木且各呷牛惹扎日洛尔则果史布莫拉阿依子伍铁古哈卓沙作加机石土体]{2}"
)
# Each begins with a choice of plain words, which re looks for by their first characters
_JOINED = (
    re.compile(f"(?:{_TIBETAN})(?:{_TIBETAN})"),
    re.compile(f"(?:娜仁花|{_MONGOLIAN})(?:{_MONGOLIAN}){{0,2}}(?![木格日勒图雅浩特苏布仁其尔])"),
    re.compile(_YI),
)
# 乌兰察布市, 巴图镇, 格桑花, 白玛县: places, flowers
_NO_NAME_BEHIND = re.compile(
    "[市县旗盟镇乡村区州湖河山路寺花草店家]|苏木|嘎查|草原|公司|集团|酒店|宾馆|饭店|民宿|广场|机场|高原|水电站|景区|大街|旅游"
)


def is_joined(name: str) -> bool:
    """Whether a name is Tibetan, Mongolian or Yi and written without dots."""
    return any(pattern.fullmatch(name) for pattern in _JOINED)


def joined_names(text: str) -> Iterator[Span]:
    """Tibetan, Mongolian and Yi names without dots."""
    for match in (match for pattern in _JOINED for match in pattern.finditer(text)):
        name = match.group()
        known = len(name) > (4 if name.startswith(_WORDS) else 3) or name in _ALONE
        if known and not _NO_NAME_BEHIND.match(text, match.end()):
            yield Span(match.start(), match.end(), "CN_NAME", 0.85)


def spelt_names(text: str, cut: Words) -> Iterator[Span]:
    """Names of several parts, 买买提·艾力; ends stop at what spells no name, or before another word."""
    for match in _DOTTED.finditer(text):
        start, end = match.start(), match.end()
        dots = [i for i in range(start, end) if text[i] in "·•・‧"]
        left, right = dots[0], dots[-1] + 1
        while left > start and text[left - 1] in _SPELLING and (left == dots[0] or _spelt(cut.end(left))):
            left -= 1
        while right < end and (
            _suhe(text, right)
            or _PART.match(text, dots[-1] + 1, right + 1)
            or (text[right] in _SPELLING and (right == dots[-1] + 1 or _spelt(cut.start(right))))
        ):
            right += 1
        if left < dots[0] and right > dots[-1] + 1 and dots[0] - left + right - dots[-1] > 3:
            yield Span(left, right, "CN_NAME", 0.85)


_PART = re.compile("(?:艾力|依明|买买提|吐尔逊|玉素甫|亚森|库尔班|努尔兰|阿不都|吾甫尔|肉孜|艾合买提|依布拉音|热合曼)$")
"""What often stands behind the dot, whole even where its end and the next character are a word: 依明 | 说."""


def _suhe(text: str, at: int) -> bool:
    """The second half of 苏和 and 呼和, which elsewhere is a word that joins two names."""
    return text[at] == "和" and text[at - 1] in "苏呼"


def _spelt(word: str | None) -> bool:
    """Whether a word that begins or ends here may belong to a spelt name; None: the place is inside of a word."""
    return word is None or (word not in ("谢谢", "感谢") and (all(c in _SPELLING for c in word) or not is_known(word)))
