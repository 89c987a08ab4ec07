"""The findings about a dataset in plain words, English or Chinese."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from danlu.pipeline.report.dataset_text import plain
from danlu.pipeline.report.numbers import count, percent
from danlu.recipe.language import tr

STEPS = {
    "read": ("reading", "读取"),
    "normalize": ("normalise", "规范化"),
    "html": ("HTML to text", "HTML 转文本"),
    "replace": ("replace", "正则替换"),
    "opencc": ("simplified/traditional", "简繁转换"),
    "length": ("length", "长度"),
    "repetition": ("repetition", "重复内容"),
    "symbols": ("symbols", "符号占比"),
    "truncated": ("truncated endings", "结尾截断"),
    "refusals": ("refusals", "拒答与套话"),
    "prompt_echo": ("prompt echo", "复述问题"),
    "language": ("language", "语言"),
    "exact_duplicates": ("exact duplicates", "完全重复"),
    "near_duplicates": ("near duplicates", "近似重复"),
    "semantic_duplicates": ("semantic duplicates", "语义重复"),
    "conflicts": ("conflicts", "答案冲突"),
    "label_errors": ("label errors", "疑似标注错误"),
    "redact": ("personal data", "个人信息"),
    "split": ("split", "划分"),
    "contamination": ("contamination", "评测污染"),
    "reference": ("match to reference", "对齐参考样本"),
    "augment": ("augmentation", "数据增强"),
    "render": ("rendering", "渲染"),
    "max_tokens": ("length limit", "长度上限"),
    "synonyms": ("synonyms", "同义词替换"),
    "reorder": ("reordering", "语序调整"),
    "paraphrase": ("paraphrase", "改写"),
    "back_translation": ("back-translation", "回译"),
}
KINDS = {
    "CN_MOBILE": ("Chinese mobile number", "手机号"),
    "CN_LANDLINE": ("Chinese landline", "固定电话"),
    "CN_ID": ("Chinese resident ID", "居民身份证号"),
    "BANK_CARD": ("bank card", "银行卡号"),
    "CN_USCC": ("Chinese company code", "统一社会信用代码"),
    "CN_PASSPORT": ("Chinese passport", "护照号"),
    "CN_PLATE": ("Chinese number plate", "车牌号"),
    "CN_ADDRESS": ("Chinese address", "地址"),
    "CN_NAME": ("Chinese name", "中文姓名"),
    "EMAIL": ("e-mail address", "电子邮箱"),
    "PHONE": ("phone number", "国际电话"),
    "SSN": ("US social security number", "美国社会安全号"),
    "IBAN": ("IBAN", "IBAN 账号"),
    "CREDIT_CARD": ("credit card", "信用卡号"),
    "IP": ("IP address", "IP 地址"),
    "EN_NAME": ("English name", "英文姓名"),
    "SECRET": ("password or key", "密码与密钥"),
}
POLICIES = {
    "pseudonym": ("replaced by a pseudonym", "替换为假名"),
    "tag": ("replaced by a tag", "替换为标签"),
    "mask": ("masked", "部分遮盖"),
    "drop_row": ("dropped with the row", "随整行丢弃"),
    "keep": ("kept in the data", "保留在数据中"),
}
LANGUAGES = {
    "zh": ("Chinese", "中文"),
    "en": ("English", "英文"),
    "ja": ("Japanese", "日文"),
    "ko": ("Korean", "韩文"),
    "mixed": ("mixed", "混合"),
    "other": ("other", "其他"),
    "und": ("undecided", "未定"),
    "": ("undecided", "未定"),
}
DIMENSIONS = {
    "length": ("length of the question", "问题长度"),
    "answer length": ("length of the answer", "回答长度"),
    "language": ("language", "语言"),
    "label": ("label", "标签"),
    "slice": ("user slice", "用户分组"),
    "topic": ("topic", "话题"),
    "wording": ("wording", "用词"),
}
ROLES = {
    "system": ("system", "系统"),
    "user": ("user", "用户"),
    "assistant": ("assistant", "助手"),
    "tool": ("tool", "工具"),
}
SPLITS = {"train": ("training", "训练集"), "validation": ("validation", "验证集"), "test": ("test", "测试集")}


def called(table: Mapping[str, tuple[str, str]], name: Any) -> str:
    """A name in the user's language; one that the table lacks stays what it is, without underscores."""
    key = str(name)
    return tr(*table[key]) if key in table else plain(key.replace("_", " "))


def headline(ledger: Mapping[str, Any]) -> str:
    """How many rows were read, and how many are in the data set."""
    read, fates = int(ledger.get("read", 0)), ledger.get("fates") or {}
    kept = sum(int(fates.get(fate, 0)) for fate in ("kept", "changed", "truncated"))
    added = int((ledger.get("children") or {}).get("added", 0))
    if not read:
        return tr("No rows were read.", "没有读入数据。")
    sentence = tr(
        f"Of {count(read)} rows read, {count(kept)} ({percent(kept / read)}) are in the data set.",
        f"读入 {count(read)} 行，其中 {count(kept)} 行（{percent(kept / read)}）进入数据集。",
    )
    if added:
        sentence += tr(f" {count(added)} more were made from training rows.", f"另由训练行增强得到 {count(added)} 行。")
    return sentence


