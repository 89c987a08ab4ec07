"""The data stage: sources -> cleaners -> redaction -> split -> augmentation -> tokens, with every row's fate booked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from danlu.data.augmentation import Write
from danlu.data.books import Clerk, Problems
from danlu.data.children import Family, make_children
from danlu.data.cleaners import OVER_ALL_ROWS
from danlu.data.dataset import LEDGER, RENDERING, REPEATED, SUMMARY
from danlu.data.drift import balance
from danlu.data.findings import check_labels, write_findings
from danlu.data.flow import Flow, Tell
from danlu.data.held_out import CONTAMINATION, REFERENCE, SPLIT, TRAIN, Held, hold_out
from danlu.data.ledger import AUGMENT, Ledger
from danlu.data.passes import READ, REDACT
from danlu.data.personal.scrubber import Scrubber
from danlu.data.rendering import RENDER, TOKENS, RenderPass, keep_at_hand, load_rendered
from danlu.data.reporting import REPORT, collect
from danlu.data.row import Row
from danlu.data.row_keys import key_names
from danlu.data.runners import RUNNERS
from danlu.data.splitting import SPLITS
from danlu.models.chat import ChatRenderer
from danlu.recipe.data import DataSection
from danlu.recipe.errors import UserError
from danlu.runs.durable import write_json

WRITE = "write"
"""What progress and the report call the end of the stage, where rows are booked and written."""


@dataclass(frozen=True)
class Surroundings:
    """What the stage needs besides its section of the recipe.

    Attributes:
        renderer: of the model that will be trained.
        model: that model's folder, from which other processes load the renderer.
        work: folder that survives a kill; empty or left by an earlier try of the same stage.
        seed: of augmentation and of permutations; not the recipe's, or another training seed would make other data.
        key: of pseudonyms.
        writers: for augmentation steps that need a model: index of the step -> what writes.
        tell: told of progress.
    """

    renderer: ChatRenderer
    model: Path
    work: Path
    seed: int = 0
    key: bytes = b""
    writers: Mapping[int, Write] = field(default_factory=dict)
    tell: Tell = lambda step, done, total: None


def prepare_dataset(config: DataSection, around: Surroundings, folder: Path) -> dict[str, Any]:
    """Write the dataset artifact's files into `folder` and return the ledger's summary.

    Raises:
        UserError: an unreadable source; bad or over-long rows where the recipe says 'fail'; nothing left to train on.
    """
    clock = Stopwatch(around.tell)
    with closing(RUNNERS.load(config.runner.type)(config.runner)) as runner:
        flow = Flow(runner, around.work, clock.tell, around.key)
        return _prepared(flow, config, around, folder, clock)


def _prepared(flow: Flow, config: DataSection, around: Surroundings, folder: Path, clock: Stopwatch) -> dict[str, Any]:
    flow.read_sources(config.sources, config.clean, config.redact, key_names(config))
    _check_read(flow, config)
    check_labels(flow.books())
    verdicts = [{"step": cleaner.type} | dict(report) for cleaner, report in flow.clean(config.clean)]
    held = hold_out(flow, config, around.seed)
    family = make_children(flow, held, config, around.seed, around.writers)
    rendered = _render(flow, family, config, around)
    with Ledger(folder / LEDGER, _steps(config)) as ledger:
        clerk = Clerk(folder, ledger, Problems(config), Scrubber(config.redact))
        try:
            _write(clerk, flow, held, family, rendered)
        finally:
            clerk.close()
        clerk.problems.raise_if_any()
        summary = ledger.summary() | {"lacking": held.lacking}
    _check_left(summary)
    parts = {
        "cleaning": verdicts,
        **held.report,
        **family.report,
        "personal_data": {
            **write_findings(folder, flow.books()),
            "names": config.redact.names if config.redact else None,
        },
        "balance": [found.as_dict() for found in balance(_training(flow, held), _slice(config))],
    }
    write_json(folder / REPORT, collect(summary, clerk, flow.books(), parts | {"seconds": clock.stop()}))
    write_json(folder / REPEATED, held.repeated)
    write_json(folder / SUMMARY, summary)
    write_json(folder / RENDERING, {"hash": around.renderer.rendering_hash})
    return summary


def _training(flow: Flow, held: Held) -> Iterator[Row]:
    for batch in held.corpus(flow, split=TRAIN).batches():
        yield from batch


def _slice(config: DataSection) -> str | None:
    return config.reference.slice if config.reference else None


def _steps(config: DataSection) -> list[str]:
    """The steps of the funnel in order, also those that will drop nothing."""
    cleaners = [cleaner.type for cleaner in config.clean]
    first = next((i for i, name in enumerate(cleaners) if name in OVER_ALL_ROWS), len(cleaners))
    redact = [REDACT] if config.redact else []
    reference = [REFERENCE] if config.reference else []
    augment = [AUGMENT] if config.augment.steps else []
    rest = [SPLIT, CONTAMINATION, *reference, *augment, RENDER, TOKENS]
    return list(dict.fromkeys([READ, *cleaners[:first], *redact, *cleaners[first:], *rest]))


def _check_read(flow: Flow, config: DataSection) -> None:
    """Tell of bad rows before anything costly is done with the good ones."""
    problems = Problems(config)
    for book in flow.books():
        for entry in book.dropped:
            problems.add((entry["file"], entry["line"]), entry["step"], entry["reason"])
    problems.raise_if_any()


def _render(flow: Flow, family: Family, config: DataSection, around: Surroundings) -> tuple[Path, Path]:
    """Token sequences of the living rows and of the children; the folders they lie in."""
    keep_at_hand(around.model, around.renderer)
    folders = (around.work / "rendered", around.work / "rendered-children")
    total = len(flow.corpus()) + len(family.corpus)
    done = 0
    for corpus, target in zip((flow.corpus(), family.corpus), folders, strict=True):
        task = RenderPass(around.model, config.max_tokens, config.on_too_long, corpus.shards.folder, target)
        for count in flow.runner.map(task, list(enumerate(corpus.living))):
            done += count
            flow.tell(RENDER, done, total)
    return folders


def _write(clerk: Clerk, flow: Flow, held: Held, family: Family, rendered: tuple[Path, Path]) -> None:
    """Book every row and write those that live, shard by shard in the order of the sources, children last."""
    corpus = flow.corpus()
    clerk.ledger.read = flow.read
    flow.tell(WRITE, 0, len(corpus))
    for index, splits in enumerate(held.splits):
        names = [SPLITS[split] for split in splits[flow.living[index]]]
        living = zip(flow.positions(index), corpus.shard(index), names, load_rendered(rendered[0], index), strict=True)
        clerk.shard(flow.dropped(index), list(living))
    for index in range(len(family.corpus.living)):
        for row, result in zip(family.corpus.shard(index), load_rendered(rendered[1], index), strict=True):
            clerk.rendered(row, "train", result)
    for child in family.rejected:
        clerk.rejected(child.child_id, child.step, child.reason, child.parent_id)


def _check_left(summary: Mapping[str, Any]) -> None:
    if summary["splits"]["train"]:
        return
    if not summary["read"]:
        raise UserError(
            "the sources hold no rows",
            where="data.sources",
            fix="check the files: one may have nothing but a header line",
        )
    lost = {step["step"]: step["in"] - step["out"] for step in summary["steps"] if step["in"] > step["out"]}
    went = f"all went to validation {summary['splits']['validation']}, test {summary['splits']['test']}"
    raise UserError(
        f"no training rows are left of {summary['read']} read: "
        + (", ".join(f"{step} dropped {count}" for step, count in lost.items()) or went),
        where="data",
        fix="lower the shares, or give more rows"
        if not lost
        else "relax the steps that dropped the rows, or give more rows",
    )


class Stopwatch:
    """Seconds by step, from the calls that tell of progress."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._step, self._since = tell, "", time.perf_counter()
        self._seconds: dict[str, float] = {}

    def tell(self, step: str, done: int, total: int | None) -> None:
        """Pass it on, and note when a step follows another."""
        if step != self._step:
            self.stop()
            self._step = step
        self._tell(step, done, total)

    def stop(self) -> dict[str, float]:
        """End the step that runs; seconds of every step so far."""
        now = time.perf_counter()
        if self._step:
            self._seconds[self._step] = round(self._seconds.get(self._step, 0.0) + now - self._since, 3)
        self._since = now
        return self._seconds
