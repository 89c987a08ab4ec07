"""The `merged` export: adapters folded into their base, saved as plain safetensors, compared with what was trained."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from transformers import AutoConfig

from danlu.data.dataset import TrainingSample
from danlu.export.equivalence import measure_equivalence
from danlu.models.chat import ChatRenderer
from danlu.models.device import default_device
from danlu.models.identity import ModelFolder
from danlu.models.loading import DTYPES, load_model, load_renderer
from danlu.models.trained import load_trained, trained_card
from danlu.recipe.errors import InternalFault, UserError
from danlu.recipe.export import ExportSection, MergedExport


@dataclass(frozen=True)
class ExportInput:
    """What an export is made from.

    Attributes:
        config: the recipe's export section, of the type that the exporter is for.
        trained: folder of the train stage.
        base: the base model.
        renderer: the base's chat renderer, whose files travel along.
        samples: held-out token sequences on which equality is measured.
    """

    config: ExportSection
    trained: Path
    base: ModelFolder
    renderer: ChatRenderer
    samples: Sequence[TrainingSample]


def export_merged(given: ExportInput, out: Path) -> dict[str, Any]:
    """Write the merged model into `out`, load it again as plain transformers does, and prove it equal.

    Returns:
        Facts: the measured equivalence, dtype and size.

    Raises:
        UserError: there are no held-out rows to measure on.
        InternalFault: the export is not the trained model.
    """
    if not given.samples:
        raise UserError(
            "there are no held-out rows to prove the export on", where="export", fix="give data.split.test a share"
        )
    config = given.config
    assert isinstance(config, MergedExport)
    device = default_device()
    dtype = _dtype(given, config)
    model: Any = load_trained(given.trained, given.base, dtype=torch.float32, device=device, plain=True)
    if hasattr(model, "merge_and_unload"):
        model = model.merge_and_unload(safe_merge=True)
    cast(Any, model).to(dtype).save_pretrained(str(out))
    given.renderer.tokenizer.save_pretrained(str(out))
    replace(trained_card(given.trained), kind="merged").save(out)
    del model
    gc.collect()
    load_renderer(out)  # refuses the folder if saving changed how conversations are rendered
    reference = load_trained(given.trained, given.base, dtype=torch.float32, device=device)
    candidate = load_model(out, dtype=torch.float32, device=device)
    equivalence = measure_equivalence(reference, candidate, given.samples[: config.prompts])
    if equivalence.mean_kl > config.max_mean_kl or equivalence.top1 < config.min_top1:
        raise InternalFault(
            f"the exported model is not the trained one: mean KL {equivalence.mean_kl:.2e} (limit "
            f"{config.max_mean_kl:g}), top-1 agreement {equivalence.top1:.4f} (limit {config.min_top1:g})",
            where="export",
            fix="set export.dtype: fp32; if it still fails, report it with this message",
        )
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    return {**asdict(equivalence), "dtype": str(dtype).removeprefix("torch."), "size_bytes": size}


def _dtype(given: ExportInput, config: MergedExport) -> torch.dtype:
    if config.dtype != "same":
        return DTYPES[config.dtype]
    stored = getattr(AutoConfig.from_pretrained(str(given.base.path), local_files_only=True), "dtype", None)
    return stored if isinstance(stored, torch.dtype) else torch.float32
