"""Bottleneck adapters: two small layers with a bend between them, added behind a part of every decoder layer.

Houlsby et al., 2019 (arXiv:1902.00751) put one behind the attention and one behind the MLP, Pfeiffer et al., 2021
(arXiv:2005.00247) behind the MLP only. y = x + U f(D x); U starts at zero, so a new adapter changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

CONFIG, WEIGHTS = "bottleneck.json", "bottleneck.safetensors"
NAME = "bottleneck"
"""What the adapter is called inside the module behind which it stands."""

_ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": functional.relu,
    "gelu": functional.gelu,
    "silu": functional.silu,
}
_PLACES = {"houlsby": ("self_attn", "mlp"), "pfeiffer": ("mlp",)}


@dataclass(frozen=True)
class BottleneckConfig:
    """Shape of the adapters.

    Attributes:
        placement: 'houlsby' or 'pfeiffer'.
        width: of the bottleneck.
        activation: 'relu', 'gelu' or 'silu'.
        dropout: on the inner state while training.
    """

    placement: str
    width: int
    activation: str
    dropout: float = 0.0


class Bottleneck(torch.nn.Module):
    """One adapter: [..., D] -> [..., D]."""

    def __init__(self, hidden: int, config: BottleneckConfig, device: torch.device) -> None:
        super().__init__()
        self.down = torch.nn.Linear(hidden, config.width, device=device)
        self.up = torch.nn.Linear(config.width, hidden, device=device)
        self.dropout = torch.nn.Dropout(config.dropout)
        self._bend = _ACTIVATIONS[config.activation]
        torch.nn.init.normal_(self.down.weight, std=hidden**-0.5)
        for tensor in (self.down.bias, self.up.weight, self.up.bias):
            torch.nn.init.zeros_(tensor)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """The states and what the adapter adds to them, in the states' number format."""
        inner = self._bend(self.down(states.to(self.down.weight.dtype)))
        added: torch.Tensor = self.up(self.dropout(inner))
        return states + added.to(states.dtype)


def attach_bottlenecks(model: Any, config: BottleneckConfig, *, seed: int) -> torch.nn.Module:
    """Freeze a causal model and put adapters behind its parts; the same model is returned."""
    model.requires_grad_(False)
    torch.manual_seed(seed)
    for layer in model.get_decoder().layers:
        for place in _PLACES[config.placement]:
            part = getattr(layer, place)
            device = next(part.parameters()).device
            part.add_module(NAME, Bottleneck(model.config.get_text_config().hidden_size, config, device))
            part.register_forward_hook(_pass_through)
    adapted: torch.nn.Module = model
    return adapted


def save_bottlenecks(model: torch.nn.Module, config: BottleneckConfig, folder: Path) -> None:
    """Write the adapters and their shape."""
    state = model.state_dict()
    tensors = {name: value.cpu().contiguous() for name, value in state.items() if f".{NAME}." in name}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(asdict(config), indent=2) + "\n", encoding="utf-8")


def put_bottlenecks(model: Any, folder: Path) -> torch.nn.Module:
    """A base with the adapters of a folder."""
    config = BottleneckConfig(**json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    adapted = attach_bottlenecks(model, config, seed=0)
    saved = load_file(folder / WEIGHTS)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if f".{NAME}." in name:
                parameter.copy_(saved[name])
    return adapted


def _pass_through(part: torch.nn.Module, _inputs: Any, output: Any) -> Any:
    """What the part gives, through its adapter; attention gives its weights beside the states."""
    adapter = part.get_submodule(NAME)
    return (adapter(output[0]), *output[1:]) if isinstance(output, tuple) else adapter(output)
