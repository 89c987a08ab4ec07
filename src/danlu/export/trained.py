"""The `trained` export: what training wrote, with the tokenizer, loaded again as a server does and compared."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from danlu.export.equivalence import measure_equivalence
from danlu.export.merged import ExportInput
from danlu.models.device import default_device
from danlu.models.heads import HeadConfig, head_of
from danlu.models.loading import load_renderer
from danlu.models.trained import load_folder, load_trained
from danlu.recipe.errors import InternalFault, UserError


def export_trained(given: ExportInput, out: Path) -> dict[str, Any]:
    """Copy what was trained into `out`, load it over its base as a server does, and prove it equal.

    Returns:
        Facts: the measured equivalence and size.

    Raises:
        UserError: there are no held-out rows to measure on.
        InternalFault: what comes back is not the trained model.
    """
    if not given.samples:
        raise UserError(
            "there are no held-out rows to prove the export on", where="export", fix="give data.split.test a share"
        )
    for file in given.trained.iterdir():
        if file.is_file() and file.name not in {"history.jsonl", "manifest.json"}:
            shutil.copyfile(file, out / file.name)
    given.renderer.tokenizer.save_pretrained(str(out))
    load_renderer(out)  # refuses the folder if saving changed how conversations are rendered
    device = default_device()
    reference = load_trained(given.trained, given.base, dtype=torch.float32, device=device)
    candidate = load_folder(out, dtype=torch.float32, device=device)
    samples = given.samples[: given.config.prompts]
    equivalence = measure_equivalence(reference, candidate, samples)
    heads = HeadConfig.read(out) is None or torch.equal(head_of(reference).weight, head_of(candidate).weight)
    if equivalence.max_kl > 0 or equivalence.top1 < 1 or not heads:
        raise InternalFault(
            f"the exported model is not the trained one: largest KL {equivalence.max_kl:.2e}, top-1 agreement "
            f"{equivalence.top1:.4f}, heads {'equal' if heads else 'differ'}",
            where="export",
            fix="report it with this message",
        )
    size = sum(file.stat().st_size for file in out.rglob("*") if file.is_file())
    return {**asdict(equivalence), "dtype": "float32", "size_bytes": size}