def personal_sentence(personal: Mapping[str, Any], *, redacted: bool) -> str:
    """What was found of personal data, what became of it, and what is left."""
    if not redacted:
        return tr(
            "Personal data was not looked for: the recipe has no data.redact.",
            "未检查个人信息：配方中没有 data.redact。",
        )
    kinds = personal.get("kinds") or []
    total = sum(int(kind.get("found", 0)) for kind in kinds)
    if not total:
        found = tr("No personal data was found.", "未发现个人信息。")
        return found + _left_sentence(personal) + _names_sentence(personal)
    by_policy: Counter[str] = Counter()
    for kind in kinds:
        by_policy[str(kind.get("policy"))] += int(kind.get("found", 0))
    parts = [f"{count(amount)} {called(POLICIES, policy)}" for policy, amount in by_policy.most_common()]
    rows = count(int(personal.get("rows", 0)))
    return (
        tr(
            f"{count(total)} pieces of personal data were found in {rows} rows: {', '.join(parts)}.",
            f"在 {rows} 行中发现 {count(total)} 处个人信息：{'，'.join(parts)}。",
        )
        + _left_sentence(personal)
        + _names_sentence(personal)
    )  # fmt: skip


def _names_sentence(personal: Mapping[str, Any]) -> str:
    if personal.get("names") != "off":
        return ""
    return tr(
        " Names of persons were not looked for: the recipe has names: off.", "未检查人名：配方中设置了 names: off。"
    )


def _left_sentence(personal: Mapping[str, Any]) -> str:
    left = sum(int(amount) for amount in (personal.get("leftover") or {}).values())
    if left:
        return tr(
            f" A second scan of the result still finds {count(left)}.", f"对结果再次扫描仍发现 {count(left)} 处。"
        )
    return tr(" A second scan of the result finds nothing more.", "对结果再次扫描未再发现。")


def leak_sentence(leakage: Mapping[str, Any]) -> str:
    """Whether training rows and held-out rows were kept apart."""
    leaks = int(leakage.get("leaks", 0))
    if leaks:
        return tr(
            f"{count(leaks)} pairs of a training row and a held-out row are alike: scores on the held-out rows are "
            "too good.",
            f"有 {count(leaks)} 对训练行与留出行相同或相近：留出数据上的得分会偏高。",
        )
    return tr(
        "No training row is alike to a held-out row: 0 leaks.", "训练行与留出行之间没有相同或相近的内容：0 处泄漏。"
    )


def leak_method(leakage: Mapping[str, Any]) -> str:
    """How that was shown."""
    train, held_out = count(int(leakage.get("train", 0))), count(int(leakage.get("held_out", 0)))
    threshold = leakage.get("threshold")
    english, chinese = "", ""
    if threshold is not None:
        english = f", or texts at least {percent(threshold)} alike (Jaccard similarity of their character 5-grams)"
        chinese = f"，或文本相似度不低于 {percent(threshold)}（字符 5-gram 的 Jaccard 相似度）"
    return tr(
        f"After everything else was done, all {train} training rows were compared anew with all {held_out} held-out "
        f"rows: same question, same group{english}.",
        f"全部步骤完成后，将 {train} 条训练行与 {held_out} 条留出行重新比对：相同问题、相同分组{chinese}。",
    )


def dirty_sentence(items: int, dirty: int) -> str:
    """What a score on an evaluation set must be read with."""
    if not dirty:
        return tr(
            f"None of its {count(items)} items is repeated by a row read for training.",
            f"{count(items)} 条样本均未出现在训练数据中。",
        )
    share = percent(dirty / items, 1) if items else "100 %"
    return tr(
        f"{count(dirty)} of its {count(items)} items ({share}) are repeated by rows read for training.",
        f"{count(items)} 条样本中有 {count(dirty)} 条（{share}）出现在读入的训练数据中。",
    )


def not_compared_sentence(unusable: int, dropped: int = 0) -> str:
    """Rows of an evaluation set or a reference that were not compared; begins with a space, empty for none."""
    sentence = ""
    if unusable:
        sentence = tr(
            f" {count(unusable)} of its rows could not be used and were not compared.",
            f"另有 {count(unusable)} 行无法使用，未参与比较。",
        )
    if dropped:
        sentence += tr(
            f" {count(dropped)} of its rows were dropped by the steps that training rows went through.",
            f"另有 {count(dropped)} 行被训练行所经过的步骤剔除。",
        )
    return sentence


def repeating_rows(rows: int, *, dropped: bool) -> str:
    """What became of the training rows that repeat evaluation items."""
    if not rows:
        return ""
    if dropped:
        return tr(
            f"All {count(rows)} rows that repeat them were left out of the training split.",
            f"重复它们的 {count(rows)} 行已全部从训练集剔除。",
        )
    return tr(
        f"{count(rows)} rows that repeat them are in the training split: scores on these sets are too good.",
        f"仍有 {count(rows)} 行重复内容留在训练集中：这些评测集上的得分会偏高。",
    )


def drift_sentence(train: str, reference: str, differing: Sequence[str], *, tested: bool) -> str:
    """In which respects the training rows differ from the reference."""
    if not tested:
        return tr(
            f"Too few rows to compare: {train} for training, {reference} in the reference.",
            f"行数太少，无法比较：训练 {train} 行，参考样本 {reference} 行。",
        )
    if not differing:
        return tr(
            f"No clear difference between the {train} training rows and the {reference} rows of the reference.",
            f"{train} 条训练行与 {reference} 条参考行无明显差异。",
        )
    return tr(
        f"The {train} training rows differ from the {reference} rows of the reference in: {', '.join(differing)}.",
        f"{train} 条训练行与 {reference} 条参考行的差异在于：{'、'.join(differing)}。",
    )


def verdict(name: str) -> str:
    """A verdict of the comparison with the reference."""
    known = {"differs": ("differs", "有差异"), "too few rows": ("too few rows", "行数太少")}
    return tr(*known.get(name, ("no clear difference", "无明显差异")))
