"""Plan to artifacts: does what is missing, reuses what is there, books everything."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from danlu.pipeline.plan import Plan, Stage, make_plan
from danlu.pipeline.tracker import Status
from danlu.pipeline.trackers import build_trackers
from danlu.pipeline.tracking import start_tracking
from danlu.recipe.errors import DanluError, Interrupted
from danlu.recipe.loading import dump_recipe, read_dumped
from danlu.recipe.recipe import Recipe
from danlu.recipe.track import Tracker as TrackerConfig
from danlu.runs.artifacts import Artifact
from danlu.runs.database import RunRow
from danlu.runs.events import EventLog
from danlu.runs.workspace import RunFolder, Workspace
from danlu.training.allocator import use_one_arena

OnEvent = Callable[[dict[str, Any]], None]

QUIET = {"progress"}
"""Events that are shown but not written to events.jsonl: they say nothing that lasts."""


@dataclass(frozen=True)
class StageResult:
    """What became of a stage: 'made' or 'reused', and how long it took, in seconds."""

    name: str
    status: str
    seconds: float
    key: str


@dataclass(frozen=True)
class RunResult:
    """A finished run.

    Attributes:
        plan: what was run.
        run: its folder.
        artifacts: stage name -> artifact.
        stages: what became of each.
        version: 'name@number' of the registered model, if the run exports.
        comparisons: base against tuned, or [] where the recipe compares nothing.
        clean: the same without the rows that training repeats; None where it repeats none.
        told: trackers that were added to a plan that was done, and told of it.
    """

    plan: Plan
    run: RunFolder
    artifacts: dict[str, Artifact]
    stages: list[StageResult]
    version: str | None = None
    comparisons: Sequence[Any] = field(default=())
    clean: Any = None
    told: Sequence[str] = ()

    @property
    def nothing_done(self) -> bool:
        """True when every stage was there already."""
        return all(stage.status == "reused" for stage in self.stages)


def execute(
    recipe: Recipe,
    workspace: Workspace,
    *,
    until: str = "export",
    command: str = "run",
    on_event: OnEvent | None = None,
    fresh: bool = False,
) -> RunResult:
    """Run a recipe up to a stage.

    A plan that trains has glibc use one arena for the whole process from here on (`danlu.training.allocator`).

    Args:
        recipe: what to run.
        workspace: where artifacts are found and made.
        until: last stage.
        command: the verb, for the books.
        on_event: shown to the user; each event is a dictionary with 'event'.
        fresh: start unfinished stages over instead of going on with what an earlier run left of them.

    Raises:
        DanluError: the first stage that fails; the run is booked as failed, what was made before stays.
        Interrupted: a stage was asked to stop and did; the run is booked as interrupted.
    """
    plan = make_plan(recipe, until)
    earlier = workspace.registry.finished_runs(recipe.name, command, plan.stages[-1].name, plan.stages[-1].key)
    before = _finished_before(plan, workspace, earlier)
    wanted = list(recipe.track) if before is None else _untold(plan, workspace, earlier)
    if before is not None and not wanted:
        return before
    if any(stage.name == "train" for stage in plan.stages):
        use_one_arena()
    trackers = build_trackers(wanted)  # first of all: a missing package is told before work is done
    run = workspace.new_run(recipe.name, dump_recipe(recipe))
    workspace.registry.start_run(run.id, recipe.name, command, run.path)
    with run.alive(), EventLog(run.events) as log:
        tell = _teller(log, on_event)
        tracking = start_tracking(
            plan, run, workspace, trackers, lambda reason: tell({"event": "fault", "reason": reason})
        )

        def tell_all(event: dict[str, Any]) -> None:
            tell(event)
            tracking(event)

        try:
            result = _run_stages(plan, run, workspace, tell_all, fresh)
        except BaseException as error:
            reason = error.reason if isinstance(error, DanluError) else f"{type(error).__name__}: {error}"
            status: Status = "interrupted" if isinstance(error, Interrupted) else "failed"
            tell({"event": status, "reason": reason})
            workspace.registry.finish_run(run.id, status, reason)
            tracking.close(status)
            raise
        workspace.registry.finish_run(run.id, "done")
        tracking.close("done")
        tell({"event": "done"})
    return replace(result, told=tuple(trackers)) if before is not None else result


def _finished_before(plan: Plan, workspace: Workspace, earlier: Sequence[RunRow]) -> RunResult | None:
    """The newest of the earlier runs that did all of this plan, if every artifact is still sound."""
    from danlu.pipeline.finish import clean_rows, compare_models, registered_version

    if not earlier or not workspace.run_folder(earlier[0].id).report.is_file():
        return None
    if not all(stage.is_made(workspace) for stage in plan.stages):
        return None
    made: dict[str, Artifact] = {}
    for stage in plan.stages:
        found = workspace.artifacts.find(stage.kind, stage.key)
        if found is None:  # damaged: set aside now, made again by the run that follows
            return None
        made[stage.name] = found
    run = workspace.run_folder(earlier[0].id)
    results = [StageResult(stage.name, "reused", 0.0, stage.key) for stage in plan.stages]
    version = registered_version(plan, made, workspace)
    return RunResult(plan, run, made, results, version, compare_models(plan, made), clean_rows(plan, made))


def _untold(plan: Plan, workspace: Workspace, earlier: Sequence[RunRow]) -> list[TrackerConfig]:
    """The recipe's trackers that none of these runs had: a training that is done has its curve for them, too."""
    if plan.stage("train") is None:
        return []
    had = [entry for row in earlier for entry in read_dumped(workspace.run_folder(row.id).recipe).get("track", [])]
    return [config for config in plan.recipe.track if config.model_dump(mode="json") not in had]


