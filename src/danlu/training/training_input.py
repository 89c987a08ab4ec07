"""What the train stage is made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from danlu.models.chat import ChatRenderer
from danlu.models.identity import ModelFolder
from danlu.recipe.model import ModelSection
from danlu.recipe.train import TrainSection


@dataclass(frozen=True)
class TrainingInput:
    """What the stage is made from.

    Attributes:
        model: the recipe's model section.
        train: the recipe's train section.
        seed: of data order, initialisation and dropout.
        base: the base model's folder.
        renderer: of the base model.
        dataset: folder of the dataset artifact.
        thinking: whether the data teach thinking; written on the model's card.
    """

    model: ModelSection
    train: TrainSection
    seed: int
    base: ModelFolder
    renderer: ChatRenderer
    dataset: Path
    thinking: bool = False
