"""A base held in 4 bits by bitsandbytes, and the plain weights that it stands for."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from danlu.recipe.choices import optional

FILE = "quantization.json"


@dataclass(frozen=True)
class Quantization:
    """How the weights of the linear layers are held.

    Attributes:
        format: 'nf4' (Dettmers et al., 2023, arXiv:2305.14314) or 'fp4'.
        double: whether their scales are quantised too.
    """

    format: str = "nf4"
    double: bool = True

    def arguments(self, dtype: torch.dtype, device: torch.device) -> dict[str, Any]:
        """What `from_pretrained` needs to load a model so.

        Args:
            dtype: of the computation.
            device: where the model goes.

        Raises:
            UserError: bitsandbytes is not installed.
        """
        from transformers import BitsAndBytesConfig

        optional("bitsandbytes", "quant")
        config: Any = BitsAndBytesConfig
        return {
            "quantization_config": config(
                load_in_4bit=True,
                bnb_4bit_quant_type=self.format,
                bnb_4bit_use_double_quant=self.double,
                bnb_4bit_compute_dtype=dtype,
            ),
            "device_map": {"": str(device)},
        }

    def save(self, folder: Path) -> None:
        """Write quantization.json."""
        (folder / FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


def read_quantization(folder: Path) -> Quantization | None:
    """What a trained folder says of its base, or None: the base is held as it is."""
    file = folder / FILE
    return Quantization(**json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None


def keep_layout(model: torch.nn.Module) -> None:
    """Have bitsandbytes leave weights on a CPU as they are.

    Where a CPU computes bf16 itself (AVX512_BF16), the library lays them out anew the first time that nobody asks for a
    gradient, computes in bf16 from then on, and has no gradient for that layout: after the first validation a run
    would go on learning something wrong.
    """
    module: Any
    for module in model.modules():
        if hasattr(module, "support_avx512bf16_for_cpu"):
            module.support_avx512bf16_for_cpu = False


def dequantize(model: Any, dtype: torch.dtype) -> torch.nn.Module:
    """Put plain linear layers in place of those in 4 bits: the weights that every product is computed with."""
    plain: torch.nn.Module = model.dequantize(dtype)
    return plain.to(dtype)
