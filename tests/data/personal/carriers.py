"""Sentences of the evaluation set: carriers of personal data (tuned on, held out), decoys and neutral ones."""

from __future__ import annotations

_ZH_TUNED = """
请联系{CN_NAME}，电话{CN_MOBILE}。
客户{CN_NAME}反映说明书有误，手机号码是{CN_MOBILE}，请尽快回访。
昨天{CN_NAME}和{CN_NAME}去了上海出差。
患者{CN_NAME}，身份证号{CN_ID}，主诉头痛三天。
姓名：{CN_NAME}，性别：男，证件号码：{CN_ID}。
收货地址：{CN_ADDRESS}，联系人{CN_NAME}，{CN_MOBILE}。
我叫{CN_NAME}，住在{CN_ADDRESS}，有事打我电话{CN_MOBILE}吧。
原告{CN_NAME}诉称，被告{CN_NAME}于2021年借款五万元未还。
公司座机{CN_LANDLINE}，传真{CN_LANDLINE}。
请把发票寄到{CN_ADDRESS}，谢谢。
工资卡号{BANK_CARD}（中国银行）已绑定。
我的信用卡{CREDIT_CARD}被盗刷了怎么办？
统一社会信用代码：{CN_USCC}，开户名称为北京某某科技有限公司。
护照号码{CN_PASSPORT}将于明年到期。
车牌{CN_PLATE}的车主请移车。
邮箱{EMAIL}收不到验证码。
登录IP为{IP}，请确认是否本人操作。
国外电话打{PHONE}可以找到我。
密码：{PASSWORD}，请及时修改。
密钥{SECRET}不小心提交到仓库了。
汇款至IBAN {IBAN}即可。
{SURNAME}经理说{CN_NAME}今天没来上班。
英文名是{EN_NAME}，护照上也这么写。
会议由{CN_NAME}主持，{CN_NAME}负责记录。
""".strip().split("\n")

_ZH_SECOND = """
麻烦转告{CN_NAME}老师，下午三点开会。
据{CN_NAME}介绍，项目已经完成验收。
{CN_NAME}的孩子今年上小学了，家里电话{CN_LANDLINE}。
我跟{CN_NAME}说过了，让他加{CN_MOBILE}这个微信同号。
投保人{CN_NAME}（{CN_ID}）于上月提交申请。
这单送到{CN_ADDRESS}放门卫就行，收件人{CN_NAME}。
老板让{CN_NAME}明天去北京，订票用{CN_ID}这个证件。
联系方式：{CN_MOBILE}／{CN_LANDLINE}，邮箱：{EMAIL}。
他家搬到{CN_ADDRESS}已经两年了。
退款打到{BANK_CARD}这张卡上，开户人{CN_NAME}。
用{CREDIT_CARD}付款失败，提示余额不足。
我司税号{CN_USCC}，开票请注明。
办签证要用到护照，号码是{CN_PASSPORT}，别写错。
昨晚{CN_PLATE}在路口闯红灯被拍了。
有问题发邮件给{EMAIL}或者打{CN_MOBILE}都行。
服务器{IP}上的日志显示异常登录。
紧急联系人是他姐姐{CN_NAME}，住{CN_ADDRESS}。
海外客服{PHONE}只在工作日接听。
数据库连接串是postgres://admin:{PASSWORD}@db.internal:5432/main，别外传。
新的token是{SECRET}，先用着。
欧洲账户{IBAN}已经开通。
感谢{CN_NAME}同学的帮助，也谢谢{CN_NAME}。
{CN_NAME}，男，汉族，身份证{CN_ID}，现住{CN_ADDRESS}。
外教{EN_NAME}下周回国，{SURNAME}女士去送。
证人{CN_NAME}当庭陈述了经过。
api_key="{TOKEN}"写死在代码里了。
""".strip().split("\n")

