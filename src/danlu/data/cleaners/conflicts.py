"""Conflicts: rows that ask the same and answer differently, or carry different labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import orjson

from danlu.data.operators import Corpus, Features, Verdict
from danlu.data.row import Row
from danlu.data.similarity.arrays import I64
from danlu.data.similarity.connecting import ids_of
from danlu.data.similarity.rowtext import answer_text, keys, label_keys
from danlu.recipe.cleaners import ConflictsCleaner

_LISTED, _LISTED_ROWS = 50, 50


class Conflicts:
    """The cleaner of `{type: conflicts}`: equal questions, compared without case, width and spaces.

    System prompts, tool descriptions and the thinking mode are part of the question: under another instruction another
    answer is right. Text rows ask nothing; labelled ones ask for their label.
    """

    def __init__(self, config: ConflictsCleaner) -> None:
        self.config = config

    def features(self, rows: Sequence[Row]) -> Features:
        """Keys of question, answer and labels, and whether the row asks anything."""
        return {
            "question": keys([_question(row) for row in rows]),
            "answer": keys([answer_text(row) for row in rows]),
            "labels": label_keys(rows),
            "asks": np.array([bool(row.messages or row.labels) for row in rows], np.bool_),
        }

    def decide(self, features: Features, corpus: Corpus) -> Verdict:
        """Groups with more than one answer, the largest first; all their rows go if the recipe says so."""
        groups = _groups(features) if len(corpus) else []
        names = ids_of(corpus, [int(row) for rows, _ in groups for row in rows])
        report = {
            "rows": len(corpus),
            "conflicts": len(groups),
            "rows_in_conflicts": len(names),
            "largest": [
                {
                    "size": len(rows),
                    "answers": int(answers.max()) + 1,
                    "rows": [names[int(row)] for row in rows[:_LISTED_ROWS]],
                }
                for rows, answers in groups[:_LISTED]
            ],
        }
        if self.config.on_found == "report":
            return Verdict(report=report)
        dropped = {}
        for rows, answers in groups:
            for row, answer in zip(rows.tolist(), answers.tolist(), strict=True):
                other = rows[int(np.argmax(answers != answer))]
                dropped[row] = f"asks the same as {names[int(other)]} and answers differently"
        return Verdict(dict(sorted(dropped.items())), report)


def _question(row: Row) -> str:
    tools = orjson.dumps(row.tools, option=orjson.OPT_SORT_KEYS).decode() if row.tools else ""
    turns = [f"{turn['role']}\ue000{turn['content']}" for turn in row.messages if turn["role"] != "assistant"]
    return "\ue000".join([str(row.thinking), tools, row.text, *turns])


def _groups(features: Features) -> list[tuple[I64, I64]]:
    """(rows, number of the answer of each, in order of appearance) of each conflict, by size, then by first row."""
    asking = np.flatnonzero(features["asks"])
    order = asking[np.argsort(features["question"][asking], kind="stable")]
    question = features["question"][order]
    starts = (
        np.flatnonzero(np.concatenate([[True], question[1:] != question[:-1]])) if len(order) else np.empty(0, np.int64)
    )
    groups = []
    for rows in np.split(order, starts)[1:]:
        if len(rows) > 1:
            said = np.stack([features["answer"][rows], features["labels"][rows]], axis=1)
            _, first, number = np.unique(said, axis=0, return_index=True, return_inverse=True)
            if len(first) > 1:
                groups.append((rows, np.argsort(np.argsort(first))[number.ravel()]))
    return sorted(groups, key=lambda group: (-len(group[0]), int(group[0][0])))
