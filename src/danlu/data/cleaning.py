"""How a row's texts are rewritten, and how its answers are judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from danlu.data.row import Dropped, Row
from danlu.models.messages import Message

Rewrite = Callable[[str], str]
# What is wrong with a text, as the end of a sentence about it ("is 3 words long, fewer than 5"); '' for a good one.
Judge = Callable[[str], str]


def rewrite_texts(row: Row, step: str, rewrite: Rewrite, roles: Iterable[str] | None = None) -> Row:
    """Apply `rewrite` to every text that a person wrote; the row itself comes back when nothing changed.

    Args:
        row: messages, the rejected answer and plain text are rewritten; tools, tool calls and metadata are not.
        step: name of the cleaner, for the books.
        rewrite: from text to text.
        roles: only of messages of these roles, and of plain text where they name 'text'; None: all.
    """
    messages = tuple(_rewritten(message, rewrite, roles) for message in row.messages)
    rejected = tuple(_rewritten(message, rewrite, roles) for message in row.rejected)
    text = rewrite(row.text) if row.text and (roles is None or "text" in roles) else row.text
    if messages == row.messages and text == row.text and rejected == row.rejected:
        return row
    return row.rewritten(step, messages=messages, text=text, rejected=rejected)


def _rewritten(message: Message, rewrite: Rewrite, roles: Iterable[str] | None) -> Message:
    if roles is not None and message["role"] not in roles:
        return message
    content = rewrite(message["content"])
    thought = message.get("reasoning_content")
    rethought = rewrite(thought) if thought else thought
    if content == message["content"] and rethought == thought:
        return message
    result = {**message, "content": content}
    if thought:
        result["reasoning_content"] = rethought
    return result


def judged_texts(row: Row) -> Iterator[tuple[str, str]]:
    """What filters judge, each with its name in a reason: the answers of a conversation, or the plain text.

    Thinking, tool calls, the rejected answer of a preference row (it may be bad on purpose) and the labels of a
    classification row are not judged.
    """
    if not row.messages:
        if row.text:
            yield "the text", row.text
        return
    if row.classified:
        return
    answers = [message["content"] for message in row.messages if message["role"] == "assistant"]
    for number, answer in enumerate(answers, start=1):
        if answer.strip():
            yield ("the answer" if len(answers) == 1 else f"answer {number}"), answer


def judge_rows(rows: Iterable[Row], step: str, judge: Judge) -> Iterator[Row | Dropped]:
    """Each row, or a Dropped where one of its judged texts is bad: one bad answer spoils the conversation."""
    for row in rows:
        for name, text in judged_texts(row):
            fault = judge(text)
            if fault:
                yield Dropped(row, step, f"{name} {fault}")
                break
        else:
            yield row
