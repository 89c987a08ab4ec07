"""The one place where a conversation becomes tokens, for training, evaluation and serving alike.

`encode_prompt` gives what the server sends to the model. A training sample is built from it: the prompt of a turn,
then the completion that the model would have had to produce. So the three cannot drift apart, and the loss mask is a
by-product. Text of users never becomes a control token, whatever it contains.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from danlu.models.messages import THINK_END, THINK_START, Message, normalise_messages
from danlu.recipe.errors import UserError

RENDERING_VERSION = 4
"""Counted up when this file changes what it renders; part of the rendering hash and of every dataset's key."""

# Unicode noncharacters: never in interchanged text, so one of them can mark user text inside a rendered template
_MARKS = [chr(code) for code in range(0xFDD0, 0xFDF0)]


class RenderingProblem(ValueError):
    """A conversation that this model's chat template does not render as prompt plus completion."""


@dataclass(frozen=True)
class Sample:
    """One training sequence.

    Attributes:
        input_ids: token ids [T].
        spans: half-open ranges of positions whose tokens are learned, in order.
        turns: index in the conversation of the message behind each span.
    """

    input_ids: list[int]
    spans: list[tuple[int, int]]
    turns: list[int]

    @property
    def learned(self) -> int:
        """Number of tokens that carry a loss."""
        return sum(end - start for start, end in self.spans)


