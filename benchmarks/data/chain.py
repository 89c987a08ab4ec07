"""The whole data stage on many rows: rows per second and peak memory, step by step.

Usage: python benchmarks/data/chain.py [--rows 1000000] [--workers 2]

Rows are made from a seed: Chinese and English conversations of about 280 characters, 10 % near copies, 5 % exact
ones, one in ten with personal data. The stage runs in a process of its own, whose peak memory (with its workers') is
sampled from outside. Rendering uses the seedling's tokenizer.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from danlu.data.personal.tables import words

ZH = "我们今天讨论数据清洗保险合同贷款利率病人检查结果银行账户法律责任项目进度学校老师学生天气旅行城市发展技术问题方法"
EN = words(
    "the data cleaning of insurance contract loan rate patient result bank account law project school weather travel "
    "city method question answer report market"
)
PERSONAL = ("联系电话{}，谢谢", "邮箱 user{}@corp.cn 请查收", "call me at +1 415 555 {} please", "身份证在附件，手机{}")
RECIPE = """
name: chain
model: {{base: seedling}}
data:
  sources: [{{path: {path}}}]
  clean: [{{type: normalize}}, {{type: language}}, {{type: exact_duplicates}}, {{type: near_duplicates}}]
  redact: {{policy: pseudonym}}
  on_too_long: drop
  runner: {{type: local, workers: {workers}}}
"""


def sentence(rng: random.Random, chinese: bool) -> str:
    if chinese:
        return "".join(rng.choices(ZH, k=rng.randint(60, 160))) + "。"
    return " ".join(rng.choices(EN, k=rng.randint(25, 60))) + "."


def write_rows(path: Path, count: int) -> None:
    """Rows from a seed; copies are of the rows just before, as in logs."""
    rng = random.Random(7)
    recent: list[tuple[str, str]] = []
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            chance = rng.random()
            if recent and chance < 0.05:
                question, answer = rng.choice(recent)
            elif recent and chance < 0.15:
                question, answer = rng.choice(recent)
                cut = rng.randrange(len(answer) - 3)
                answer = answer[:cut] + answer[cut + 2 :]
            else:
                chinese = rng.random() < 0.5
                question, answer = sentence(rng, chinese), sentence(rng, chinese)
                if rng.random() < 0.1:
                    digits = f"138{rng.randrange(10**8):08d}"
                    answer += rng.choice(PERSONAL).format(digits if rng.random() < 0.7 else digits[-4:])
                recent = [*recent[-200:], (question, answer)]
            messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
            file.write(json.dumps({"messages": messages, "metadata": {"n": number}}, ensure_ascii=False) + "\n")


def peak_of(process: subprocess.Popen[str]) -> int:
    """Peak proportional memory of a process and its children, bytes, sampled four times a second."""
    peak = 0
    root = psutil.Process(process.pid)
    while process.poll() is None:
        total = 0
        for member in [root, *_children(root)]:
            try:
                total += member.memory_full_info().pss
            except (psutil.NoSuchProcess, psutil.AccessDenied, OSError):
                continue
        peak = max(peak, total)
        time.sleep(0.25)
    return peak


def _children(root: psutil.Process) -> list[psutil.Process]:
    try:
        return root.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_rows(folder / "rows.jsonl", given.rows)
        recipe = folder / "recipe.yaml"
        recipe.write_text(RECIPE.format(path=folder / "rows.jsonl", workers=given.workers), encoding="utf-8")
        command = [sys.executable, "-m", "danlu", "--workspace", str(folder / "ws"), "data", str(recipe)]
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        peak = peak_of(process)
        wall = time.perf_counter() - started
        print(process.communicate()[0])
        report = next((folder / "ws").rglob("report.json"))
        seconds = json.loads(report.read_text("utf-8"))["seconds"]
        size = (folder / "rows.jsonl").stat().st_size / 1e6
        print(f"{given.rows:,} rows ({size:,.0f} MB), {given.workers} workers: {wall:,.0f} s wall, ", end="")
        print(f"{given.rows / wall:,.0f} rows/s, peak memory {peak / 1e9:.2f} GB")
        for step, took in seconds.items():
            print(f"  {step:18} {took:8.1f} s")


if __name__ == "__main__":
    main()
