"""Models whose every sequence starts with learned positions: prefix tuning and prompt tuning, saved as PEFT saves them.

Both come down to keys and values that stand before the first token of a sequence. A prefix learns them directly (Li and
Liang, 2021, arXiv:2101.00190); a prompt learns embeddings (Lester et al., 2021, arXiv:2104.08691), which the model
reads once for a batch instead of once for each of its rows.

Legend: B batch, T time, P learned positions, L layers, H key-value heads, E size of a head, D hidden.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers.cache_utils import DynamicCache

CONFIG, WEIGHTS, KEY = "adapter_config.json", "adapter_model.safetensors", "prompt_embeddings"

KeyValues = list[tuple[torch.Tensor, torch.Tensor]]
"""For each layer keys and values [1, H, P, E]."""


class Prefix(torch.nn.Module):
    """Learned keys and values: `embedding` [P, L * 2 * H * E], a layer's keys before its values."""

    peft_type = "PREFIX_TUNING"

    def __init__(self, embedding: torch.Tensor) -> None:
        super().__init__()
        self.embedding = torch.nn.Parameter(embedding)

    @classmethod
    def of_tokens(cls, model: Any, ids: Sequence[int]) -> Prefix:
        """A prefix that does at first what these tokens would do in front of every sequence."""
        with torch.no_grad():
            found = _read(model, model.get_input_embeddings()(_row(ids, model)))
        layers = [tensor[0].transpose(0, 1).flatten(1) for pair in found for tensor in pair]  # each [P, H * E]
        return cls(torch.cat(layers, dim=1).float())

    def forward(self, model: Any) -> KeyValues:
        """The keys and values, in the number format that the model computes in."""
        config = model.config.get_text_config()
        size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        length = self.embedding.shape[0]
        shaped = self.embedding.to(_format(model)).view(length, -1, 2, config.num_key_value_heads, size)
        stacked = shaped.permute(1, 2, 3, 0, 4)[:, :, None]  # [L, 2, 1, H, P, E]
        return [(layer[0], layer[1]) for layer in stacked]


class Prompt(torch.nn.Module):
    """Learned embeddings: `embedding` [P, D]."""

    peft_type = "PROMPT_TUNING"

    def __init__(self, embedding: torch.Tensor) -> None:
        super().__init__()
        self.embedding = torch.nn.Parameter(embedding)

    @classmethod
    def of_tokens(cls, model: Any, ids: Sequence[int]) -> Prompt:
        """A prompt that is at first these tokens."""
        with torch.no_grad():
            return cls(model.get_input_embeddings()(_row(ids, model))[0].float().clone())

    def forward(self, model: Any) -> KeyValues:
        """The keys and values that the model has of these embeddings."""
        return _read(model, self.embedding[None].to(model.dtype))


class StartedModel(torch.nn.Module):
    """A frozen causal model with learned positions before every sequence."""

    def __init__(self, model: Any, start: Prefix | Prompt) -> None:
        super().__init__()
        self.model = model.requires_grad_(False)
        self.start = start

    @property
    def length(self) -> int:
        """P."""
        return int(self.start.embedding.shape[0])

    @property
    def config(self) -> Any:
        """The inner model's."""
        return self.model.config

    def get_base_model(self) -> Any:
        """The inner model, which knows nothing of the start."""
        return self.model

    def key_values(self) -> KeyValues:
        """Keys and values of the learned positions, differentiable."""
        found: KeyValues = self.start(self.model)
        return found

    def decoder(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, use_cache: bool = False
    ) -> Any:
        """As the inner decoder: token ids [B, T], padded on the right, to hidden states [B, T, D] of these tokens."""
        return self.model.get_decoder()(**self._inputs(input_ids, attention_mask))

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        past_key_values: Any = None,
        **others: Any,
    ) -> Any:
        """As the inner model; a cache that is handed in holds the start already (see `key_values`)."""
        if past_key_values is not None:
            return self.model(
                input_ids=input_ids, attention_mask=attention_mask, past_key_values=past_key_values, **others
            )
        others.pop("use_cache", None)
        return self.model(**self._inputs(input_ids, attention_mask), **others)

    def _inputs(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None) -> dict[str, Any]:
        batch, time = input_ids.shape
        spread = [(k.expand(batch, -1, -1, -1), v.expand(batch, -1, -1, -1)) for k, v in self.key_values()]
        positions = torch.arange(self.length, self.length + time, device=input_ids.device)
        given: dict[str, Any] = {
            "input_ids": input_ids,
            "past_key_values": DynamicCache(spread),
            "position_ids": positions.expand(batch, -1),
            "use_cache": True,
        }
        if attention_mask is not None:
            given["attention_mask"] = torch.nn.functional.pad(attention_mask, (self.length, 0), value=1)
        return given


def save_start(model: StartedModel, folder: Path) -> None:
    """Write adapter_config.json and adapter_model.safetensors as PEFT reads them."""
    from peft import PrefixTuningConfig, PromptTuningConfig

    config = model.config.get_text_config()
    is_prefix = isinstance(model.start, Prefix)
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    heads = config.num_key_value_heads if is_prefix else config.num_attention_heads
    kind: Any = PrefixTuningConfig if is_prefix else PromptTuningConfig
    kind(
        task_type="CAUSAL_LM",
        inference_mode=True,
        num_virtual_tokens=model.length,
        num_layers=config.num_hidden_layers,
        num_attention_heads=heads,
        num_transformer_submodules=1,
        token_dim=heads * size if is_prefix else config.hidden_size,
    ).save_pretrained(str(folder))
    tensor = model.start.embedding.detach().cpu().contiguous()
    save_file({KEY: tensor}, folder / WEIGHTS, metadata={"format": "pt"})


def put_start(model: Any, folder: Path) -> StartedModel:
    """A base with the start of a folder."""
    kind = json.loads((folder / CONFIG).read_text(encoding="utf-8"))["peft_type"]
    device = next(model.parameters()).device
    embedding = load_file(folder / WEIGHTS)[KEY].to(device)
    return StartedModel(model, (Prefix if kind == Prefix.peft_type else Prompt)(embedding))


def _row(ids: Sequence[int], model: Any) -> torch.Tensor:
    return torch.tensor([list(ids)], device=next(model.parameters()).device)


def _read(model: Any, embeddings: torch.Tensor) -> KeyValues:
    """Keys and values that the model has of embeddings [1, P, D]."""
    cache = DynamicCache()
    model.get_decoder()(inputs_embeds=embeddings, past_key_values=cache, use_cache=True)
    layers: Any = cache.layers
    return [(layer.keys, layer.values) for layer in layers]


def _format(model: Any) -> torch.dtype:
    """The number format in which the model computes its keys now."""
    device = next(model.parameters()).device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    dtype: torch.dtype = model.dtype
    return dtype