_EN_TUNED = """
Please contact {EN_NAME} at {PHONE} for details.
My name is {EN_NAME} and my email is {EMAIL}.
{EN_NAME} said the invoice was wrong.
Dr. {EN_NAME} will see you on Monday.
Her SSN is {SSN}, please keep it safe.
Charge my card {CREDIT_CARD} for the remaining balance.
Wire the money to {IBAN} before Friday.
The request came from {IP} last night.
I accidentally committed {SECRET} to the repo.
api_key = "{TOKEN}"
password: {PASSWORD}
Call me at {PHONE}, or write to {EMAIL}.
Customer: {EN_NAME}, phone: {PHONE}.
The meeting between {EN_NAME} and {EN_NAME} was moved to Tuesday.
Our Beijing office can be reached at {CN_LANDLINE} or {CN_MOBILE}.
Her resident ID is {CN_ID} and her passport is {CN_PASSPORT}.
""".strip().split("\n")

_EN_SECOND = """
We spoke with {EN_NAME} yesterday about the renewal.
Ticket opened by {EN_NAME} ({EMAIL}).
You can reach {EN_NAME} on {PHONE} after five.
According to {EN_NAME}, the shipment never arrived.
Social security number {SSN} belongs to {EN_NAME}.
Refund issued to the card ending up as {CREDIT_CARD} in our log.
My account number is {IBAN}, thanks.
Blocked {IP} after ten failed attempts.
Use {SECRET} as the credential for staging.
Connect with mysql://root:{PASSWORD}@10-db.internal/app please.
Authorization: Bearer {TOKEN}
Forward it to {EMAIL}; {EN_NAME} will reply.
Mr. {EN_NAME} called twice from {PHONE}.
My Chinese number is {CN_MOBILE} and the company code is {CN_USCC}.
Salary goes to {BANK_CARD}, the UnionPay one.
Thanks to {EN_NAME} for the quick answer.
""".strip().split("\n")

# Written after the last change to the engine's rules, and measured once: nothing was tuned on them.
_ZH_HELD = """
通知：{CN_NAME}、{CN_NAME}两位同志本周五值班。
我老公{CN_NAME}的手机换成{CN_MOBILE}了，旧号别打。
受害人{CN_NAME}报警称其银行卡（{BANK_CARD}）被盗刷。
房东叫{CN_NAME}，房子在{CN_ADDRESS}，月租三千。
订机票需要乘机人信息：{CN_NAME} {CN_ID}
{CN_NAME}在群里发了一条消息，随后{CN_NAME}回复了他。
前台电话（{CN_LANDLINE}）一直占线。
证件类型护照，证件号{CN_PASSPORT}，国籍中国。
把合同扫描件发到{EMAIL}，抄送{EMAIL}。
停车场记录显示{CN_PLATE}于八点入场。
供应商统一社会信用代码{CN_USCC}已通过审核。
我想查一下{CN_ID}这个人的社保缴纳情况。
美国那边的同事{EN_NAME}用{PHONE}联系我们。
扣款账户{CREDIT_CARD}，有效期到后年。
对方IBAN号码：{IBAN}，请核实后转账。
防火墙拦截了来自{IP}的请求。
我忘了密码，原来的密码是{PASSWORD}，现在登不上。
配置文件里写着{SECRET}，麻烦尽快吊销。
上门取件地址{CN_ADDRESS}，到了打{CN_MOBILE}。
本人{CN_NAME}，现申请退款至{BANK_CARD}。
听说{CN_NAME}升职了，恭喜{CN_NAME}！
主诉医师{CN_NAME}建议{CN_NAME}住院观察。
快递柜在{CN_ADDRESS}门口，取件找{SURNAME}师傅。
他儿子{CN_NAME}考上了大学，女儿{CN_NAME}还在读高中。
""".strip().split("\n")

_EN_HELD = """
Could you forward this to {EN_NAME}? His address is {EMAIL}.
The tenant, {EN_NAME}, has not paid since June.
Reservation under the name {EN_NAME}, callback {PHONE}.
As {EN_NAME} and {EN_NAME} both noted, the test was flaky.
The form lists SSN as {SSN} for the applicant.
I paid with {CREDIT_CARD} and never got a receipt.
Please update my IBAN to {IBAN} in your system.
Traffic from {IP} looks like a scraper.
The leaked credential was {SECRET}, now revoked.
SECRET_KEY={TOKEN}
Try redis://cache:{PASSWORD}@cache-host:6379 instead.
My mother {EN_NAME} can be called at {PHONE} in the mornings.
Cc {EMAIL} when you answer {EN_NAME}.
Her Shanghai mobile is {CN_MOBILE}.
Supplier code {CN_USCC}, payout card {BANK_CARD}.
It was {EN_NAME} who approved the order.
""".strip().split("\n")

