"""Stand-ins for the packages of trackers: the calls that danlu makes, with the names and arguments they really have."""

from __future__ import annotations

import itertools
import sys
import types
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

Curves = dict[str, list[tuple[int, float]]]


@dataclass
class FakeRun:
    """What a tracker holds of one run."""

    name: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    curves: Curves = field(default_factory=lambda: defaultdict(list))
    texts: dict[str, str] = field(default_factory=dict)
    statuses: list[str] = field(default_factory=list)
    opened: int = 0


@dataclass
class Store:
    """What a tracker holds; while `broken`, every call to it fails as one without network does."""

    runs: dict[str, FakeRun] = field(default_factory=dict)
    broken: bool = False
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def check(self) -> None:
        """Fail if broken."""
        if self.broken:
            raise ConnectionError("no route to host")

    def open(
        self, run_id: str | None, name: str, config: Mapping[str, Any], *, anew: bool = False
    ) -> tuple[str, FakeRun]:
        """A run by its id, or a new one; `anew`: into a folder of its own, and the newest is the run."""
        self.check()
        run_id = run_id or f"id{next(self.numbers)}"
        run = self.runs.setdefault(run_id, FakeRun())
        run.name, run.opened = name, run.opened + 1
        if anew:
            run.curves.clear()
        run.config.update(config)
        return run_id, run


def module(name: str, **attributes: Any) -> types.ModuleType:
    """A module of that name, with these attributes."""
    made = types.ModuleType(name)
    vars(made).update(attributes)
    return made


def fake_wandb(store: Store) -> types.ModuleType:
    """`wandb`."""

    class Summary:
        def __init__(self, run: FakeRun) -> None:
            self.run = run

        def update(self, values: Mapping[str, Any]) -> None:
            store.check()
            _keep(self.run, max((step for step, _ in self.run.curves.get("train/loss", [])), default=0), values)

    class Run:
        def __init__(self, run_id: str, run: FakeRun) -> None:
            self.id, self.run, self.summary = run_id, run, Summary(run)

        def log(self, data: dict[str, Any], step: int | None = None) -> None:
            store.check()
            assert step is not None
            _keep(self.run, step, data)

        def finish(self, exit_code: int | None = None) -> None:
            store.check()
            self.run.statuses.append("done" if exit_code == 0 else "failed")

    class Settings:
        def __init__(self, *, console: str, silent: bool, disable_git: bool, disable_code: bool) -> None:
            assert (console, silent, disable_git, disable_code) == ("off", True, True, True)

    def init(
        *,
        project: str,
        entity: str | None,
        mode: str,
        name: str,
        id: str | None,
        resume: str | None,
        dir: str,
        config: dict[str, Any],
        settings: Settings,
    ) -> Run:
        assert mode == "offline" and project and dir and (id is None or resume == "allow")
        return Run(*store.open(id, name, config, anew=True))

    return module("wandb", init=init, Settings=Settings)


def fake_swanlab(store: Store) -> types.ModuleType:
    """`swanlab`."""

    class Config:
        def __init__(self, run: FakeRun) -> None:
            self.run = run

        def update(self, values: Mapping[str, Any]) -> None:
            store.check()
            _keep(self.run, 0, values["outcome"])

    class Run:
        def __init__(self, run_id: str, run: FakeRun) -> None:
            self.id, self.run, self.config = run_id, run, Config(run)

        def log(self, data: Mapping[str, Any], step: int | None = None) -> None:
            store.check()
            assert step is not None
            _keep(self.run, step, data)

        def finish(self, state: str = "success", error: str | None = None) -> None:
            store.check()
            assert (state == "crashed") == bool(error)
            self.run.statuses.append("done" if state == "success" else "failed")

    class Settings:
        @classmethod
        def model_validate(cls, values: dict[str, Any]) -> Settings:
            assert values == {"interactive": False, "terminal": {"proxy_type": "none"}, "probe": {"git": False}}
            return cls()

    def init(
        *,
        project: str,
        workspace: str | None,
        mode: str,
        name: str,
        log_dir: str,
        config: dict[str, Any],
        settings: Settings,
        id: str | None = None,
        resume: str | None = None,
    ) -> Run:
        assert mode == "offline" and project and log_dir and (id is None or resume == "allow")
        return Run(*store.open(id, name, config, anew=True))

    return module("swanlab", init=init, Settings=Settings)


