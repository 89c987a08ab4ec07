"""The dataset's page: made with the artifact, so that it is there as long as the rows are."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from danlu import __version__
from danlu.data.reporting import read_report
from danlu.pipeline.plan import Stage
from danlu.runs.durable import write_text

PAGE = "report.html"


def write_dataset_page(folder: Path, title: str, stage: Stage, rendering_hash: str) -> None:
    """Write report.html beside report.json."""
    from danlu.pipeline.report.dataset import render_dataset_report

    facts = {**stage.inputs, "dataset": stage.key, "rendering hash": rendering_hash, "danlu": __version__}
    created = datetime.now(UTC).isoformat(timespec="seconds")
    write_text(folder / PAGE, render_dataset_report(read_report(folder), title=title, created=created, facts=facts))
