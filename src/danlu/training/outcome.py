"""What training tells of itself when it is over."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from danlu.training.decisions import Decisions
from danlu.training.state import TrainingState


@dataclass(frozen=True)
class Outcome:
    """A training that is over.

    Attributes:
        step, tokens: optimizer steps done and tokens seen.
        result_step: the step whose weights the model has now; an earlier one where the best was restored.
        best_step: the step of the best validation; None if there was none.
        stopped_early: whether validation ended it.
        skipped: steps that were not done: step, reason, rows.
        micro_tokens: tokens of a micro-batch, where they had to become fewer; None: as configured.
        overflows: steps without an update because the scaled gradient overflowed (fp16).
    """

    step: int
    tokens: int
    result_step: int
    best_step: int | None
    stopped_early: bool
    skipped: list[dict[str, Any]]
    micro_tokens: int | None
    overflows: int

    def facts(self) -> dict[str, Any]:
        """For the manifest of what was trained."""
        named = asdict(self)
        return {"steps": named.pop("step"), **named}


def outcome_of(state: TrainingState, decisions: Decisions, result_step: int) -> Outcome:
    """From the state and the decisions at the end, and the step whose weights the model has."""
    stopping, done = state.stopping, state.progress
    skips = [decisions.skips[step] for step in sorted(decisions.skips)]
    return Outcome(
        step=done.step,
        tokens=done.tokens,
        result_step=result_step,
        best_step=stopping.best_step,
        stopped_early=stopping.now,
        skipped=[{"step": skip.step, "reason": skip.reason, "rows": list(skip.rows)} for skip in skips],
        micro_tokens=min((halving.micro_tokens for halving in decisions.halvings), default=None),
        overflows=state.overflows,
    )
