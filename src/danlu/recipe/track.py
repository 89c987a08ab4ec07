"""Recipe section `track`: who else is told what happens in a run. It decides nothing about what is made."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from danlu.recipe.section import Section


class TensorBoardTracker(Section):
    """TensorBoard event files; look at them with `tensorboard --logdir FOLDER`."""

    type: Literal["tensorboard"] = "tensorboard"
    folder: str | None = Field(default=None, description="default: tracking/tensorboard in the workspace")


class MlflowTracker(Section):
    """An MLflow experiment: a server, or a database file that needs none."""

    type: Literal["mlflow"] = "mlflow"
    uri: str | None = Field(
        default=None,
        description="tracking URI, such as http://localhost:5000; default: tracking/mlflow in the workspace",
    )
    experiment: str | None = Field(default=None, min_length=1, description="default: the recipe's name")


class WandbTracker(Section):
    """A Weights & Biases run; offline, `wandb sync FOLDER` uploads it later."""

    type: Literal["wandb"] = "wandb"
    mode: Literal["offline", "online"] = Field(default="offline", description="'online' needs a login: wandb login")
    project: str | None = Field(default=None, min_length=1, description="default: the recipe's name")
    entity: str | None = Field(default=None, min_length=1, description="team or user; default: that of the login")


class SwanlabTracker(Section):
    """A SwanLab experiment; offline, `swanlab sync FOLDER` uploads it later."""

    type: Literal["swanlab"] = "swanlab"
    mode: Literal["offline", "online"] = Field(default="offline", description="'online' needs a login: swanlab login")
    project: str | None = Field(default=None, min_length=1, description="default: the recipe's name")
    workspace: str | None = Field(default=None, min_length=1, description="team or user; default: that of the login")


Tracker = Annotated[TensorBoardTracker | MlflowTracker | WandbTracker | SwanlabTracker, Field(discriminator="type")]
