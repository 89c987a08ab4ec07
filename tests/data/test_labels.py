"""Wrong labels: planted flips are found, and too little data is said to be too little."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from danlu.data.cleaners.label_errors import LabelErrors, _folds
from danlu.data.operators import MemoryCorpus, Verdict, features_of
from danlu.data.row import Row
from danlu.data.similarity.rowtext import keys
from danlu.recipe.cleaners import LabelErrorsCleaner

TOPICS = {
    "refund": "退款 钱 到账 银行卡 原路 返还 多久 金额 取消 支付",
    "delivery": "快递 物流 包裹 派送 地址 签收 发货 运费 仓库 延误",
    "account": "密码 登录 账号 注册 验证码 绑定 手机 邮箱 头像 注销",
}
NOISE = "请问 我 的 你们 怎么 可以 一下 今天 昨天 谢谢 麻烦 客服 问题 什么 时候 还 没有 为什么 帮忙 看看"


def labelled(number: int, text: str, *labels: str) -> Row:
    turns = ({"role": "user", "content": text}, {"role": "assistant", "content": "、".join(labels)})
    return Row(f"r:{number}", "r", number, messages=turns, labels=labels)


def data(seed: int, count: int, flipped: float) -> tuple[list[Row], set[int]]:
    rng = random.Random(seed)
    rows, wrong = [], set()
    for number in range(count):
        topic = rng.choice(sorted(TOPICS))
        words = rng.choices(TOPICS[topic].split(), k=3) + rng.choices(NOISE.split(), k=8)
        rng.shuffle(words)
        label = topic
        if rng.random() < flipped:
            wrong.add(number)
            label = rng.choice(sorted(set(TOPICS) - {topic}))
        rows.append(labelled(number, "".join(words), label))
    return rows, wrong


def judge(rows: list[Row], batch: int = 64, **fields: object) -> Verdict:
    cleaner = LabelErrors(LabelErrorsCleaner.model_validate({"type": "label_errors", **fields}))
    corpus = MemoryCorpus(rows, batch)
    return cleaner.decide(features_of(cleaner, corpus), corpus)


def test_planted_flips_are_found_and_ranked() -> None:
    rows, wrong = data(1, 900, 0.05)
    verdict = judge(rows, on_found="drop")
    found = set(verdict.dropped)
    assert len(found & wrong) / len(wrong) >= 0.95
    assert len(found & wrong) / len(found) >= 0.9
    issues = verdict.report["issues"]
    scores = [issue["score"] for issue in issues]
    assert scores == sorted(scores)
    for issue in issues:
        row = rows[int(issue["row"][2:])]
        assert issue["given"] == row.labels[0] != issue["suggested"]
    planted = [issue for issue in issues if int(issue["row"][2:]) in wrong]
    right = [issue["suggested"] for issue in planted if _topic(rows[int(issue["row"][2:])]) == issue["suggested"]]
    assert len(right) >= 0.95 * len(planted)
    counts = verdict.report["labels"]
    assert sum(label["rows"] for label in counts.values()) == verdict.report["checked"] == 900
    assert sum(label["suspected"] for label in counts.values()) == len(found) == verdict.report["suspected"]


def _topic(row: Row) -> str:
    return max(TOPICS, key=lambda topic: sum(row.question().count(word) for word in TOPICS[topic].split()))


def test_reports_by_default_without_dropping() -> None:
    rows, _ = data(2, 300, 0.05)
    quiet, loud = judge(rows), judge(rows, on_found="drop")
    assert not quiet.dropped and loud.dropped
    assert quiet.report == loud.report
    reason = next(iter(loud.dropped.values()))
    assert reason.startswith("labelled '") and ", probably '" in reason


def test_the_batches_do_not_matter() -> None:
    rows, _ = data(3, 200, 0.05)
    assert judge(rows, 1, on_found="drop") == judge(rows, 77, on_found="drop")


def test_larger_data_are_judged_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, wrong = data(4, 900, 0.05)
    monkeypatch.setattr("danlu.data.cleaners.label_errors._ROWS", 300)
    found = set(judge(rows, on_found="drop").dropped)
    assert len(found & wrong) / len(wrong) >= 0.9 and len(found & wrong) / len(found) >= 0.85


def test_copies_do_not_vouch_for_each_other() -> None:
    rows, _ = data(5, 400, 0)
    wrong = labelled(400, "密码登录账号注册验证码绑定", "refund")
    rows += [labelled(400 + number, wrong.question(), "refund") for number in range(6)]
    assert {row for row in judge(rows, on_found="drop").dropped if row >= 400} == set(range(400, 406))


def test_too_few_rows_are_reported_not_crashed_on() -> None:
    for rows in ([], [Row("t:1", "t", 1, text="no label")], [labelled(n, f"text {n}", "only") for n in range(50)]):
        report = judge(rows).report
        assert "fewer than two labels" in report["problem"] and report["checked"] == 0
    rows, _ = data(6, 300, 0)
    rows += [labelled(300 + number, f"稀有 {number}", "rare") for number in range(4)]
    rows += [labelled(304 + number, "同一句话", "copied") for number in range(30)]
    rows += [labelled(334, "两个标签", "refund", "account")]
    report = judge(rows).report
    assert report["too_few_rows"] == {"copied": 30, "rare": 4}
    assert report["checked"] == 300 and "problem" not in report
    json.dumps(report)


def test_folds_are_stratified_by_text() -> None:
    texts = keys([f"text {number // 2}" for number in range(200)])
    given = np.array([0] * 100 + [1] * 80 + [2] * 20)
    folds = _folds(texts, given, 5)
    assert (folds[::2] == folds[1::2]).all()
    for label, count in ((0, 20), (1, 16), (2, 4)):
        assert np.bincount(folds[given == label], minlength=5).tolist() == [count] * 5
    assert (_folds(texts[::-1].copy(), given[::-1].copy(), 5)[::-1] == folds).all()  # the order of rows does not matter
    assert (_folds(texts, given, 11)[given == 2] == -1).all()
