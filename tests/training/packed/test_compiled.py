"""A layer's compiled halves give what the written-out steps give, whatever the lengths, compiled once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from danlu.recipe.objectives import SftObjective
from danlu.training import cross_entropy
from danlu.training.cross_entropy import completion_loss
from danlu.training.objective import collate
from danlu.training.objectives.sft import Sft
from danlu.training.packed import compiled, decoder
from danlu.training.packed.ways import Ways
from tests.training.making import PAD, assert_close, gradients, made_samples
from tests.training.packed.test_decoder import prepared


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")  # torch's compiler looks at it
@pytest.mark.parametrize("method", [{"type": "lora", "rank": 4}, {"type": "full"}], ids=["lora", "full"])
def test_a_model_learns_the_same(tiny_folder: Path, monkeypatch: pytest.MonkeyPatch, method: dict[str, Any]) -> None:
    torch._dynamo.reset()
    made: list[Any] = []

    def counted(graph: Any, inputs: Any) -> Any:
        made.append(graph)
        return graph.forward

    monkeypatch.setattr(decoder, "halves", lambda: compiled.halves(counted))
    decoder._functions.cache_clear()
    model, graphs = prepared(tiny_folder, method), []
    for count in (5, 3, 4):
        samples = Sft(SftObjective()).examples(made_samples(count, seed=count))
        wanted = completion_loss(model, collate(samples, PAD))
        wanted.backward()  # type: ignore[no-untyped-call]
        expected = gradients(model)
        with monkeypatch.context() as patch:
            patch.setattr(cross_entropy, "ways_for", lambda *given: Ways(compile=True))
            found = completion_loss(model, collate(samples, PAD))
        found.backward()  # type: ignore[no-untyped-call]
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
        assert_close(gradients(model), expected, tolerance=2e-4)
        graphs.append(len(made))
    decoder._functions.cache_clear()
    # Each half is one graph; the first layer's states may need no gradient, the others' do. Nothing is compiled again
    assert graphs[0] == graphs[1] == graphs[2] <= 4
