"""Garbage made of good answers, one kind for each filter, to measure what the filters cut."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from danlu.data.languages import script_language
from danlu.data.row import Row

REFUSALS_EN = """
As an AI language model, I cannot provide medical advice.
I'm sorry, but I can't assist with that request.
I'm sorry, but I cannot fulfill this request.
I apologize, but I am unable to help with that.
Sorry, I can't help you with this.
I cannot answer that question.
I can't do that.
I'm afraid I can't help with that.
As an artificial intelligence, I don't have personal opinions or feelings.
I am just an AI and I don't have the ability to browse the internet.
As a large language model trained by OpenAI, I do not have access to real-time data.
Unfortunately, I am not able to provide that information.
I must decline this request, as it goes against my guidelines.
It is not appropriate for me to discuss this topic.
I'm an AI assistant and I'm not able to express preferences.
I won't be able to help with that, as it violates my programming.
My apologies, but I'm not able to generate that kind of content.
I do not feel comfortable writing about this subject.
I don't think I can help with that request.
That's not something I can help with.
I am unable to comply with your request.
I have to respectfully decline to answer this question.
Sorry, but this request violates our content policy.
I regret to inform you that I cannot assist you with this matter.
As a responsible AI, I won't generate harmful content.
Thank you for your question, but I'm unable to provide legal advice.
I'm really sorry, but I'm not able to provide the help that you need.
No, I cannot write that for you.
I'd prefer not to continue this conversation.
I am programmed to be helpful, but I cannot create content of this kind.
Oh, I'm sorry. I'm only a language model, so I can't see or hear anything.
Being an AI, I lack the ability to experience emotions.
Apologies, but I can't provide instructions on how to do that.
I'm not able to engage in discussions of this kind.
I refuse to answer this question.
We're sorry, but we are unable to process this request.
It would be unethical for me to write this essay for you.
My programming prevents me from discussing political figures.
As a chatbot, I have no personal experiences to share.
I'm sorry, I'm not programmed to give financial advice.
I'm sorry, but that's not something I'm able to discuss.
I apologize for any inconvenience, but I cannot offer an opinion on this.
Sorry, I'm just a language model and can't do that.
As an AI developed by OpenAI, I am not able to make phone calls.
I don't have personal beliefs, as I am an AI.
I can't comply with that.
I'm unable to answer that.
Regrettably, I cannot share that kind of information.
I am an AI language model, so I don't have a favorite color.
I'm not able to help with this request.
I will not write that story.
This is not something that I can assist with.
It's against my policy to discuss illegal activities.
I do not have enough knowledge to answer this question.
Sorry! I can't give medical diagnoses.
I can not provide the answer to that.
I'm a text-based AI and cannot see images.
As a virtual assistant, I'm not able to taste food.
Your request cannot be fulfilled because it violates our usage policies.
I must refuse to answer this.
My apologies, I can't process that.
I'm afraid that I am not permitted to talk about that.
Unfortunately, this is beyond my capabilities.
As an AI model, I cannot form opinions.
I'm sorry, I am not able to generate inappropriate content.
I can't provide that information.
I cannot in good conscience help with this.
As an AI language model, I don't have the capability to access personal data.
I'm only an AI and have no emotions.
Apologies, I am unable to provide financial recommendations.
I'm sorry, but I'm not qualified to answer that.
I cannot engage in that conversation.
I really can't say anything about that topic.
Since I am an artificial intelligence, I cannot eat food.
That falls outside my capabilities.
I wouldn't be able to assist you with that.
I'm sorry, but your request goes against our community guidelines.
I don't feel comfortable answering that.
I'm not permitted to share this.
No, I'm not able to do that.
I'm sorry, I can't generate images.
As an AI, it is not possible for me to attend events.
We are unable to respond to this question.
I have to decline.
Sorry, as a language model I can't verify that.
I do not have the ability to see pictures.
I'm an AI, not a doctor, so I can't prescribe medicine.
I am afraid this request is inappropriate.
I cannot support or encourage harmful behavior.
"""

REFUSALS_ZH = """
抱歉，我无法回答这个问题。
对不起，我不能提供这方面的帮助。
很抱歉，我无法满足您的请求。
非常抱歉，作为一个人工智能语言模型，我不能提供医疗建议。
作为AI语言模型，我没有个人观点和情感。
作为一个人工智能助手，我无法访问互联网。
我是一个AI助手，无法执行这样的操作。
我只是一个语言模型，不具备实时查询信息的能力。
不好意思，我不能协助您完成这个任务。
我无法提供此类信息。
我不能回答这个问题。
恕我无法回答您的问题。
很遗憾，我无法为您生成这类内容。
十分抱歉，这个话题我不便讨论。
您的请求违反了我们的内容政策，我无法继续。
这个问题涉及敏感内容，我无法作答。
抱歉，您的问题超出了我的能力范围。
由于我是一个人工智能，我没有办法体验人类的情感。
身为人工智能助手，我不具有真实的身体，因此无法品尝食物。
对不起，我不会写这样的文章。
我没有权限访问您的个人信息。
抱歉，我们换个话题吧。
这个问题不适合讨论，请换一个问题。
作为一款智能助手，我不能对此发表评论。
我拒绝回答这类问题。
对不起，我没有能力处理图片。
真的很抱歉，我没办法帮您完成这件事。
作为聊天机器人，我不能替您做出这样的决定。
抱歉，根据相关法律法规，我不能提供这些内容。
我是由公司训练的大模型，无法查看实时新闻。
请原谅，我无法对政治人物进行评价。
我不便透露这些信息。
抱歉，我暂时无法回答你的问题。
该问题违反法律规定，无法回答。
作为一个虚拟助手，我不会有自己的喜好。
恐怕我不能帮你做这件事。
很抱歉，我不能参与这类讨论。
对不起，作为一个负责任的AI，我不能协助任何违法行为。
抱歉，我不具备这样的功能，不能为您播放音乐。
这超出了我的知识范围，我无法给出准确的答复。
对不起，我回答不了这个问题。
抱歉，这个问题我还不会。
很抱歉，我不能完成这项任务。
作为人工智能，我无法感受痛苦。
我是人工智能，没有感情。
不好意思，这个我帮不了你。
抱歉，我没有访问互联网的权限。
我不能为您提供法律建议。
非常遗憾，我无法完成您的要求。
对不起，您的问题包含敏感信息，我不能回答。
我只是一个人工智能程序，无法预测未来。
抱歉，我不能生成这样的内容。
我无法满足这个要求。
作为一个AI模型，我不具备个人喜好。
请理解，我不能参与此类讨论。
您好，我是AI助手，无法为您拨打电话。
抱歉哦，我还没有学会这个技能。
这个请求我无法执行。
作为大语言模型，我不能评价具体的个人。
很抱歉，该内容不符合平台规范，无法生成。
我没有能力为您订票。
由于我是AI，所以没有年龄。
抱歉，涉及隐私的信息我不能透露。
对此我不便发表评论。
对不起，这个问题我不能回答。
很抱歉，作为人工智能，我没有办法感知气味。
抱歉，我不能讨论这个话题。
我不能给出这样的建议。
作为一个AI，我没有家庭。
抱歉，您提出的问题我无法理解和回答。
我没有办法为您提供实时股价。
我是语言模型，不能上网。
对不起，我没法帮助你做这件事。
很抱歉，我不能编写恶意软件。
您的问题涉及违法内容，恕我不能提供帮助。
我无法确认这一信息的真实性。
不好意思，我暂不支持这个功能。
抱歉，我是文本模型，不能处理语音。
非常抱歉，无法提供您所需要的信息。
我很抱歉，但我不能满足这个请求。
这不在我的能力范围之内。
抱歉，此类内容不允许生成。
我不可以协助您作弊。
身为AI，我不能发表政治观点。
抱歉，这违反了我的使用规定。
我只是一个程序，没有意识。
我不便对此做出评价。
抱歉，目前我无法查看图片。
"""

# Written after the rules and never used to mend them: what the filter makes of phrases that it does not know.
UNSEEN_REFUSALS = """
I'm sorry, but I can't continue with this topic.
I am not able to provide a response to that.
Sorry, I am unable to create that image.
As an AI language model, I have no way of knowing your location.
I can't offer legal guidance.
I apologise, but I won't be writing that.
I'm an AI chatbot and do not have a body.
It's not something I can comment on.
Unfortunately, I do not have access to current news.
I must respectfully refuse your request.
I cannot recommend any illegal downloads.
As an AI, I am unable to cook.
Sorry, your question is not appropriate.
I'm afraid I can't answer this one.
I shouldn't help with that.
I am not in a position to judge this.
This goes against my ethical guidelines.
I'm sorry, I don't have any information on that.
对不起，我无法协助您做作业。
作为语言模型，我不能确定未来的走势。
很抱歉，这个问题超出了我的知识范围。
我无法访问您的文件。
抱歉，我不能为您写这封信。
我不会参与政治讨论。
抱歉，我没有相关的信息可以提供。
作为人工智能，我不能喝酒。
对不起，我无能为力。
我不能对未来做出预测。
我是一台机器，没有情绪。
不好意思，该请求涉及违规内容。
非常抱歉，我不能答应你的要求。
目前我还无法识别语音。
"""

FOREIGN = """
La photosynthèse est le processus par lequel les plantes utilisent la lumière du soleil pour fabriquer leur nourriture.
Die Hauptstadt von Frankreich ist Paris, und dort leben mehr als zwei Millionen Menschen in zwanzig Bezirken.
El agua hierve a cien grados al nivel del mar, pero en las montañas la temperatura es bastante más baja.
A água ferve a cem graus ao nível do mar, mas nas montanhas a temperatura de ebulição é bem mais baixa.
L'acqua bolle a cento gradi al livello del mare, ma in montagna la temperatura di ebollizione è più bassa.
Water kookt bij honderd graden op zeeniveau, maar in de bergen ligt het kookpunt een stuk lager dan aan de kust.
Вода кипит при ста градусах на уровне моря, а в горах температура кипения заметно ниже.
Вода кипить при ста градусах на рівні моря, а в горах температура кипіння помітно нижча.
水は海面では百度で沸騰しますが、山の上では気圧が低いため、もっと低い温度で沸騰します。
물은 해수면에서 백 도에 끓지만 산 위에서는 기압이 낮아서 더 낮은 온도에서 끓습니다.
يغلي الماء عند مئة درجة على مستوى سطح البحر، لكن درجة الغليان في الجبال أقل من ذلك بكثير.
น้ำเดือดที่หนึ่งร้อยองศาที่ระดับน้ำทะเล แต่บนภูเขาจุดเดือดจะต่ำกว่านั้นมาก
Nước sôi ở một trăm độ tại mực nước biển, nhưng trên núi nhiệt độ sôi thấp hơn khá nhiều.
Su deniz seviyesinde yüz derecede kaynar, ancak dağlarda kaynama noktası çok daha düşüktür.
Woda wrze w stu stopniach na poziomie morza, ale w górach temperatura wrzenia jest znacznie niższa.
Vatten kokar vid hundra grader vid havsnivån, men uppe i bergen är kokpunkten betydligt lägre.
समुद्र तल पर पानी सौ डिग्री पर उबलता है, लेकिन पहाड़ों पर क्वथनांक काफी कम होता है।
Το νερό βράζει στους εκατό βαθμούς στο επίπεδο της θάλασσας, αλλά στα βουνά βράζει σε χαμηλότερη θερμοκρασία.
המים רותחים במאה מעלות בגובה פני הים, אבל בהרים נקודת הרתיחה נמוכה יותר.
Air mendidih pada seratus derajat di permukaan laut, tetapi di pegunungan titik didihnya jauh lebih rendah.
Voda vře při sto stupních u hladiny moře, ale v horách je bod varu podstatně nižší než u moře.
A víz száz fokon forr a tengerszinten, de a hegyekben a forráspont jóval alacsonyabb.
Apa fierbe la o sută de grade la nivelul mării, dar la munte punctul de fierbere este mult mai scăzut.
آب در سطح دریا در صد درجه می‌جوشد، اما در کوه‌ها نقطهٔ جوش بسیار پایین‌تر است.
"""

_SOUP = "@#$%^&*()_+-=[]{}|;:,.<>?/~`!§¶†‡•◆■□▲△○●★☆※→←↑↓¤¥€£¢¬¦"
_SENTENCE = re.compile(r"[^。！？.!?\n]+[。！？.!?]")


def kinds(language: str) -> dict[str, Callable[[Row, random.Random], Row | None]]:
    """Kind of garbage -> how a good row becomes garbage of it (None: this row does not lend itself to it)."""
    phrases = [line for line in (REFUSALS_ZH if language == "zh" else REFUSALS_EN).split("\n") if line]
    foreign = [line for line in FOREIGN.split("\n") if line]
    return {
        "repeated lines": _repeated_lines,
        "looping": _looping,
        "symbols": lambda row, chance: answering(row, "".join(chance.choices(_SOUP, k=chance.randint(40, 300)))),
        "mojibake": _mojibake,
        "truncated": _truncated,
        "refusals": lambda row, chance: answering(row, chance.choice(phrases)),
        "prompt echo": _echo,
        "language": lambda row, chance: answering(row, chance.choice(foreign)),
    }


FILTER_OF = {
    "repeated lines": "repetition",
    "looping": "repetition",
    "symbols": "symbols",
    "mojibake": "symbols",
    "truncated": "truncated",
    "refusals": "refusals",
    "prompt echo": "prompt_echo",
    "language": "language",
}


def plant(rows: list[Row], language: str, kind: str, seed: int = 17) -> list[Row]:
    """Garbage of one kind, from as many of the rows as lend themselves to it."""
    chance = random.Random(seed)
    made = (kinds(language)[kind](row, chance) for row in rows)
    return [row for row in made if row is not None]


def answering(row: Row, answer: str) -> Row:
    """The row with another last answer."""
    return Row(row.id, row.file, row.line, messages=(*row.messages[:-1], {"role": "assistant", "content": answer}))


def _repeated_lines(row: Row, chance: random.Random) -> Row | None:
    sentences = [found.strip() for found in _SENTENCE.findall(row.answer()) if len(found.strip()) >= 8]
    if not sentences:
        return None
    return answering(row, "\n".join([chance.choice(sentences)] * chance.randint(6, 20)))


def _looping(row: Row, chance: random.Random) -> Row | None:
    """A good beginning, then a few words again and again, as a model that got stuck writes."""
    answer = row.answer().replace("\n", " ")
    if answer.isascii():
        words = answer.split()
        if len(words) < 12:
            return None
        loop = words[-chance.randint(2, 9) :]
        return answering(row, " ".join([*words, *loop * (2 * len(words) // len(loop) + 8)]))
    if len(answer) < 20:
        return None
    loop_text = answer[-chance.randint(4, 15) :]
    return answering(row, answer + loop_text * (2 * len(answer) // len(loop_text) + 8))


def _mojibake(row: Row, chance: random.Random) -> Row | None:
    answer = row.answer()
    ways: list[Callable[[str], str]] = [
        lambda text: text.encode().decode("cp1252", "replace"),
        lambda text: text.encode().decode("latin-1"),
    ]
    if script_language(answer) == "zh":
        ways += [
            lambda text: text.encode().decode("gbk", "replace"),
            lambda text: text.encode("gbk", "replace").decode("latin-1"),
            lambda text: text.encode("gbk", "replace").decode("utf-8", "replace"),
            lambda text: "锟斤拷" * (len(text) // 3 + 2),
        ]
    else:
        answer = answer.replace("'", "’").replace(' "', " “").replace('"', "”").replace(" - ", " — ")
    if answer.isascii() or len(answer) < 15:
        return None
    return answering(row, chance.choice(ways)(answer))


def _truncated(row: Row, chance: random.Random) -> Row | None:
    """Prose cut in the middle of a sentence, in the middle of what a long answer says."""
    answer = row.answer()
    least = 75 if script_language(answer) == "zh" else 220
    if "```" in answer or "|" in answer:
        return None
    sentences = [found for found in _SENTENCE.finditer(answer) if found.start() + 6 > least and len(found[0]) > 20]
    if not sentences:
        return None
    sentence = chance.choice(sentences)
    cut = chance.randint(sentence.start() + 6, sentence.end() - 5)
    if not (answer[cut - 1].isalpha() and answer[cut].isalpha()):
        return None
    return answering(row, answer[:cut])


def _echo(row: Row, chance: random.Random) -> Row | None:
    question = row.question().strip()
    if len(question) < (12 if not question.isascii() else 25):
        return None
    ways = [question, question.upper(), f"{question}\n", f"Question: {question}" if len(question) > 120 else question]
    return answering(row, chance.choice(ways))