class ChatRenderer:
    """Turns conversations into tokens with a tokenizer and its chat template.

    Not thread-safe: transformers keeps whether special tokens are split as state of the tokenizer, so two threads that
    encode at once can turn a user's text into a control token (seen once in about 100,000 calls).
    """

    def __init__(self, tokenizer: Any) -> None:
        if not getattr(tokenizer, "chat_template", None):
            raise UserError(
                "the tokenizer has no chat template, so a conversation cannot be rendered",
                where=str(getattr(tokenizer, "name_or_path", "")),
                fix="use an instruct model, or add chat_template.jinja to the model's folder",
            )
        if tokenizer.eos_token_id is None:
            raise UserError("the tokenizer has no end-of-turn token", fix="set 'eos_token' in tokenizer_config.json")
        self.tokenizer = tokenizer
        # A template that does not know the key would drop the thinking without a word
        self._renders_thinking = "reasoning_content" in str(tokenizer.chat_template)
        self.eos_id = int(tokenizer.eos_token_id)
        self.pad_id = int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else self.eos_id)
        added = tokenizer.added_tokens_decoder.items()
        ends = [int(index) for index, token in added if str(token) == "<|endoftext|>"]
        self.document_end_id = ends[0] if ends else self.eos_id
        self._special = {str(token): int(index) for index, token in added if token.special}
        self._control = self._special | {str(token): int(index) for index, token in added if self._is_control(token)}
        self._direct = _direct(tokenizer)
        self._split = re.compile(
            "(" + "|".join(re.escape(t) for t in sorted(self._control, key=len, reverse=True)) + ")"
        )
        # Where the text of a control token is cut that the tokenizer would read as itself wherever it stands
        apart = [f"(?<={re.escape(t[0])})(?={re.escape(t[1:])})" for t in self._control if t not in self._special]
        self._cut = re.compile("|".join(apart)) if apart else None

    def _is_control(self, token: Any) -> bool:
        """Whether an added token that is not special stands for something: a tag that the template writes, or <|x|>.

        Others are words that somebody added to the vocabulary.
        """
        text = str(token)
        return len(text) > 1 and (
            text in str(self.tokenizer.chat_template) or (text.startswith("<|") and text.endswith("|>"))
        )

    # -- what everything else calls ------------------------------------------------------------------------------

    def encode_prompt(
        self, messages: Sequence[Message], *, thinking: bool = False, tools: list[dict[str, Any]] | None = None
    ) -> list[int]:
        """Token ids of everything the model sees before it answers.

        Args:
            messages: the conversation so far (see `normalise_messages`).
            thinking: whether the model may think first; ignored by templates without that switch.
            tools: OpenAI tool descriptions.

        Raises:
            MessageProblem, RenderingProblem: the conversation cannot be rendered; the reason is in the message.
        """
        clean = normalise_messages(messages)
        mark = self._mark_for(clean, tools)
        return self._encode(self._render(clean, tools, thinking, mark, prompt=True), mark)

    def encode_turn(
        self,
        messages: Sequence[Message],
        turn: int,
        *,
        thinking: bool | None = None,
        tools: list[dict[str, Any]] | None = None,
    ) -> tuple[list[int], list[int]]:
        """(prompt ids, completion ids) of the assistant message at index `turn`; the completion ends with end-of-turn.

        `thinking` defaults to whether that message has reasoning.
        """
        return self._turn(normalise_messages(messages), turn, thinking, tools)

    def _turn(
        self, clean: list[Message], turn: int, thinking: bool | None, tools: list[dict[str, Any]] | None
    ) -> tuple[list[int], list[int]]:
        answer = clean[turn]
        if answer["role"] != "assistant":
            raise RenderingProblem(f"messages[{turn}] is not an assistant message")
        think = bool(answer.get("reasoning_content")) if thinking is None else thinking
        mark = self._mark_for(clean, tools)
        prompt = self._render(clean[:turn], tools, think, mark, prompt=True)
        full = self._render(clean[: turn + 1], tools, think, mark, prompt=False)
        if not full.startswith(prompt):
            raise RenderingProblem(
                f"messages[{turn}]: the chat template does not render this answer as a continuation of its prompt"
            )
        completion = self._encode(full[len(prompt) :], mark)
        return self._encode(prompt, mark), self._ended(completion, turn)

    def samples(
        self,
        messages: Sequence[Message],
        *,
        thinking: bool | None = None,
        tools: list[dict[str, Any]] | None = None,
        enough: int | None = None,
    ) -> list[Sample]:
        """Training samples of a conversation: every assistant turn is learned.

        Two turns share a sample exactly when the later prompt begins with the earlier prompt and completion, token
        for token; otherwise (Qwen3 strips thinking from history) each becomes a sample of its own.

        Each turn is rendered with all that was said before, so the work grows with the square of the turns. With
        `enough`, it ends with the first turn that makes a sample longer than so many tokens.
        """
        result: list[Sample] = []
        ids: list[int] = []
        spans: list[tuple[int, int]] = []
        turns: list[int] = []
        clean = normalise_messages(messages)
        for turn, message in enumerate(clean):
            if message["role"] != "assistant":
                continue
            prompt, completion = self._turn(clean, turn, thinking, tools)
            if ids and prompt[: len(ids)] != ids:
                result.append(Sample(ids, spans, turns))
                spans, turns = [], []
            ids = prompt + completion
            spans.append((len(prompt), len(ids)))
            turns.append(turn)
            if enough is not None and len(ids) > enough:
                break
        if ids:
            result.append(Sample(ids, spans, turns))
        return result

    def encode_text(self, text: str) -> list[int]:
        """Plain text as tokens, for language modelling: no control token can come out of it."""
        return self._plain(text)

    def decode(self, ids: Sequence[int], *, special: bool = False) -> str:
        """Text of token ids; control tokens are left out unless `special`."""
        return str(
            self.tokenizer.decode(list(ids), skip_special_tokens=not special, clean_up_tokenization_spaces=False)
        )

    @cached_property
    def rendering_hash(self) -> str:
        """Hash of how this renderer turns conversations into tokens: template, tokenizer and code, by probes.

        It travels with every dataset and model; a difference means that training and serving would not agree.
        """
        probes = [list(_probe(self, messages, tools)) for messages, tools in _PROBES]
        body = {
            "version": RENDERING_VERSION,
            "template": self.tokenizer.chat_template,
            "tokenizer": _tokenizer_state(self.tokenizer),
            "probes": probes,
        }
        return hashlib.sha256(json.dumps(body, ensure_ascii=False, sort_keys=True).encode()).hexdigest()

    # -- how -----------------------------------------------------------------------------------------------------

    def _render(
        self, messages: list[Message], tools: list[dict[str, Any]] | None, thinking: bool, mark: str, *, prompt: bool
    ) -> str:
        if not self._renders_thinking:
            messages = [_with_thinking_inside(message) for message in messages]
        if mark:
            messages = [self._marked_message(message, mark) for message in messages]
            tools = _marked(tools, mark, self._control)
        try:
            text = self.tokenizer.apply_chat_template(
                messages, tools=tools, tokenize=False, add_generation_prompt=prompt, enable_thinking=thinking
            )
        except Exception as error:  # a template may raise anything: its own raise_exception, or a jinja error
            raise RenderingProblem(f"the chat template refuses this conversation: {error}") from error
        return str(text)

    def _marked_message(self, message: Message, mark: str) -> Message:
        """What an assistant says is the model's own: there <think> and <tool_call> are what the model writes."""
        own = ("content", "reasoning_content") if message["role"] == "assistant" else ()
        return {
            key: _marked(value, mark, self._special if key in own else self._control) for key, value in message.items()
        }

    def _mark_for(self, messages: list[Message], tools: Any) -> str:
        """A character to mark control-token look-alikes with, or '' when the conversation has none."""
        everything = json.dumps([messages, tools], ensure_ascii=False)
        if not any(token in everything for token in self._control):
            return ""
        free = next((mark for mark in _MARKS if mark not in everything), None)
        if free is None:
            raise RenderingProblem("the text holds every Unicode noncharacter from U+FDD0 to U+FDEF")
        return free

    def _encode(self, text: str, mark: str) -> list[int]:
        if not mark or mark not in text:
            return self._ids(text, bool(self.tokenizer.split_special_tokens))
        # Control tokens split the text before anything else does, so the pieces between real ones can be encoded alone
        ids: list[int] = []
        for piece in self._split.split(text):
            if piece in self._control:
                ids.append(self._control[piece])
            elif piece:
                ids.extend(self._plain(piece.replace(mark, "")))
        return ids

    def _plain(self, text: str) -> list[int]:
        if self._cut is None or not self._cut.search(text):
            return self._ids(text, True)
        return [index for piece in self._cut.split(text) for index in self._ids(piece, True)]

    def _ids(self, text: str, split: bool) -> list[int]:
        """Token ids of a text, in which control tokens are `split` like any other text, or read as themselves."""
        direct = self._direct
        if direct is None:
            asked = self.tokenizer(text, add_special_tokens=False, split_special_tokens=split, verbose=False)
            return list(asked["input_ids"])
        if direct.encode_special_tokens != split:
            direct.encode_special_tokens = split
        if direct.truncation is not None:
            direct.no_truncation()
        if direct.padding is not None:
            direct.no_padding()
        ids: list[int] = direct.encode_batch_fast([text], add_special_tokens=False)[0].ids
        return ids

    def _ended(self, completion: list[int], turn: int) -> list[int]:
        """Cut what the template writes behind the end of turn; refuse a completion that never ends."""
        if self.eos_id not in completion:
            raise RenderingProblem(
                f"messages[{turn}]: the chat template does not close the answer with "
                f"{self.tokenizer.eos_token!r}, so the end of a turn would never be learned"
            )
        last = len(completion) - 1 - completion[::-1].index(self.eos_id)
        return completion[: last + 1]


