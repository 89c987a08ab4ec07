"""A realistic report.json of a dataset: bilingual support rows, every step in use."""

from __future__ import annotations

from typing import Any

LANGUAGES = [
    {"value": "zh", "rows": 5310, "train": 4501, "validation": 270, "test": 539},
    {"value": "en", "rows": 3704, "train": 3150, "validation": 176, "test": 378},
    {"value": "other", "rows": 96, "train": 88, "validation": 3, "test": 5},
]
LABELS = [
    {"value": "refund", "rows": 3011, "train": 2561, "validation": 150, "test": 300},
    {"value": "cancel 取消", "rows": 2680, "train": 2280, "validation": 131, "test": 269},
    {"value": "book", "rows": 2391, "train": 2022, "validation": 121, "test": 248},
    {"value": "complain", "rows": 1028, "train": 876, "validation": 47, "test": 105},
]


def _dimension(name: str, verdict: str, measures: list[tuple[str, float, float]], **details: Any) -> dict[str, Any]:
    return {
        "name": name,
        "train_rows": 7739,
        "reference_rows": 2000,
        "measures": [
            {"name": m, "value": value, "p": 0.005, "null_median": edge / 2, "null_95": edge}
            for m, value, edge in measures
        ],
        "p_adjusted": 0.035,
        "verdict": verdict,
        "details": details,
        "sentence": f"{name.capitalize()}: what the comparison says about it in words (p 0.005).",
    }


DRIFT: dict[str, Any] = {
    "train_rows": 7739,
    "reference_rows": 2000,
    "permutations": 200,
    "sampled": [7739, 2000],
    "sentences": ["Language: zh is 58 % of training rows and 81 % of the reference."],
    "dimensions": [
        _dimension(
            "length",
            "differs",
            [("kolmogorov_smirnov", 0.094, 0.034), ("psi", 0.061, 0.012), ("jensen_shannon", 0.011, 0.002)],
            bins=[
                {"to": 12, "train": 0.11, "reference": 0.07},
                {"to": 30, "train": 0.32, "reference": 0.28},
                {"to": 90, "train": 0.41, "reference": 0.40},
                {"to": 1200, "train": 0.16, "reference": 0.25},
            ],
        ),
        _dimension(
            "language",
            "differs",
            [("chi_squared", 402.1, 5.9), ("psi", 0.25, 0.004), ("jensen_shannon", 0.045, 0.001)],
            values=[
                {"value": "zh", "train": 0.58, "reference": 0.81},
                {"value": "en", "train": 0.41, "reference": 0.19},
            ],
        ),
        _dimension("label", "no clear difference", [("chi_squared", 4.1, 7.8), ("psi", 0.003, 0.006)]),
        _dimension("slice", "too few rows", []),
        _dimension(
            "wording",
            "differs",
            [("auc", 0.71, 0.523)],
            balanced_accuracy=0.66,
            ngrams=[
                {"ngram": "退款", "train": 0.21, "reference": 0.05, "z": 9.1},
                {"ngram": "voucher", "train": 0.02, "reference": 0.11, "z": -7.0},
            ],
        ),
    ],
}