@dataclass
class Metric:
    """`mlflow.entities.Metric`."""

    key: str
    value: float
    timestamp: int
    step: int


@dataclass
class Param:
    """`mlflow.entities.Param`."""

    key: str
    value: str


class MlflowException(Exception):
    """`mlflow.exceptions.MlflowException`."""

    error_code = "RESOURCE_DOES_NOT_EXIST"


class Client:
    """`mlflow.MlflowClient` over a store."""

    def __init__(self, store: Store, tracking_uri: str) -> None:
        assert tracking_uri.startswith("sqlite:///")
        self.store = store

    def get_experiment_by_name(self, name: str) -> Any:
        self.store.check()

    def create_experiment(self, name: str, artifact_location: str | None = None) -> str:
        assert artifact_location is not None and artifact_location.startswith("file:///")
        return "7"

    def create_run(self, experiment_id: str, run_name: str) -> Any:
        assert experiment_id == "7"
        return self._shown(self.store.open(None, run_name, {})[0])

    def get_run(self, run_id: str) -> Any:
        self.store.check()
        if run_id not in self.store.runs:
            raise MlflowException(f"no run {run_id}")
        self.store.open(run_id, self.store.runs[run_id].name, {})
        return self._shown(run_id)

    def update_run(self, run_id: str, status: str) -> None:
        assert status == "RUNNING"

    def get_metric_history(self, run_id: str, key: str) -> list[Metric]:
        return [Metric(key, value, 0, step) for step, value in self.store.runs[run_id].curves.get(key, [])]

    def log_batch(self, run_id: str, metrics: Sequence[Metric] = (), params: Sequence[Param] = ()) -> None:
        self.store.check()
        assert len(params) <= 100
        self.store.runs[run_id].config.update({param.key: param.value for param in params})
        for metric in metrics:
            self.store.runs[run_id].curves[metric.key].append((metric.step, metric.value))

    def log_text(self, run_id: str, text: str, artifact_file: str) -> None:
        self.store.runs[run_id].texts[artifact_file] = text

    def set_tag(self, run_id: str, key: str, value: str) -> None:
        self.store.check()
        self.store.runs[run_id].texts[key] = value

    def set_terminated(self, run_id: str, status: str) -> None:
        self.store.check()
        self.store.runs[run_id].statuses.append("done" if status == "FINISHED" else "failed")

    def _shown(self, run_id: str) -> Any:
        return types.SimpleNamespace(info=types.SimpleNamespace(run_id=run_id, lifecycle_stage="active"))


def fake_mlflow(store: Store) -> types.ModuleType:
    """`mlflow`."""
    entities = module("mlflow.entities", Metric=Metric, Param=Param)
    exceptions = module("mlflow.exceptions", MlflowException=MlflowException)
    return module("mlflow", MlflowClient=partial(Client, store), entities=entities, exceptions=exceptions)


def fake_tensorboard(store: Store) -> types.ModuleType:
    """`torch.utils.tensorboard`."""

    class SummaryWriter:
        def __init__(self, log_dir: str, purge_step: int | None = None) -> None:
            self.run = store.open(log_dir.rpartition("/")[2], log_dir, {})[1]
            for points in self.run.curves.values():
                points[:] = [point for point in points if purge_step is None or point[0] < purge_step]

        def add_scalar(self, name: str, value: float, step: int) -> None:
            store.check()
            self.run.curves[name].append((step, value))

        def add_text(self, name: str, text: str, step: int) -> None:
            store.check()
            self.run.texts[name] = text

        def flush(self) -> None:
            store.check()

        def close(self) -> None:
            self.run.statuses.append("done")

    return module("torch.utils.tensorboard", SummaryWriter=SummaryWriter)


FAKES = {
    "tensorboard": fake_tensorboard,
    "mlflow": fake_mlflow,
    "wandb": fake_wandb,
    "swanlab": fake_swanlab,
}


def install(kind: str, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the stand-in where `import` finds it."""
    made = FAKES[kind](store)
    monkeypatch.setitem(sys.modules, made.__name__, made)
    if kind == "tensorboard":
        monkeypatch.setitem(sys.modules, "tensorboard", module("tensorboard"))


def _keep(run: FakeRun, step: int, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if isinstance(value, str):
            run.texts[name] = value
        else:
            run.curves[name].append((step, value))
