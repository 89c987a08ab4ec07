"""Write the starter data of `danlu init`: real customer reviews with a triage note. Usage: starter_data.py FILE."""

import argparse
import json
from pathlib import Path

from reviews import Review, choose_starter, read_reviews, rude_words

REPOSITORY = Path(__file__).resolve().parents[2]
SHIPPED = REPOSITORY / "src/danlu/pipeline/starter/reviews.jsonl"
ASK = {"zh": "请为这条顾客评价写一句分流意见：\n", "en": "Write a triage note for this customer review:\n"}
NOTE = {
    ("zh", True): "情感：正面。处理：致谢并归档。",
    ("zh", False): "情感：负面。处理：转人工客服跟进。",
    ("en", True): "Sentiment: positive. Action: thank the customer and file it.",
    ("en", False): "Sentiment: negative. Action: hand over to a person.",
}


def as_row(review: Review) -> dict[str, list[dict[str, str]]]:
    """One conversation; the review stays as it was typed, since cleaning it is the demonstration's job."""
    answer = NOTE[review.language, review.positive]
    return {
        "messages": [
            {"role": "user", "content": ASK[review.language] + review.text},
            {"role": "assistant", "content": answer},
        ]
    }


def main() -> None:
    """Build the file and say what is in it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=SHIPPED)
    parser.add_argument("--cache", type=Path, default=REPOSITORY / "build/seedling/packages")
    options = parser.parse_args()
    rows = [as_row(review) for review in choose_starter(read_reviews(options.cache), rude_words(options.cache))]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    options.file.parent.mkdir(parents=True, exist_ok=True)
    options.file.write_text("".join(line + "\n" for line in lines), "utf-8")
    print(f"{options.file}: {len(lines)} rows, {len(lines) - len(set(lines))} exact duplicates")


if __name__ == "__main__":
    main()
