"""From a folder to a tokenizer, a renderer and a model; safetensors only, no code from the folder is run."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from safetensors import SafetensorError
from transformers import AutoTokenizer
from transformers.utils import logging as transformers_logging

from danlu.models.card import check_rendering
from danlu.models.chat import ChatRenderer
from danlu.models.identity import check_folder
from danlu.models.quantized import Quantization, keep_layout
from danlu.models.started import StartedModel
from danlu.recipe.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel

cast(Any, transformers_logging).disable_progress_bar()  # the shard bars would break into danlu's own display
# PEFT loads bitsandbytes wherever it is installed, which then asks for a kernel from a hub that danlu does not use
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a model folder.

    Raises:
        UserError: it would need `trust_remote_code`, or its files are missing or broken.
    """
    try:
        return AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"the tokenizer cannot be loaded: {_first_line(error)}", where=str(folder), fix=_fix(error)
        ) from error


def load_renderer(folder: Path) -> ChatRenderer:
    """The chat renderer of a model folder, checked against the rendering hash on the folder's card, if it has one.

    Raises:
        UserError: no chat template, or a rendering other than the one trained with.
    """
    renderer = ChatRenderer(load_tokenizer(folder))
    check_rendering(folder, renderer.rendering_hash)
    return renderer


def load_model(
    folder: Path,
    *,
    dtype: torch.dtype | str = "auto",
    device: torch.device | str = "cpu",
    weights: str = "pretrained",
    seed: int = 0,
    quantization: Quantization | None = None,
) -> PreTrainedModel:
    """A causal language model from a folder.

    Args:
        folder: holds config.json and, unless `weights` is 'random', safetensors files.
        dtype: number format of the parameters; 'auto' keeps the file's.
        device: where the parameters go.
        weights: 'pretrained', or 'random' for a fresh initialisation from `seed`.
        seed: for the random initialisation.
        quantization: hold the linear layers so, and compute in `dtype`.

    Raises:
        UserError: not a model, not safetensors, needs remote code, or an architecture transformers does not know.
    """
    # Late: a process that only renders conversations is 120 MB smaller without
    from transformers import AutoConfig, AutoModelForCausalLM

    check_folder(folder, folder.name)
    try:
        config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
        if weights == "random":
            torch.manual_seed(seed)
            factory: Any = AutoModelForCausalLM
            model = factory.from_config(config, dtype=torch.float32 if dtype == "auto" else dtype)
        else:
            where = torch.device(device)
            held = quantization.arguments(_compute(dtype), where) if quantization is not None else {}
            model = AutoModelForCausalLM.from_pretrained(
                str(folder),
                config=config,
                dtype=dtype,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                **held,
            )
            if held:
                keep_layout(model)
                return cast("PreTrainedModel", model)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise UserError(
            f"the model cannot be loaded: {_first_line(error)}", where=str(folder), fix=_fix(error)
        ) from error
    return cast("PreTrainedModel", model.to(torch.device(device)))


def empty_model(folder: Path) -> PreTrainedModel:
    """A model of the folder's configuration and number format; under `torch.device("meta")` it has no content."""
    from transformers import AutoConfig, AutoModelForCausalLM

    config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False, local_files_only=True)
    stored = getattr(config, "dtype", None)
    factory: Any = AutoModelForCausalLM
    return cast("PreTrainedModel", factory.from_config(config, dtype=stored or torch.float32))


def _compute(dtype: torch.dtype | str) -> torch.dtype:
    return dtype if isinstance(dtype, torch.dtype) else torch.float32


def load_encoder(folder: Path, *, device: torch.device | str = "cpu") -> PreTrainedModel:
    """The bare model of a folder, without a head: hidden states out. Safetensors only, no code of the folder is run.

    Raises:
        UserError: the folder holds no such model.
    """
    from transformers import AutoModel

    factory = cast(Any, AutoModel)
    try:
        model = factory.from_pretrained(
            str(folder), use_safetensors=True, trust_remote_code=False, local_files_only=True
        )
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise UserError(
            f"the encoder cannot be loaded: {_first_line(error)}", where=str(folder), fix=_fix(error)
        ) from error
    return cast("PreTrainedModel", model.to(device))


def decoder_and_head(model: torch.nn.Module) -> tuple[Callable[..., Any], torch.nn.Module]:
    """(decoder, head) of a causal model, adapters inside or not: token ids to hidden states [B, T, D], those to logits.

    Raises:
        UserError: the model does something between the two that this split would leave out (scaled or capped logits).
    """
    inner: Any = model
    if hasattr(inner, "get_base_model"):
        inner = inner.get_base_model()
    config = inner.config
    for name in ("final_logit_softcapping", "logits_scaling", "logit_scale"):
        if getattr(config, name, None) not in (None, 1, 1.0):
            raise UserError(
                f"'{config.model_type}' models change their logits behind the head ({name}), which is not supported",
                where="model.base",
                fix="use a model without it, such as Qwen3, Qwen2 or Llama",
            )
    decoder = model.decoder if isinstance(model, StartedModel) else inner.get_decoder()
    return decoder, inner.get_output_embeddings()


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__


def _fix(error: Exception) -> str:
    if "trust_remote_code" in str(error) or "custom code" in str(error):
        return "danlu never runs code from a model folder; use a model that transformers itself supports"
    return "check that the folder is complete (config.json, tokenizer files, *.safetensors)"
