"""The untrained start of the seedling: configuration, tokenizer and chat template, all Qwen3 in miniature."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import Qwen3Config

VOCABULARY = 8192
POSITIONS = 4096
LONGEST_TOKEN = 16
END_OF_TEXT, END_OF_TURN = "<|endoftext|>", "<|im_end|>"


def train_tokenizer(texts: Iterable[str], qwen: dict[str, Any]) -> Tokenizer:
    """Byte-level BPE that splits text as Qwen3 does and ends with Qwen3's added tokens in Qwen3's order."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    pattern = qwen["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    added = sorted(qwen["added_tokens"], key=lambda token: int(token["id"]))
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(added),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        max_token_length=LONGEST_TOKEN,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    for token in added:
        entry = AddedToken(token["content"], special=token["special"], normalized=False)
        (tokenizer.add_special_tokens if token["special"] else tokenizer.add_tokens)([entry])
    if tokenizer.get_vocab_size() != VOCABULARY:
        raise SystemExit(f"the tokenizer has {tokenizer.get_vocab_size()} tokens instead of {VOCABULARY}")
    return tokenizer


def write_start(folder: Path, tokenizer: Tokenizer, qwen_settings: dict[str, Any]) -> None:
    """Write everything but weights; training draws those from its own seed."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = dict(qwen_settings)
    (folder / "chat_template.jinja").write_text(settings.pop("chat_template"), "utf-8")
    decoder = settings["added_tokens_decoder"].values()
    settings["added_tokens_decoder"] = {str(tokenizer.token_to_id(token["content"])): token for token in decoder}
    settings["model_max_length"] = POSITIONS
    text = json.dumps(settings, ensure_ascii=False, indent=2)
    (folder / "tokenizer_config.json").write_text(text + "\n", "utf-8")
    vocabulary = tokenizer.get_vocab()
    ends = vocabulary[END_OF_TURN], vocabulary[END_OF_TEXT]
    model_config(*ends).save_pretrained(folder)
    generation = {
        "do_sample": True,
        "temperature": 0.7,
        "top_p": 0.8,
        "top_k": 20,
        "eos_token_id": list(ends),
        "pad_token_id": ends[1],
    }
    (folder / "generation_config.json").write_text(json.dumps(generation, indent=2) + "\n", "utf-8")


def model_config(end_of_turn: int, end_of_text: int) -> Qwen3Config:
    """Qwen3 with eight narrow layers."""
    return Qwen3Config(
        architectures=["Qwen3ForCausalLM"],
        vocab_size=VOCABULARY,
        hidden_size=256,
        intermediate_size=768,
        num_hidden_layers=8,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=64,
        max_position_embeddings=POSITIONS,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=end_of_turn,
        pad_token_id=end_of_text,
        dtype="bfloat16",
    )


def parameters(config: Qwen3Config) -> int:
    """How many numbers the model has; the head is the embedding."""
    hidden, inner = config.hidden_size, config.intermediate_size
    heads = config.num_attention_heads + (config.num_key_value_heads or config.num_attention_heads)
    attention = 2 * hidden * heads * config.head_dim
    norms = 2 * hidden + 2 * config.head_dim
    layer = attention + 3 * hidden * inner + norms
    return int(config.vocab_size * hidden + config.num_hidden_layers * layer + hidden)
