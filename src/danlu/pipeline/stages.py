"""What each stage does: opens its inputs, calls the room that does the work, returns the facts. Torch comes in here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from danlu.data.dataset import load_rows, load_samples, read_repeated
from danlu.data.row import Row
from danlu.models.chat import ChatRenderer
from danlu.models.loading import load_renderer
from danlu.pipeline.plan import Plan
from danlu.recipe.errors import UserError
from danlu.recipe.redaction import RedactSection
from danlu.runs.artifacts import Artifact

OnEvent = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class HeldOutRow:
    """A dataset row in the form that evaluation takes."""

    row_id: str
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None
    thinking: bool | None

    @classmethod
    def of(cls, row: Row) -> HeldOutRow:
        """From the data room's row."""
        return cls(row.id, list(row.messages), list(row.tools) or None, row.thinking)


@dataclass
class StageContext:
    """What a stage function gets.

    Attributes:
        plan: the run's plan.
        made: stage name -> artifact of the stages before.
        out: folder of the artifact being made.
        work: folder that survives a kill, for what can be gone on from.
        on_event: told of progress.
        keys: folder of the workspace's secrets, outside every artifact.
    """

    plan: Plan
    made: Mapping[str, Artifact]
    out: Path
    work: Path
    on_event: OnEvent
    keys: Path

    @property
    def renderer(self) -> ChatRenderer:
        """Of the base model."""
        return load_renderer(self.plan.base.path)


def run_data(context: StageContext) -> dict[str, Any]:
    """Rows to dataset, with its report."""
    from danlu.data.prepare import Surroundings, prepare_dataset
    from danlu.pipeline.dataset_page import write_dataset_page
    from danlu.pipeline.writers import build_writers

    recipe = context.plan.recipe

    def tell(step: str, done: int, total: int | None) -> None:
        context.on_event({"event": "progress", "done": done, "total": total, "note": step.replace("_", " ")})

    around = Surroundings(
        renderer=context.renderer,
        model=context.plan.base.path,
        work=context.work,
        key=pseudonym_key(recipe.data.redact, context.keys),
        writers=build_writers(recipe.data.augment),
        tell=tell,
    )
    summary = prepare_dataset(recipe.data, around, context.out)
    write_dataset_page(context.out, recipe.name, context.plan.stages[0], around.renderer.rendering_hash)
    return summary


def pseudonym_key(redact: RedactSection | None, keys: Path) -> bytes:
    """The secret key of pseudonyms: the user's, or the workspace's own, made when it is first needed.

    Raises:
        UserError: the user's key file is missing or too short.
    """
    from danlu.data.personal.keys import load_key, make_key

    if redact is None:
        return b""
    if redact.key_file is not None:
        return load_key(Path(redact.key_file))
    path = keys / "pseudonyms.key"
    if not path.is_file():
        make_key(path)
    return load_key(path)


def run_train(context: StageContext) -> dict[str, Any]:
    """Dataset and base to what was trained; each step is told with the memory in use at its end."""
    from danlu.models.device import default_device, memory_in_use
    from danlu.training.run import run_training

    device, peak = default_device(), 0

    def tell(event: dict[str, Any]) -> None:
        nonlocal peak
        if event["event"] == "step":
            event = {**event, "memory": memory_in_use(device)}
            peak = max(peak, event["memory"])
        context.on_event(event)

    given = training_input(context.plan, context.made["data"].path)
    facts = run_training(given, context.work, context.out, tell)
    return {**facts, "memory": peak}


def training_input(plan: Plan, dataset: Path) -> Any:
    """What the train stage of a plan is made from."""
    from danlu.training.training_input import TrainingInput

    return TrainingInput(
        model=plan.recipe.model,
        train=plan.recipe.train,
        seed=plan.recipe.seed,
        base=plan.base,
        renderer=load_renderer(plan.base.path),
        dataset=dataset,
        thinking=any(_thinks(row) for row in load_rows(dataset, "train")),
    )


def _thinks(row: Row) -> bool:
    return bool(row.thinking) or any(message.get("reasoning_content") for message in row.messages)


def run_evaluate_base(context: StageContext) -> dict[str, Any]:
    """The base model on the held-out rows."""
    from danlu.models.device import compute_dtype, default_device
    from danlu.models.loading import load_model

    recipe, base, device = context.plan.recipe, context.plan.base, default_device()
    dtype = compute_dtype("auto", device)
    model = load_model(base.path, dtype=dtype, device=device, weights=recipe.model.weights, seed=recipe.seed)
    return _evaluate(context, model)


def run_evaluate(context: StageContext) -> dict[str, Any]:
    """The tuned model on the held-out rows."""
    from danlu.models.device import compute_dtype, default_device
    from danlu.models.trained import load_trained

    device = default_device()
    dtype = compute_dtype("auto", device)
    model = load_trained(context.made["train"].path, context.plan.base, dtype=dtype, device=device)
    return _evaluate(context, model)


def _evaluate(context: StageContext, model: Any) -> dict[str, Any]:
    from danlu.evaluation.evaluate import evaluate_model, write_evaluation
    from danlu.evaluation.metrics import build_metrics

    recipe = context.plan.recipe
    dataset, split = context.made["data"].path, recipe.evaluate.split
    rows = [HeldOutRow.of(row) for row in load_rows(dataset, split) if row.messages]
    if not rows:
        raise UserError(
            f"the split '{split}' has no conversations to evaluate",
            where="evaluate.split",
            fix="give data.split a larger share, or add rows",
        )

    def progress(done: int, total: int) -> None:
        context.on_event({"event": "progress", "done": done, "total": total})

    answered = evaluate_model(model, context.renderer, rows, recipe.evaluate, progress)
    metrics = build_metrics(recipe.evaluate.metrics)
    repeated = read_repeated(dataset, split)
    result = write_evaluation(context.out, answered, metrics, recipe.evaluate, recipe.seed, repeated)
    return {
        "rows": len(result.rows),
        "scores": {score.metric: score.value for score in result.scores},
        "repeated_rows": len(result.repeated),
        "clean_scores": {score.metric: score.value for score in result.clean_scores},
    }


def run_export(context: StageContext) -> dict[str, Any]:
    """What was trained to what others load."""
    from danlu.export import EXPORTERS
    from danlu.export.merged import ExportInput

    recipe = context.plan.recipe
    dataset = context.made["data"].path
    held_out = [s for split in ("test", "validation") for s in load_samples(dataset, split)]
    given = ExportInput(recipe.export, context.made["train"].path, context.plan.base, context.renderer, held_out)
    facts: dict[str, Any] = EXPORTERS.load(recipe.export.type)(given, context.out)
    return facts


STAGES: dict[str, Callable[[StageContext], dict[str, Any]]] = {
    "data": run_data,
    "train": run_train,
    "evaluate_base": run_evaluate_base,
    "evaluate": run_evaluate,
    "export": run_export,
}
