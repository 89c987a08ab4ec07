"""`train.gpu` refuses what would have no effect or contradicts itself."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from danlu.recipe.gpu import GpuSection
from danlu.recipe.train import TrainSection


def test_two_makers_of_the_same_kernels_are_refused() -> None:
    assert GpuSection(compile=True, kernels="torch").compile
    with pytest.raises(ValidationError, match=r"train\.gpu\.compile: true and train\.gpu\.kernels: triton"):
        GpuSection(compile=True, kernels="triton")


@pytest.mark.parametrize("other", [{"decoder": "transformers"}, {"checkpointing": "selective"}])
def test_ways_of_a_decoder_that_is_not_used_are_refused(other: dict[str, Any]) -> None:
    TrainSection.model_validate({**other, "gpu": {"attention": "auto"}})
    with pytest.raises(ValidationError, match=r"remove train\.gpu"):
        TrainSection.model_validate({**other, "gpu": {"attention": "varlen"}})


def test_whole_layers_are_computed_again_in_any_way() -> None:
    assert TrainSection.model_validate({"checkpointing": "full", "gpu": {"attention": "varlen"}}).unpadded
