"""Names of several parts that spell another language: 买买提·艾力."""

from __future__ import annotations

import re
from collections.abc import Iterator

from danlu.data.personal.chinese_words import Words, is_known
from danlu.data.personal.spans import Span

_DOTTED = re.compile("[\u4e00-\u9fff]{1,8}(?:[·•・‧][\u4e00-\u9fff]{1,8}){1,3}")
# Characters that spell foreign and minority names; they bound a name with dots where words do not.
_SPELLING = frozenset(
    "卜甫阿艾安奥巴白拜保鲍贝比彼别宾波伯勃博布采查察达大戴丹道德登迪地第蒂丁东都杜多恩尔法凡菲费芬佛弗夫伏福盖甘高戈哥格葛根古"
    "瓜哈海罕汉豪赫黑亨洪胡华霍基吉加贾江杰金久卡凯坎康考科可克孔库夸拉莱赖兰朗劳乐勒雷黎里理利莉力丽连列烈林琳留柳龙卢鲁路露"
    "伦罗洛马玛迈麦曼芒毛梅门蒙孟米密明摩莫默姆木穆纳娜乃奈南瑙内尼宁纽农努诺欧帕派潘庞佩彭皮平珀普其齐奇恰钱乔切琴琼丘热仁日"
    "荣茹如儒瑞若萨塞赛桑瑟森沙莎山珊尚绍舍申圣施史士斯司松苏素孙索塔台泰坦汤唐陶特腾提替廷图土托娃瓦万旺威维卫魏温文翁沃乌武西"
    "希锡夏香肖谢辛雄休许雅亚延扬耶叶伊依宜易因印英尤约泽扎詹珍芝治朱兹卓佐买孜江提吐逊衣迪力卡热古丽娅措姆卓玛次仁平多吉丹增"
    "肯旦顿珠扎西才央金拉毛格桑桑杰嘉巴图额尔敦其木格娜仁托娅萨日朗苏乌兰呼那顺铁木真合买提江吾甫尔艾合肉孜依明努尔阿不都热"
    "汗义吾旺堆让央觉曲措宗嘎琼追强群培欧措朗贡布旦白仓决益坚赞琴高娃毕巴雅宝音孟达特额日斯纳满楞丽沙帕夏提荪瓦居吐洪曼班德哈祖叶江玉才桑"
)


def spelt_names(text: str, words: Words) -> Iterator[Span]:
    """Names of several parts, 买买提·艾力; ends stop at what spells no name, or before another word."""
    for match in _DOTTED.finditer(text):
        start, end = match.start(), match.end()
        dots = [i for i in range(start, end) if text[i] in "·•・‧"]
        left, right = dots[0], dots[-1] + 1
        while left > start and text[left - 1] in _SPELLING and (left == dots[0] or _spelt(words.end(left))):
            left -= 1
        while right < end and (
            _suhe(text, right) or (text[right] in _SPELLING and (right == dots[-1] + 1 or _spelt(words.start(right))))
        ):
            right += 1
        if left < dots[0] and right > dots[-1] + 1 and dots[0] - left + right - dots[-1] > 3:
            yield Span(left, right, "CN_NAME", 0.85)


def _suhe(text: str, at: int) -> bool:
    """The second half of 苏和 and 呼和, which elsewhere is a word that joins two names."""
    return text[at] == "和" and text[at - 1] in "苏呼"


def _spelt(word: str | None) -> bool:
    """Whether a word that begins or ends here may belong to a spelt name; None: the place is inside of a word."""
    return word is None or (word not in ("谢谢", "感谢") and (all(c in _SPELLING for c in word) or not is_known(word)))