def _direct(tokenizer: Any) -> Any:
    """What the tokenizer asks for token ids in the end, or None where it does more than asking.

    transformers wants character offsets and masks of every text, which cost as much again as the ids.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if not hasattr(backend, "encode_batch_fast") or not hasattr(tokenizer, "split_special_tokens"):
        return None
    for name in ("__call__", "_encode_plus", "set_truncation_and_padding"):
        owner = next((kind for kind in type(tokenizer).__mro__ if name in vars(kind)), None)
        if owner is None or not owner.__module__.startswith("transformers.tokenization_utils"):
            return None
    return backend


def _with_thinking_inside(message: Message) -> Message:
    """The message with its thinking as text in front of the answer."""
    if "reasoning_content" not in message:
        return message
    rest = {key: value for key, value in message.items() if key != "reasoning_content"}
    thought = f"{THINK_START}\n{message['reasoning_content']}\n{THINK_END}\n\n"
    return {**rest, "content": thought + message["content"]}


def _marked(value: Any, mark: str, control: dict[str, int]) -> Any:
    """A deep copy in which each control-token look-alike in a string is broken by `mark` behind its first character."""
    if isinstance(value, str):
        for token in control:
            if token in value:
                value = value.replace(token, token[0] + mark + token[1:])
        return value
    if isinstance(value, dict):
        return {_marked(key, mark, control): _marked(item, mark, control) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_marked(item, mark, control) for item in value]
    return value


def _tokenizer_state(tokenizer: Any) -> Any:
    """What decides how text is cut into tokens; without padding and truncation, which a save may change."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return sorted(tokenizer.get_vocab().items())
    state = json.loads(backend.to_str())
    return {key: value for key, value in state.items() if key not in {"truncation", "padding"}}


def _probe(renderer: ChatRenderer, messages: list[Message], tools: Any) -> Iterator[list[int] | str]:
    for thinking in (False, True):
        try:
            yield renderer.encode_prompt(messages, thinking=thinking, tools=tools)
            for sample in renderer.samples(messages, tools=tools):
                yield sample.input_ids
        except RenderingProblem:
            yield "refused"


_TOOL = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
_PROBES: list[tuple[list[Message], list[dict[str, Any]] | None]] = [
    (
        [
            {"role": "user", "content": "Hello, 你好! x² + 1 = 10\n\tdone"},
            {"role": "assistant", "content": "Fine.  好的。"},
        ],
        None,
    ),
    (
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b", "reasoning_content": "because"},
            {"role": "user", "content": " c\n"},
            {"role": "assistant", "content": "d"},
        ],
        None,
    ),
    (
        [
            {"role": "user", "content": "Weather in 北京?"},
            {"role": "assistant", "content": "", "tool_calls": [{"name": "weather", "arguments": {"city": "北京"}}]},
            {"role": "tool", "content": '{"sky": "clear"}'},
            {"role": "assistant", "content": "Clear."},
        ],
        [_TOOL],
    ),
]