def _teller(log: EventLog, on_event: OnEvent | None) -> OnEvent:
    def tell(event: dict[str, Any]) -> None:
        if event["event"] not in QUIET:
            log.write(event["event"], **{k: v for k, v in event.items() if k != "event"})
        if on_event:
            on_event(event)

    return tell


def _run_stages(plan: Plan, run: RunFolder, workspace: Workspace, tell: OnEvent, fresh: bool) -> RunResult:
    made: dict[str, Artifact] = {}
    results: list[StageResult] = []
    for stage in plan.stages:
        tell({"event": "stage", "stage": stage.name, "status": "started", "key": stage.key})
        started = time.perf_counter()
        artifact, status = find_or_make(stage, plan, made, workspace, tell, fresh=fresh)
        seconds = round(time.perf_counter() - started, 2)
        made[stage.name] = artifact
        results.append(StageResult(stage.name, status, seconds, stage.key))
        workspace.registry.book_artifact(run.id, stage.name, (stage.kind, stage.key, artifact.path), status)
        tell({"event": "stage", "stage": stage.name, "status": status, "seconds": seconds, "key": stage.key})
    from danlu.pipeline.finish import clean_rows, compare_models, register, result_event, write_report

    comparisons = compare_models(plan, made)
    version = register(plan, run, made, workspace)
    result = RunResult(plan, run, made, results, version, comparisons, clean_rows(plan, made))
    write_report(result)
    tell(result_event(result))
    return result


def find_or_make(
    stage: Stage, plan: Plan, made: dict[str, Artifact], workspace: Workspace, tell: OnEvent, *, fresh: bool = False
) -> tuple[Artifact, str]:
    """The stage's artifact, and whether it was 'made' or 'reused'. One process makes it, others wait for it.

    `fresh` forgets what an earlier process left of a stage that it did not finish.
    """
    store = workspace.artifacts

    def corrupt(reason: str) -> None:
        tell({"event": "corrupt", "stage": stage.name, "reason": reason})

    def waiting() -> None:
        tell({"event": "waiting", "stage": stage.name})

    with store.lock(stage.kind, stage.key, waiting):
        found = store.find(stage.kind, stage.key, corrupt)
        if found is not None:
            return found, "reused"
        from danlu.pipeline.stages import STAGES, StageContext

        work = workspace.work(stage.kind, stage.key)
        if fresh:
            workspace.discard_work(work)
            work = workspace.work(stage.kind, stage.key)
        with store.make(stage.kind, stage.key, inputs=stage.inputs, recipe=stage.fields) as draft:
            context = StageContext(plan, made, Path(draft.path), work, tell, workspace.keys)
            draft.facts.update(STAGES[stage.name](context))
        workspace.discard_work(work)
        done = store.find(stage.kind, stage.key)
        assert done is not None, "an artifact just made is found"
        return done, "made"