CARRIERS = {
    ("zh", False): _ZH_TUNED + _ZH_SECOND,
    ("zh", True): _ZH_HELD,
    ("en", False): _EN_TUNED + _EN_SECOND,
    ("en", True): _EN_HELD,
}

DECOYS = {
    "zh": """
订单号{order}已经发货，运单号{tracking}。
软件已升级到版本{version}，修复了若干问题。
会议定于{date}召开，编号{stamp}。
时间戳{unix}对应昨天下午。
这本书的ISBN是{isbn}，定价{amount}元。
合同金额共计{amount}元，增值税另算。
证件号{badid}校验失败，请重新填写。
银行卡{badcard}不是有效的卡号。
流水号{long}请妥善保存。
提交记录{sha}引入了这个问题。
文件的MD5是{md5}，请核对。
请求编号{uuid}已记录。
QQ群{qq}欢迎加入。
去年营业额为{big}元，增长百分之八。
详见第3.2.1节和附录A.1.2。
他今天很高兴，马上要过周末了。
任何人都不得张开双臂阻挡金融机构工作人员。
白天温度很高，晚上常常下雨，应该带伞。
王国的历史和文化十分丰富，黄金时代持续了百年。
唐朝诗人李白和杜甫的作品广为流传。
北京和上海是中国最大的两个城市，广州、深圳紧随其后。
华为公司和阿里巴巴集团都在杭州设有研发中心。
张家界和黄山是著名的旅游景点，石家庄也不远。
联系邮箱xxx@xxx，电话000-00000000，仅为示例。
型号{model}的参数见官网。
高速公路全程限速，施工路段请减速慢行。
方案已经通过，时间安排在下个季度，成本由公司承担。
客服热线400-820-8820全天开通，报警请拨110。
订单编号{order11}不是手机号。
张江高科技园区和王府井大街都很热闹。
全国平均水平明显提高，任务完成情况良好，成绩突出。
""".strip().split("\n"),
    "en": """
Order {order} shipped with tracking {tracking}.
Upgrade to version {version} as soon as possible.
The timestamp {unix} is in milliseconds, and {stamp} is not a phone.
ISBN {isbn} costs {amount} dollars.
Invoice 2023-{big} totals {amount} USD.
The number {badssn} is not a valid SSN.
Commit {sha} broke the build.
Request {uuid} failed with checksum {md5}.
I moved from New York to San Francisco for Machine Learning.
Happy Birthday and Merry Christmas from the Customer Support Team!
The University of California and Stanford University signed the deal.
See Section 3.2.1 and Table 4 for the Random Forest results.
Morgan Stanley and Goldman Sachs raised their forecasts.
Amazon Web Services and Google Cloud Platform compete in Europe.
The Great Wall is longer than Central Park is wide.
My {model} stopped working in April.
Call our toll-free line 1-800-555-0199 or visit the Help Center.
Mark the date, Will you? May is a good month and June is better.
The card {badcard} was declined by the Payment Gateway.
Black Friday and Thanksgiving Day are Public Holidays in the United States.
""".strip().split("\n"),
}

NEUTRAL = {
    "zh": """
感谢您的耐心等待，我们会尽快处理您的问题。
请问这款产品支持七天无理由退货吗？
今天天气不错，适合出门散步。
系统升级期间服务可能会短暂中断，敬请谅解。
这个功能在设置页面可以找到，点击保存后立即生效。
如果还有其他疑问，欢迎随时咨询。
我觉得这部电影的剧情很紧凑，演员的表演也很自然。
学习编程需要多动手实践，不能只看书。
快递一般三到五天送达，偏远地区会慢一些。
明天下午两点在三楼会议室开会，请准时参加。
""".strip().split("\n"),
    "en": """
Thank you for your patience while we look into this.
The weather was nice, so we walked along the river.
Let me know if you have any other questions.
This feature can be found on the settings page.
We will process your request within three business days.
I think the film was well paced and the acting natural.
Learning to program takes a lot of practice.
The meeting room on the third floor is free after lunch.
""".strip().split("\n"),
}
