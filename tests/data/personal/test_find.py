"""Every kind found and not found: forms, edges, decoys; offsets are exact."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from danlu.data.personal import Span, find
from danlu.recipe.errors import UserError
from tests.data.personal.generate import documents

FOUND = [
    # text with the value in «», kind
    ("联系方式«13800138000»即可", "CN_MOBILE"),
    ("手机«138-0013-8000»。", "CN_MOBILE"),
    ("手机«138 0013 8000»。", "CN_MOBILE"),
    ("手机«１３８００１３８０００»吗", "CN_MOBILE"),
    ("拨打«+86 138 0013 8000»咨询", "CN_MOBILE"),
    ("（«+86-13912345678»）", "CN_MOBILE"),
    ("tel«13912345678»", "CN_MOBILE"),
    ("联系方式：«13912345678»／010-62770334", "CN_MOBILE"),
    ("家长«138-00138000»，微信同号", "CN_MOBILE"),
    ("打«138 001 38 000»就行", "CN_MOBILE"),
    ("打«138 001 380 00»就行", "CN_MOBILE"),
    ("座机«010-62770334»转告", "CN_LANDLINE"),
    ("电话«(0755)26778888»。", "CN_LANDLINE"),
    ("电话«０７５５－２６７７８８８８»。", "CN_LANDLINE"),
    ("总机«021-62770334转801»找我", "CN_LANDLINE"),
    ("call «+86-10-62770334» today", "CN_LANDLINE"),
    ("身份证«11010519491231002X»已核验", "CN_ID"),
    ("身份证«11010519491231002x»已核验", "CN_ID"),
    ("身份证«110105 19491231 002X»已核验", "CN_ID"),
    ("证件«１１０１０５１９４９１２３１００２Ｘ»号", "CN_ID"),
    ("老身份证号«110105491231002»", "CN_ID"),
    ("卡号«6222021234567890128»开户", "BANK_CARD"),
    ("卡号«6222 0212 3456 7890 128»开户", "BANK_CARD"),
    ("my card «4111 1111 1111 1111» was", "CREDIT_CARD"),
    ("用«378282246310005»付款", "CREDIT_CARD"),
    ("用«5555-5555-5555-4444»付款", "CREDIT_CARD"),
    ("税号«91110000600037341L»。", "CN_USCC"),
    ("护照«E12345678»丢了", "CN_PASSPORT"),
    ("护照号：«EA1234567»", "CN_PASSPORT"),
    ("车主«京A12345»请挪车", "CN_PLATE"),
    ("新能源«粤BD12345»充电", "CN_PLATE"),
    ("«沪A·1234Z»违停", "CN_PLATE"),
    ("我住在«北京市海淀区中关村大街27号»附近", "CN_ADDRESS"),
    ("寄到«海淀区中关村大街27号»", "CN_ADDRESS"),
    ("送到«广东省深圳市南山区深南大道10000号腾讯大厦35层»，谢谢", "CN_ADDRESS"),
    ("地址：«朝阳区建国路88号院3号楼2单元501室»", "CN_ADDRESS"),
    ("地址换成«江苏徐州云龙区铜山路923号院中海国际社区1幢2504室»。", "CN_ADDRESS"),
    ("住址«福建厦门思明区湖滨南路912号和平里小区5号702室»", "CN_ADDRESS"),
    ("账单邮寄地址：«重庆市渝北区龙华大道243号附6号»。", "CN_ADDRESS"),
    ("户籍地«解放南路838号机电厂家属院B座3楼D室»", "CN_ADDRESS"),
    ("老家是«福建省宁德市古田县大桥镇瑞岩村1社17号»", "CN_ADDRESS"),
    ("送到«内蒙古赤峰市敖汉旗四家子镇热水汤村第四村民小组»，", "CN_ADDRESS"),
    ("直接到«姑苏区干将东路107号院康乐小区12幢1104室»办理", "CN_ADDRESS"),
    ("位于«成都市武侯区玉林西路东方名城6-4-1105»的房产", "CN_ADDRESS"),
    ("同城急送：取件«丽景华庭1栋C座605»，找前台", "CN_ADDRESS"),
    ("送到«江苏 徐州 沛县 大屯街道 高新南一道487号金色家园B座902室»，", "CN_ADDRESS"),
    ("寄到«上海市徐汇区文三路与翠竹路交叉口保利香槟国际2-4-503»，收件人", "CN_ADDRESS"),
    ("'«塘厦镇红星村10组»'", "CN_ADDRESS"),
    ("通讯地址«成都市 武侯区 科华北路288号万和家园20号楼2单元803室»。", "CN_ADDRESS"),
    ("寄往«银川市金凤区正源南街651-12号商铺»。", "CN_ADDRESS"),
    ("«深圳南山区桃园路140号建业壹号城邦5号楼3单元1603室»，备注", "CN_ADDRESS"),
    ("所持«E 17680106»号普通护照已注销", "CN_PASSPORT"),
    ("统一社会信用代码«913502 03MA5C HUAH4G»，", "CN_USCC"),
    ("U盾密码还是«ntWLp3_6wUu3»，建议", "SECRET"),
    ("my mobile, «0917-868-9505», or", "PHONE"),
    ("The root password was changed this morning to «768HHQNmKhY$uy» (user par", "SECRET"),
    ("户籍地址«乌鲁木齐 天山区 中海国际社区A座2单元103室»。", "CN_ADDRESS"),
    ("租房：«昆明官渡区六甲街道长江路694号锦绣江南2栋1单元1903室»，", "CN_ADDRESS"),
    ('The root pw on the test box is "«Qplg#7787zn»" and', "SECRET"),
    ("提货人«610 102 1984 0605 0883»。", "CN_ID"),
    ("护照号码 «E 91150851»，", "CN_PASSPORT"),
    ("税号«91 420502 MA0E0U9Y7 F»，", "CN_USCC"),
    ("监控NVR地址：«2001:fa02:6939:3e72::9535»，", "IP"),
    ("昨天«王伟»去了上海", "CN_NAME"),
    ("联系人«德吉央宗»不变", "CN_NAME"),
    ("编剧«乌兰图雅» 摄影", "CN_NAME"),
    ("上诉人«阿苦伍各»因与", "CN_NAME"),
    ("获奖公示：«钱　莹»　刘美霞", "CN_NAME"),
    ("我叫«欧阳文华»，", "CN_NAME"),
    ("患者«买买提·艾力»诉头痛", "CN_NAME"),
    ("感谢«张小明»先生的支持", "CN_NAME"),
    ("姓名：«李 娜»\n", "CN_NAME"),
    ("邮箱«li.wei+a@mail.example.cn»收", "EMAIL"),
    ("write to «john_smith@foo-bar.co.uk».", "EMAIL"),
    ("call «+1 415 555 2671» now", "PHONE"),
    ("call «(415) 555-2671» now", "PHONE"),
    ("Tel: «(01752) 737807»", "PHONE"),
    ("my daughter, «01482 338540», or", "PHONE"),
    ("reach her on «06.69.88.65.82» or", "PHONE"),
    ("Contact: «03-7583-6449» / Tokyo", "PHONE"),
    ("dial «(11) 92240-5298» and ask", "PHONE"),
    ("ring «022-6065-4716», ask for the manager", "PHONE"),
    ("our Beijing office, «010-62770334», is closed", "CN_LANDLINE"),
    ("在伦敦打«+44 20 7946 0958»找我", "PHONE"),
    ("香港«+852 9123 4567»", "PHONE"),
    ("SSN «536-22-8145» on file", "SSN"),
    ("social security number «536228145»", "SSN"),
    ("IBAN «GB82 WEST 1234 5698 7654 32» please", "IBAN"),
    ("账户«DE89370400440532013000»汇款", "IBAN"),
    ("登录自«203.0.113.77»失败", "IP"),
    ("ssh root@«203.0.113.77» and then", "IP"),
    ("merged (duplicate phone «+44 20 7946 0958»)", "PHONE"),
    ("server «2001:db8::8a2e:370:7334» down", "IP"),
    ("I met «John Smith» there", "EN_NAME"),
    ("from «Mary-Jane O'Neil» to", "EN_NAME"),
    ("Dr. «Watson» called", "EN_NAME"),
    ("signed by «Smith, John» today", "EN_NAME"),
    ("«Maria de la Cruz» agreed", "EN_NAME"),
    ("PATIENT NAME: «LAURA SHEFFIELD»   SSN:", "EN_NAME"),
    ("VICTIM: «SINCLAIR, Catriona»   DOB 10/", "EN_NAME"),
    ("Employee: «Thorvaldsen, Ingrid»\nEmployee", "EN_NAME"),
    ("收件人«WANG WEIQIANG»。", "EN_NAME"),
    ("landlord «Liang Shuting» said", "EN_NAME"),
    ("We thank «Kieran Geraghty-McDermott» for", "EN_NAME"),
    ("call «(804) 781-3078 extension 6886» now", "PHONE"),
    ("his mobile, «94947 56299», is off", "PHONE"),
    ("the wifi password «3qs*PgC$i9F» is on a note", "SECRET"),
    ("初始口令«1GhaRmv7ZzOlz»，", "SECRET"),
    ("server «10.173.163.65»:8443 backup;", "IP"),
    ("key «AKIAIOSFODNN7EXAMPL2» leaked", "SECRET"),
    ("token «ghp_16C7e42F292c6912E7710c838347Ae178B4a»", "SECRET"),
    ("url postgres://app:«s3cr3tpw»@db.local/x", "SECRET"),
    ("密码：«Qwer!234»，请改", "SECRET"),
    ('api_key = "«9f8a7b6c5d4e3f2a1b0c»"', "SECRET"),
    ("Authorization: Bearer «mF_9.B5f-4.1JqM7pQ2x»", "SECRET"),
    ("SMTP_PASS='«Longjing@363»'  # 联系人", "SECRET"),
    ("redis-cli -h 10.0.0.5 -a «Willow-Domino-23» ping", "SECRET"),
    ("spring.datasource.password=«vwhZDXphdKfS»", "SECRET"),
    ("The wiki password was read out in the meeting («Blizzard_2019^7») and must go", "SECRET"),
    ("WiFi 密码换了，现在是 «dragon#3261»，", "SECRET"),
    ("PING «2001:0db8:cfdf:c644:2ccb:e2fd:7e68:55b6»: 56 data bytes", "IP"),
    ("«-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7\nabc=\n-----END RSA PRIVATE KEY-----» end", "SECRET"),
]


@pytest.mark.parametrize(("marked", "kind"), FOUND)
def test_a_value_is_found_with_exact_edges(marked: str, kind: str) -> None:
    start, end = marked.index("«"), marked.index("»") - 1
    text = marked.replace("«", "").replace("»", "")
    assert (start, end, kind) in [(s.start, s.end, s.kind) for s in find(text)]


LEFT = [
    "订单号202401011234567890已发货",
    "运单号SF1380013800012",
    "升级到版本1.2.3.4，重启",
    "running v10.20.30.40 of it",
    "npm i left-pad@1.20.3.4",
    "于2024-01-15 12:30:45完成，编号20240115123045",
    "时间戳1700000000123",
    "ISBN 978-7-111-54742-6",
    "金额12345678901元",
    "QQ群123456789",
    "身份证110105194912310021校验失败",  # wrong check character
    "卡号6222021234567890123无效",  # fails Luhn
    "数字91380013800012345里没有手机",
    "commit da39a3ee5e6b4b0d3255bfef95601890afd80709",
    "id 550e8400-e29b-41d4-a716-446655440000",
    "邮箱xxx@xxx，电话000-00000000",
    "客服400-820-8820",
    "not an SSN: 666-12-3456, 000-12-3456, 912-34-5678, 536-00-8145",
    "详见第1.2.3.4节",
    "loopback 127.0.0.1 and mask 255.255.255.0",
    "at 12:30:45 std::vector of 00:1A:2B:3C:4D:5E",
    "今天很高兴，马上周末，白天任何金融机构都开门",
    "王国的历史，方便的时候，张开双臂，常常下雨",
    "唐朝诗人李白和杜甫",
    "张家界、石家庄和黄山",
    "北京和上海都是城市",
    "New York and San Francisco love Machine Learning",
    "Happy Birthday from Morgan Stanley",
    "password: required, token: None, api_key = os.environ['KEY']",
    "install git@github.com:danlu/danlu.git and icon@2x.png",
    "API_KEY=your_api_key_here",
    "与旧主板不兼容，建议回退到 10.9.9.67。",
    '"version": "11.10.50.16"',
    "第2024052期开奖号码：01 08 10 15 18 19 + 09",
    "the winning numbers were 02 10 11 24 38 53",
    "卡号 4196 0930 5950 3461 应当返回 invalid",
    "长春北方光电有限公司中标智慧园区二期项目，工期29个月。",
    "会议号893-954-467，密码请问主持人。顺娩一活男婴，Apgar评分10-10-10。",
    "boarding pass: A12B34 at the gate",
    "a lost dog near 51 Ruby Lane, and 12 Prince George Terrace",
    "乌兰察布市和格桑花，巴图镇的扎西乡",
    "He paid with card 5287859289946926 at the counter",
    "发票代码055888735598，发票号码20657",
    "向阳路和建设路交叉口正在修地铁。",
    "the password field must be 8 characters long, the password policy says",
    "QUARTERLY REPORT AND TERMS OF SERVICE",
    "the year 2023-2024 costs $1,234,567.89",
]


@pytest.mark.parametrize("text", LEFT)
def test_what_only_looks_personal_is_left_alone(text: str) -> None:
    assert find(text) == []


def test_a_surname_before_a_title_is_a_name_without_the_title() -> None:
    assert [(s.start, s.end) for s in find("请问张先生在吗")] == [(2, 3)]


def test_a_text_without_a_trigger_holds_nothing() -> None:
    assert find("") == []
    assert find("nothing here at all") == []


def test_a_known_issuer_decides_the_kind_of_a_card() -> None:
    kinds = [find(f"card {number} ok")[0].kind for number in ("6217001234567890122", "4111111111111111")]
    assert kinds == ["BANK_CARD", "CREDIT_CARD"]


def test_no_name_is_looked_for_where_nobody_wants_it() -> None:
    text = "联系人：张桂芳，手机13912345678，or ask John Smith"
    assert [s.kind for s in find(text)] == ["CN_NAME", "CN_MOBILE", "EN_NAME"]
    assert [s.kind for s in find(text, names="off")] == ["CN_MOBILE"]


def test_names_must_be_rules_or_model() -> None:
    with pytest.raises(UserError, match="names is 'both'"):
        find("王伟", names="both")


def test_low_confidence_is_left_out_unless_asked_for() -> None:
    text = "订单编号13912345678"
    assert find(text) == []
    assert [s.kind for s in find(text, min_confidence=0.1)] == ["CN_MOBILE"]


_AROUND = st.text(alphabet="的了在，。：（）abc \n是啊!", max_size=12)


@settings(max_examples=150, deadline=None)
@given(_AROUND, st.integers(0, 10**8 - 1), _AROUND)
def test_offsets_are_exact_whatever_stands_around(left: str, number: int, right: str) -> None:
    value = f"139{number:08d}"
    if len(set(value[3:])) == 1:
        return
    text = f"{left}，{value}，{right}"
    mobiles = [text[s.start : s.end] for s in find(text) if s.kind == "CN_MOBILE"]
    assert mobiles == [value]


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="王伟李娜北京市路号0138X1-. :@/+()６（张三JohnSmith密码=key", max_size=60))
def test_spans_are_sorted_apart_and_inside(text: str) -> None:
    spans = find(text, min_confidence=0.0)
    assert all(isinstance(s, Span) and 0 <= s.start < s.end <= len(text) and 0 <= s.confidence <= 1 for s in spans)
    assert all(a.end <= b.start for a, b in itertools.pairwise(spans))


def test_generated_documents_are_the_same_for_a_seed() -> None:
    once, again = (documents(3, 5, language="zh", held_out=True) for _ in range(2))
    assert once == again
