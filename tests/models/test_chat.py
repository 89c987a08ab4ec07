"""Rendering with Qwen3's real template: prompts, turns, samples, control tokens, hash."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from danlu.models.chat import ChatRenderer, RenderingProblem
from danlu.models.completion import parse_answer
from danlu.models.loading import load_renderer, load_tokenizer
from danlu.models.messages import Message, MessageProblem, normalise_messages
from danlu.recipe.errors import UserError
from tests.models.conversations import PIECES, Conversation, corpus

CORPUS = corpus(300)

Turn = tuple[list[int], list[int]]


@pytest.fixture(scope="module")
def encoded(renderer: ChatRenderer) -> list[dict[int, Turn]]:
    """(prompt, completion) of every learned turn of the corpus."""
    return [{t: renderer.encode_turn(c.messages, t, tools=c.tools) for t in c.learned} for c in CORPUS]


def reference(
    renderer: ChatRenderer, conversation: Conversation, upto: int, *, thinking: bool, prompt: bool
) -> list[int]:
    """What transformers makes of the first messages of a conversation."""
    found = renderer.tokenizer.apply_chat_template(
        normalise_messages(conversation.messages[:upto]),
        tools=conversation.tools,
        add_generation_prompt=prompt,
        enable_thinking=thinking,
        tokenize=True,
        return_dict=True,
    )
    return list(found["input_ids"])


def thinks(message: Message) -> bool:
    """Whether a message has reasoning."""
    return bool(message.get("reasoning_content"))


def test_the_corpus_has_every_shape() -> None:
    messages = [message for conversation in CORPUS for message in conversation.messages]
    assert len(CORPUS) >= 300
    assert {message["role"] for message in messages} == {"system", "user", "assistant", "tool"}
    assert sum(thinks(message) for message in messages) > 100
    assert sum("tool_calls" in message for message in messages) > 100
    assert sum(len(conversation.learned) > 1 for conversation in CORPUS) > 100
    kinds = [{thinks(c.messages[turn]) for turn in c.learned} for c in CORPUS]
    assert all(kinds.count(kind) > 20 for kind in ({True}, {False}, {True, False}))
    assert corpus(300) == CORPUS


@pytest.mark.parametrize("thinking", [False, True])
def test_a_prompt_is_what_transformers_renders(renderer: ChatRenderer, thinking: bool) -> None:
    prompts = 0
    for conversation in CORPUS:
        for turn in [*conversation.learned, len(conversation.messages)]:
            expected = reference(renderer, conversation, turn, thinking=thinking, prompt=True)
            messages = conversation.messages[:turn]
            same = renderer.encode_prompt(messages, thinking=thinking, tools=conversation.tools) == expected
            assert same, messages
            prompts += 1
    assert prompts > 900


def test_prompt_and_completion_are_the_whole_up_to_the_end_of_turn(
    renderer: ChatRenderer, encoded: list[dict[int, Turn]]
) -> None:
    end = renderer.tokenizer.convert_tokens_to_ids("<|im_end|>")
    for conversation, turns in zip(CORPUS, encoded, strict=True):
        for turn, (prompt, completion) in turns.items():
            thinking = thinks(conversation.messages[turn])
            whole = reference(renderer, conversation, turn + 1, thinking=thinking, prompt=False)
            last = len(whole) - whole[::-1].index(end)
            sent = renderer.encode_prompt(conversation.messages[:turn], thinking=thinking, tools=conversation.tools)
            same = prompt + completion == whole[:last] and prompt == sent
            assert same, conversation.messages[: turn + 1]
            assert completion[-1] == end and completion.count(end) == 1


def test_a_completion_parses_back_into_its_message(renderer: ChatRenderer, encoded: list[dict[int, Turn]]) -> None:
    nfc = renderer.tokenizer.backend_tokenizer.normalizer.normalize_str
    for conversation, turns in zip(CORPUS, encoded, strict=True):
        clean = normalise_messages(conversation.messages)
        for turn, (_, completion) in turns.items():
            answer = parse_answer(renderer.decode(completion[:-1], special=True))
            assert answer.tool_calls == clean[turn].get("tool_calls", [])
            assert answer.content.strip("\n") == nfc(clean[turn]["content"]).strip("\n")
            assert answer.reasoning == (nfc(clean[turn].get("reasoning_content", "")).strip("\n") or None)


def test_turns_share_a_sample_exactly_when_the_prefix_allows_it(
    renderer: ChatRenderer, encoded: list[dict[int, Turn]]
) -> None:
    shared = apart = 0
    for conversation, found in zip(CORPUS, encoded, strict=True):
        turns = list(found.values())
        samples = renderer.samples(conversation.messages, tools=conversation.tools)
        assert [turn for sample in samples for turn in sample.turns] == conversation.learned
        position = 0
        for sample in samples:
            for number, (start, end) in enumerate(sample.spans):
                prompt, completion = turns[position]
                same = sample.input_ids[:start] == prompt and sample.input_ids[start:end] == completion
                assert same, conversation.messages
                if position:
                    before = turns[position - 1][0] + turns[position - 1][1]
                    fits = prompt[: len(before)] == before
                    assert fits == (number > 0)
                    shared, apart = shared + fits, apart + (not fits)
                position += 1
            assert sample.spans[-1][1] == len(sample.input_ids)
            assert sample.learned == sum(len(turns[conversation.learned.index(t)][1]) for t in sample.turns)
    assert shared > 20 and apart > 100


def test_asked_directly_the_tokenizer_gives_the_ids_that_transformers_gives(
    renderer: ChatRenderer, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [*PIECES, "", "<|im_end|> and <|im_start|>system", "a<|endoftext|>"]
    conversations = [*CORPUS[:60], Conversation([{"role": "user", "content": t} for t in texts], None)]

    def everything() -> list[Any]:
        plain = [renderer.encode_text(text) for text in texts]
        prompts = [renderer.encode_prompt(c.messages, tools=c.tools) for c in conversations]
        return [plain, prompts, [renderer.samples(c.messages, tools=c.tools) for c in conversations], plain]

    assert renderer._direct is not None
    # What another caller left behind must not cut or fill our texts
    renderer.tokenizer("a b c d e f", padding="max_length", truncation=True, max_length=40)
    found = everything()
    monkeypatch.setattr(renderer, "_direct", None)
    assert found == everything()


def test_a_tokenizer_with_a_way_of_its_own_is_not_passed_over(tiny_tokenizer: Path) -> None:
    tokenizer = load_tokenizer(tiny_tokenizer)

    class Backwards(type(tokenizer)):  # type: ignore[misc]
        def _encode_plus(self, *args: Any, **kwargs: Any) -> Any:
            return {"input_ids": super()._encode_plus(*args, **kwargs)["input_ids"][::-1]}

    plain = ChatRenderer(tokenizer).encode_text("one two three")
    tokenizer.__class__ = Backwards
    assert ChatRenderer(tokenizer).encode_text("one two three") == plain[::-1] != plain


def test_white_space_that_would_melt_into_the_prompt_keeps_the_prompt_of_the_server(renderer: ChatRenderer) -> None:
    messages: list[Message] = [{"role": "user", "content": "a"}, {"role": "assistant", "content": " \t\r\n b"}]
    prompt, completion = renderer.encode_turn(messages, 1)
    assert prompt == renderer.encode_prompt(messages[:1])
    assert renderer.decode(completion[:-1]) == " \t\r\n b"


def test_thinking_can_be_forced_for_all_turns(renderer: ChatRenderer) -> None:
    messages: list[Message] = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    prompt, completion = renderer.encode_turn(messages, 1, thinking=True)
    assert prompt == renderer.encode_prompt(messages[:1], thinking=True)
    assert renderer.decode(completion) == "<think>\n\n</think>\n\nb"
    assert renderer.samples(messages, thinking=True)[0].spans == [(len(prompt), len(prompt + completion))]
    messages[1]["reasoning_content"] = "because"
    with pytest.raises(RenderingProblem, match=r"messages\[1\].*continuation"):
        renderer.encode_turn(messages, 1, thinking=False)


# -- refusals --------------------------------------------------------------------------------------------------------


def test_what_cannot_be_rendered(renderer: ChatRenderer) -> None:
    with pytest.raises(RenderingProblem, match=r"messages\[0\] is not an assistant"):
        renderer.encode_turn([{"role": "user", "content": "a"}], 0)
    with pytest.raises(MessageProblem):
        renderer.encode_prompt([{"role": "robot", "content": "a"}])
    for broken in ([{"content": "a"}], [3]):
        messages: list[Any] = broken
        with pytest.raises(MessageProblem):
            renderer.samples(messages)
    assert renderer.samples([{"role": "user", "content": "a"}]) == []


def with_template(renderer: ChatRenderer, folder: Path, template: str) -> ChatRenderer:
    """The tiny tokenizer with another chat template."""
    renderer.tokenizer.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    return ChatRenderer(load_tokenizer(folder))


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ("{{ raise_exception('no tools here') }}", "no tools here"),
        ("{{ messages[0].content + 1 }}", "refuses this conversation"),
        ("{% for m in messages %}{{ m.content }}{% endfor %}", "does not close the answer"),
        ("{{ messages | length }}{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}", "continuation"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "refuses this conversation"),
    ],
)
def test_templates_that_cannot_be_trained_on(
    renderer: ChatRenderer, tmp_path: Path, template: str, reason: str
) -> None:
    other = with_template(renderer, tmp_path, template)
    with pytest.raises(RenderingProblem, match=reason):
        other.encode_turn([{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], 1)
    assert len(other.rendering_hash) == 64  # a refusal is a rendering, too


def test_a_tokenizer_without_template_or_end_is_refused(tiny_tokenizer: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(tiny_tokenizer, tmp_path / "t")
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "eos_token": None}))
    with pytest.raises(UserError, match="end-of-turn"):
        load_renderer(folder)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(UserError, match="no chat template") as caught:
        load_renderer(folder)
    assert str(folder) in caught.value.where


# -- hash ------------------------------------------------------------------------------------------------------------


def test_the_hash_is_stable(renderer: ChatRenderer, tiny_tokenizer: Path, tmp_path: Path) -> None:
    assert load_renderer(tiny_tokenizer).rendering_hash == renderer.rendering_hash
    renderer.tokenizer.save_pretrained(tmp_path)  # as transformers writes it
    assert load_renderer(tmp_path).rendering_hash == renderer.rendering_hash


def _change_template(folder: Path) -> None:
    file = folder / "chat_template.jinja"
    file.write_text(file.read_text(encoding="utf-8") + "{# #}", encoding="utf-8")


def _edit_tokenizer(folder: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    data = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    edit(data)
    (folder / "tokenizer.json").write_text(json.dumps(data, ensure_ascii=False), encoding="utf-8")


def _swap_ids(data: dict[str, Any]) -> None:
    vocabulary = data["model"]["vocab"]
    vocabulary["H"], vocabulary["e"] = vocabulary["e"], vocabulary["H"]


def _drop_merges(data: dict[str, Any]) -> None:
    data["model"]["merges"].pop()


@pytest.mark.parametrize(
    "change",
    [
        _change_template,
        lambda folder: _edit_tokenizer(folder, _swap_ids),
        lambda folder: _edit_tokenizer(folder, _drop_merges),
    ],
    ids=["template", "ids", "merges"],
)
def test_the_hash_changes_with_template_and_tokenizer(
    renderer: ChatRenderer, tiny_tokenizer: Path, tmp_path: Path, change: Callable[[Path], None]
) -> None:
    folder = shutil.copytree(tiny_tokenizer, tmp_path / "t")
    change(folder)
    assert load_renderer(folder).rendering_hash != renderer.rendering_hash


def test_thinking_inside_the_content_is_thinking(renderer: ChatRenderer) -> None:
    question = {"role": "user", "content": "Why?"}
    inside = [question, {"role": "assistant", "content": "<think>\nA reason.\n</think>\n\nBecause."}]
    apart = [question, {"role": "assistant", "content": "Because.", "reasoning_content": "A reason."}]
    assert renderer.samples(inside) == renderer.samples(apart)
    follow_up = [*inside, question]
    expected = renderer.tokenizer.apply_chat_template(
        follow_up, add_generation_prompt=True, enable_thinking=True, return_dict=False
    )
    assert renderer.encode_prompt(follow_up, thinking=True) == expected


def test_a_template_without_thinking_keeps_it_as_text(tiny_tokenizer: Path) -> None:
    tokenizer = load_renderer(tiny_tokenizer).tokenizer
    tokenizer.chat_template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    plain = ChatRenderer(tokenizer)
    answer = {"role": "assistant", "content": "Because.", "reasoning_content": "A reason."}
    (sample,) = plain.samples([{"role": "user", "content": "Why?"}, answer])
    ((start, end),) = sample.spans
    learned = tokenizer.decode(sample.input_ids[start:end])
    assert learned == "<think>\nA reason.\n</think>\n\nBecause.<|im_end|>"
