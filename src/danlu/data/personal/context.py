"""What stands around a candidate: folded characters, and labels that make it likelier or rule it out."""

from __future__ import annotations

import re

# Full-width forms and exotic dashes and spaces become ASCII, one character for one, so that offsets stay.
_FOLD = {chr(0xFF01 + i): chr(0x21 + i) for i in range(94)} | {
    c: a
    for a, chars in ((" ", "\u3000\u00a0\u2002\u2003\u2009\u202f"), ("-", "\u2010\u2011\u2012\u2013\u2014\u2212"))
    for c in chars
}
_FOLDABLE = re.compile("[\uff01-\uff5e\u3000\u00a0\u2002\u2003\u2009\u202f\u2010-\u2014\u2212]")
# The common ones by str.replace, which is ten times faster than translating a Chinese text.
_COMMON = (("，", ","), ("：", ":"), ("（", "("), ("）", ")"), ("！", "!"), ("？", "?"), ("；", ";"))

_GLUE = r"[号码]{0,2}\s?(?:is|was|no\.?|number|num|id)?\s?(?:是|为|[:#=])?\s?[\"'(#]?\s?$"
# A label of something that is a number and no person's: orders, parcels, versions, amounts, books.
_OTHER = re.compile(
    r"(?:订单|单|运单|快递|物流|流水|编|序列|版本|批次|货|型|工|学|票|凭证|合同|案|条码|条形码|追踪|跟踪|发票|商品|产品|设备|代码|房间|会议|"
    r"群|QQ|qq|Qq|金额|价格|总价|余额|时间戳|ISBN|ISSN|SKU|EAN|UPC|IMEI|DOI|\b(?:order|orders|tracking|invoice|ref|reference|"
    r"serial|ticket|case|version|ver|item|model|part|transaction|txn|parcel|batch|shipment|sku|timestamp|isbn|po|"
    r"build|revision|meeting|room|barcode|imei|ndc|upc|gtin|ean|vin|npi|lot|meter|policy|claim|docket|job|record|receipt|confirmation))"
    + _GLUE,
    re.IGNORECASE,
)
_MONEY_BEFORE = re.compile(r"[¥$€£￥]\s?$|(?:RMB|USD|CNY|EUR)\s?$", re.IGNORECASE)
_MONEY_AFTER = re.compile(r"\s?(?:元|万元|块|美元|港币|欧元|RMB|USD|dollars|yuan|EUR)", re.IGNORECASE)

PHONE_LABEL = re.compile(
    r"(?:电话|手机|座机|固话|传真|致电|拨打|来电|热线|联系方式|号码|[Tt]el|TEL|[Pp]hone|PHONE|[Mm]ob(?:ile|\.)|[Cc]ell|CELL|[Ll]andline|[Ff]ax|FAX|"
    r"[Cc]all(?:ed|ing)?|[Dd]ial|[Rr]each|[Cc]ontact|CONTACT|[Tt]ext|[Rr]ing|WhatsApp|whatsapp)[^0-9\n。，；]{0,16}$"
)
CARD_LABEL = re.compile(r"(?:卡|账|帐|card|account|acct)[^0-9\n。]{0,10}$", re.IGNORECASE)
ID_LABEL = re.compile(r"(?:身份证|证件|身份|(?<![A-Za-z])ID(?![A-Za-z]))[^0-9\n。]{0,10}$", re.IGNORECASE)
SSN_LABEL = re.compile(r"(?:SSN|SS#|social\s+security|社会安全|社安)[^0-9\n。]{0,24}$", re.IGNORECASE)
PASSPORT_LABEL = re.compile(r"(?:护照|passport)[^\n。；]{0,16}$", re.IGNORECASE)
IP_LABEL = re.compile(
    r"(?:IP|ip|地址|服务器|主机|登录|登陆|来自|访问|网关|节点|host|server|address|addr|from|ping|ssh|gateway|client|login|"
    r"node|proxy|DNS|dns|router|request|connect\w*|对端|端口|内网|公网)[^0-9\n]{0,12}$"
)
NO_IP_BEFORE = re.compile(
    r"(?:版本|版|升级到|升级至|更新到|更新至|回退到|回退至|回滚到|回滚至|降级到|降级至|固件|章节|章|节|条款|条|附录|[Vv]ersion|\b[Vv]er\.?|\b[Vv]\.?|[Rr]elease|[Bb]uild|[Ff]irmware|"
    r"[Ss]ection|[Ss]ec\.|[Cc]hapter|[Ff]igure|[Tt]able|[Cc]lause|[Uu]pgrade[d]?(?: to)?|[Uu]pdate[d]?(?: to)?|"
    r"[Rr]oll(?:ed)?[- ]?back(?: to)?|[Dd]owngrade[d]?(?: to)?|driver|"
    r"§|第|==|>=|<=|~=)\s?(?:号|为|是|to|is)?[\"']?\s?[:：=]?\s?[\"']?$"
)
NO_IP_AFTER = re.compile(r"\s?(?:节|章|条|版|版本|release|version|build)")


def folded(text: str) -> str:
    """The text with full-width letters, digits and dashes as ASCII; the same length."""
    if text.isascii():
        return text
    for wide, narrow in _COMMON:
        text = text.replace(wide, narrow)
    return _FOLDABLE.sub(lambda match: _FOLD[match.group()], text)


def before(text: str, start: int, size: int = 28) -> str:
    """What stands in front of a place, on the same line or not."""
    return text[max(0, start - size) : start]


def is_other_number(text: str, start: int, end: int) -> bool:
    """Whether a label or a currency says that the number here is an order, a version, an amount or the like."""
    head = before(text, start)
    return bool(_OTHER.search(head) or _MONEY_BEFORE.search(head) or _MONEY_AFTER.match(text, end))
