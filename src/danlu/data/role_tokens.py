"""How many tokens of a row are whose: system, user, assistant and tool, read off the marks that the template writes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from danlu.models.chat import ChatRenderer, Sample

ROLES = ("system", "user", "assistant", "tool")
_START, _ANSWER_OF_A_TOOL = "<|im_start|>", "<tool_response>"


def role_tokens(samples: Iterable[Sample], renderer: ChatRenderer) -> tuple[int, ...]:
    """Tokens of each of ROLES in all samples of a row, the template's marks counted with the turn that they begin.

    What a template writes without such marks, and a plain text, is the assistant's where it is learned and else the
    user's. Marks in contents are no tokens, so that nobody can pretend to be another.
    """
    found = dict.fromkeys(ROLES, 0)
    start, roles, answer = _marks(renderer)
    for sample in samples:
        ids = sample.input_ids
        turns = [i for i, token in enumerate(ids) if token == start]
        if not turns:
            found["assistant"] += sample.learned
            found["user"] += len(ids) - sample.learned
            continue
        for begin, end in zip([0, *turns[1:]], [*turns[1:], len(ids)], strict=True):
            at = turns[0] if begin == 0 else begin
            role = roles.get(ids[at + 1] if at + 1 < end else -1, "user")
            found["tool" if role == "user" and answer in ids[at + 2 : at + 5] else role] += end - begin
    return tuple(found.values())


@cache
def _marks(renderer: ChatRenderer) -> tuple[int, dict[int, str], int]:
    """The token that begins a turn, the roles by the token behind it, and the token that begins a tool's answer."""
    tokenizer = renderer.tokenizer
    known = tokenizer.get_vocab()
    first = {role: tokenizer(role, add_special_tokens=False)["input_ids"][0] for role in ROLES}
    return known.get(_START, -1), {token: role for role, token in first.items()}, known.get(_ANSWER_OF_A_TOOL, -1)