FULL: dict[str, Any] = {
    "version": 1,
    "ledger": {
        "read": 12480,
        "fates": {"kept": 4388, "changed": 4299, "truncated": 31, "dropped": 3762},
        "steps": [
            {"step": "read", "in": 12480, "out": 12459, "changed": 0, "dropped": {"broken JSON": 14, "no answer": 7}},
            {"step": "normalize", "in": 12459, "out": 12459, "changed": 1820, "dropped": {}},
            {"step": "html", "in": 12459, "out": 12459, "changed": 611, "dropped": {}},
            {
                "step": "refusals",
                "in": 12459,
                "out": 12102,
                "changed": 0,
                "dropped": {"the answer refuses": 301, "the answer is boilerplate": 56},
            },
            {"step": "redact", "in": 12102, "out": 12098, "changed": 2410, "dropped": {"holds a SECRET": 4}},
            {
                "step": "exact_duplicates",
                "in": 12098,
                "out": 11010,
                "changed": 0,
                "dropped": {"same as an earlier row": 1088},
            },
            {
                "step": "near_duplicates",
                "in": 11010,
                "out": 9031,
                "changed": 0,
                "dropped": {f"near duplicate of tickets.jsonl:{n} (J=0.{80 + n % 20})": 1 for n in range(1979)},
            },
            {"step": "split", "in": 9031, "out": 9022, "changed": 0, "dropped": {"is tied to test and train": 9}},
            {
                "step": "contamination",
                "in": 9022,
                "out": 8801,
                "changed": 0,
                "dropped": {"repeats 92 % of the question of exam.jsonl 12": 221},
            },
            {"step": "augment", "in": 8801, "out": 9193, "changed": 0, "dropped": {}},
            {"step": "render", "in": 9193, "out": 9193, "changed": 0, "dropped": {}},
            {"step": "max_tokens", "in": 9193, "out": 9110, "changed": 0, "dropped": {"longer than 2048 tokens": 83}},
        ],
        "children": {"added": 392, "rejected": 121, "dropped": 0},
        "rejected": {"synonyms: changes a number": 52, "paraphrase: near duplicate of its parent": 69},
        "splits": {"train": 7739, "validation": 449, "test": 922},
        "tokens": {"total": 1812430, "learned": 761377, "histogram": [[50, 600], [100, 487]]},
    },
    "examples": {
        "normalize": [
            {
                "row_id": "tickets.jsonl:17",
                "before": "user: Re\u0301sume\u0301 \u200b about\u00a0order  #88 \u2026  \nassistant: Sure.",
                "after": "user: R\u00e9sum\u00e9  about order  #88 \u2026\nassistant: Sure.",
            },
            {"row_id": "tickets.jsonl:21", "before": "user: 你好\ufeff，！\t", "after": "user: 你好，！"},
        ],
        "html": [
            {
                "row_id": "mails.csv:3",
                "before": "user: <p>Where is my <b>refund</b>?</p>\nassistant: On its way, [EN_NAME].",
                "after": "user: Where is my refund?\nassistant: On its way, [EN_NAME].",
            }
        ],
        "refusals": [
            {
                "row_id": "tickets.jsonl:404",
                "reason": "the answer refuses",
                "before": "user: 请把我的订单取消，电话 [CN_MOBILE]\nassistant: 抱歉，我无法回答这个问题。",
            },
            {
                "row_id": "tickets.jsonl:977",
                "reason": "the answer is boilerplate",
                "before": "user: Can I change my address?\nassistant: As an AI language model, I cannot …",
            },
        ],
        "redact": [
            {
                "row_id": "tickets.jsonl:5001",
                "reason": "holds a SECRET",
                "before": "user: my key is [SECRET]\nassistant: Please do not share it.",
            }
        ],
    },
    "lengths": {
        "rows": 9110,
        "edges": [1, 2, 3, 5, 8, 12, 18, 27, 41, 62, 93, 140, 210, 315, 473, 709, 1064, 1596, 2048],
        "asked": [0, 0, 2, 40, 160, 420, 900, 1500, 1900, 1600, 1100, 700, 400, 220, 100, 50, 14, 4],
        "answered": [10, 80, 200, 400, 620, 900, 1200, 1500, 1400, 1100, 800, 500, 250, 100, 35, 10, 4, 1],
        "roles": [
            {
                "role": "user",
                "rows": 9110,
                "tokens": 610000,
                "median": 77,
                "histogram": [0, 0, 2, 40, 160, 420, 900, 1500, 1900, 1600, 1100, 700, 400, 220, 100, 50, 14, 4],
            },
            {
                "role": "assistant",
                "rows": 9110,
                "tokens": 640000,
                "median": 64,
                "histogram": [10, 80, 200, 400, 620, 900, 1200, 1500, 1400, 1100, 800, 500, 250, 100, 35, 10, 4, 1],
            },
            {"role": "tool", "rows": 0, "tokens": 0, "median": 0, "histogram": [0] * 18},
        ],
        "quantiles": {"50": 141, "90": 402, "95": 611, "99": 1307, "100": 2044},
        "limits": [
            {"limit": 256, "rows": 2011, "tokens": 310000},
            {"limit": 512, "rows": 640, "tokens": 120400},
            {"limit": 1024, "rows": 131, "tokens": 21000},
            {"limit": 2048, "rows": 0, "tokens": 0},
        ],
    },
    "languages": LANGUAGES,
    "labels": LABELS,
    "balance": [
        {
            "column": "language",
            "sentence": "Language: labels are not balanced: 'refund' is 41 % of zh and 22 % of en (χ² 88, p 0.001).",
            "measure": None,
            "verdict": "differs",
            "subgroups": [
                {
                    "name": "zh",
                    "rows": 4501,
                    "labels": {"refund": {"rows": 1845, "share": 0.41}, "book": {"rows": 2656, "share": 0.59}},
                },
                {
                    "name": "en",
                    "rows": 3150,
                    "labels": {"refund": {"rows": 693, "share": 0.22}, "book": {"rows": 2457, "share": 0.78}},
                },
            ],
        }
    ],
    "cleaning": [
        {"step": "exact_duplicates", "rows": 12098, "dropped": 1088},
        {
            "step": "near_duplicates",
            "threshold": 0.8,
            "rows": 11010,
            "pairs": 4310,
            "clusters": 914,
            "rows_in_clusters": 2893,
            "sizes": {"2": 640, "3": 151, "4": 60, "5": 33, "8": 20, "11": 9, "41": 1},
            "largest": [
                {"size": 41, "rows": [f"tickets.jsonl:{n}" for n in range(100, 141)]},
                {"size": 11, "rows": [f"mails.csv:{n}" for n in range(11)]},
            ],
            "similarity": {
                "edges": [0.8, 0.82, 0.84, 0.86, 0.88, 0.9, 0.92, 0.94, 0.96, 0.98, 1.0],
                "pairs": [210, 190, 230, 260, 310, 402, 500, 610, 700, 898],
            },
            "pairs_with_other_labels": 12,
            "pairs_with_other_answers": 71,
            "templates": 2,
            "duplicates": 1979,
        },
        {
            "step": "conflicts",
            "rows": 9031,
            "conflicts": 2,
            "rows_in_conflicts": 5,
            "largest": [
                {"size": 3, "answers": 2, "rows": ["tickets.jsonl:8", "tickets.jsonl:91", "mails.csv:2"]},
                {"size": 2, "answers": 2, "rows": ["tickets.jsonl:12", "mails.csv:77"]},
            ],
        },
        {
            "step": "label_errors",
            "rows": 9031,
            "checked": 8990,
            "suspected": 61,
            "too_few_rows": {"other": 3},
            "issues": [
                {"row": f"tickets.jsonl:{n}", "given": "book", "suggested": "cancel 取消", "score": 0.003 + n / 1000}
                for n in range(61)
            ],
            "labels": {"book": {"rows": 2391, "suspected": 49}, "cancel 取消": {"rows": 2680, "suspected": 12}},
        },
    ],
    "split": {"followed": 1204, "bridges": 9},
    "contamination": {
        "sets": {
            "/srv/secret/exam.jsonl": {
                "items": 300,
                "dirty": 14,
                "share": 0.0467,
                "examples": ["exam.jsonl:12", "exam.jsonl:44"],
            },
            "test split": {"items": 922, "dirty": 0, "share": 0.0, "examples": []},
        },
        "training_rows": 221,
        "dropped": True,
    },
    "augmentation": {
        "tried": 513,
        "made": 392,
        "steps": [
            {"step": "synonyms", "tried": 300, "made": 248, "rejected": {"changes a number": 52}},
            {"step": "paraphrase", "tried": 213, "made": 144, "rejected": {"near duplicate of its parent": 69}},
        ],
        "labels": {"refund": {"before": 2561, "after": 2561}, "complain": {"before": 484, "after": 876}},
        "balance": {"level": 2561, "missing": {"complain": 1685}, "reached": False},
    },
    "reference": {"before": DRIFT},
    "leakage": {"train": 7739, "held_out": 1371, "refused_children": 6, "threshold": 0.8, "leaks": 0},
    "personal_data": {
        "rows": 2414,
        "kinds": [
            {"kind": "CN_MOBILE", "policy": "pseudonym", "found": 1510},
            {"kind": "EN_NAME", "policy": "pseudonym", "found": 760},
            {"kind": "EMAIL", "policy": "mask", "found": 402},
            {"kind": "CN_ID", "policy": "tag", "found": 88},
            {"kind": "IP", "policy": "keep", "found": 31},
            {"kind": "SECRET", "policy": "drop_row", "found": 4},
        ],
        "leftover": {"EMAIL": 2},
    },
    "quarantine": {
        "rows": 21,
        "reasons": {"broken JSON": 14, "no answer": 7},
        "examples": [
            {"file": "tickets.jsonl", "line": 4410, "reason": "broken JSON", "raw": '{"messages": [{"role": "user", '},
        ],
    },
    "seconds": {
        "1-near_duplicates": 1.3,
        "augment": 64.0,
        "near_duplicates": 20.4,
        "read": 8.412,
        "split": 6.2,
        "render": 9.9,
    },
}

FACTS = {
    "dataset": "9f2c" * 16,
    "rendering": "77ab" * 16,
    "tickets.jsonl": "0d4e" * 16,
    "danlu": "0.3.0",
}
