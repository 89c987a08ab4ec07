"""A complete Qwen3 model folder of a few hundred kilobytes with random weights, for tests."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).parent / "golden" / "qwen3_chat_template.jinja"
VOCABULARY = 640

# Qwen3's own control tokens, in its order; True: special, left out when text is decoded
CONTROL_TOKENS: dict[str, bool] = {
    "<|endoftext|>": True,
    "<|im_start|>": True,
    "<|im_end|>": True,
    "<|object_ref_start|>": True,
    "<|object_ref_end|>": True,
    "<|box_start|>": True,
    "<|box_end|>": True,
    "<|quad_start|>": True,
    "<|quad_end|>": True,
    "<|vision_start|>": True,
    "<|vision_end|>": True,
    "<|vision_pad|>": True,
    "<|image_pad|>": True,
    "<|video_pad|>": True,
    "<tool_call>": False,
    "</tool_call>": False,
    "<|fim_prefix|>": False,
    "<|fim_middle|>": False,
    "<|fim_suffix|>": False,
    "<|fim_pad|>": False,
    "<|repo_name|>": False,
    "<|file_sep|>": False,
    "<tool_response>": False,
    "</tool_response>": False,
    "<think>": False,
    "</think>": False,
}

# Qwen3's pre-tokenizer, from its tokenizer.json
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

_TEXT = [
    "The insurance covers water damage when a pipe breaks, but not when a river floods the cellar.",
    "Please write a short answer to the customer and say what happens next with the claim.",
    "The weather in the city is clear today; tomorrow there will be rain and a strong wind.",
    "A model learns from examples, and a good example shows the question and the answer.",
    "system user assistant name arguments function parameters type object string city",
    "这份保险赔付水管破裂造成的损失，但不赔付洪水造成的损失。",
    "请用一句话回答客户的问题，并说明下一步怎么办。",
    "今天北京天气晴朗，明天有雨，风很大。",
    "模型从例子中学习，好的例子包括问题和答案。",
    "你好，请问保单什么时候生效？保单从付款的第二天零点开始生效。",
]


@functools.cache
def _tokenizer_json() -> str:
    """A byte-level BPE in the shape of Qwen3's, trained on the text above: `VOCABULARY` tokens, ids dense."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(CONTROL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXT, trainer)
    tokenizer.add_tokens(
        [AddedToken(text, normalized=False, special=special) for text, special in CONTROL_TOKENS.items()]
    )
    return str(tokenizer.to_str())


def build_tiny_tokenizer(folder: Path) -> Path:
    """Write tokenizer.json, tokenizer_config.json and chat_template.jinja; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_text(_tokenizer_json(), encoding="utf-8")
    added = json.loads(_tokenizer_json())["added_tokens"]
    config: dict[str, Any] = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": {
            str(token["id"]): {key: value for key, value in token.items() if key != "id"} for token in added
        },
        "additional_special_tokens": [text for text, special in CONTROL_TOKENS.items() if special][1:],
        "bos_token": None,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": 131072,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / "chat_template.jinja").write_bytes(TEMPLATE.read_bytes())
    return folder


def build_tiny_model(folder: Path, seed: int = 0, *, max_context: int = 1024) -> Path:
    """Write a whole model folder (Qwen3, hidden 64, 2 layers, fp32, random from `seed`); returns the folder."""
    import torch
    from transformers import GenerationConfig, Qwen3Config, Qwen3ForCausalLM

    build_tiny_tokenizer(folder)
    ids = {token["content"]: token["id"] for token in json.loads(_tokenizer_json())["added_tokens"]}
    config = Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=max_context,
        tie_word_embeddings=True,
        initializer_range=0.2,  # wide enough that greedy answers are not one token for ever
        eos_token_id=ids["<|im_end|>"],
        pad_token_id=ids["<|endoftext|>"],
        bos_token_id=None,
        dtype="float32",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Qwen3ForCausalLM(config)
    model.generation_config = GenerationConfig(  # type: ignore[no-untyped-call]
        eos_token_id=[ids["<|im_end|>"], ids["<|endoftext|>"]], pad_token_id=ids["<|endoftext|>"]
    )
    model.save_pretrained(folder)
    return folder


def build_tiny_moe(folder: Path, seed: int = 0) -> Path:
    """Write a whole mixture-of-experts model folder (Qwen3-MoE, hidden 64, 2 layers, 4 experts); returns the folder."""
    import torch
    from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

    build_tiny_tokenizer(folder)
    ids = {token["content"]: token["id"] for token in json.loads(_tokenizer_json())["added_tokens"]}
    kind: Any = Qwen3MoeConfig  # its signature leaves head_dim out
    config = kind(
        vocab_size=VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        moe_intermediate_size=32,
        num_experts=4,
        num_experts_per_tok=2,
        norm_topk_prob=True,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=1024,
        tie_word_embeddings=False,
        initializer_range=0.2,
        eos_token_id=ids["<|im_end|>"],
        pad_token_id=ids["<|endoftext|>"],
        bos_token_id=None,
        dtype="float32",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Qwen3MoeForCausalLM(config)
    model.save_pretrained(folder)
    return folder
