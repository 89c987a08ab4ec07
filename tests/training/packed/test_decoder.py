"""The packed decoder computes what transformers and PEFT compute, and leaves what it does not know to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from danlu.data.dataset import TrainingSample
from danlu.models.device import autocast
from danlu.models.loading import decoder_and_head, load_model
from danlu.recipe.objectives import SftObjective
from danlu.training import cross_entropy
from danlu.training.activations import set_checkpointing
from danlu.training.cross_entropy import completion_loss
from danlu.training.forecast import LiveBytes
from danlu.training.method import Preparation, hold
from danlu.training.objective import collate
from danlu.training.objectives.sft import Sft
from danlu.training.packed.decoder import can_pack, lay_end_to_end, widens
from danlu.training.packed.products import FILLED
from tests.training.making import PAD, assert_close, gradients, made_samples, method_of, section

SFT = Sft(SftObjective())
PACKED_METHODS: list[dict[str, Any]] = [
    {"type": "lora", "rank": 4},
    {"type": "lora", "rank": 4, "rank_stabilized": True, "targets": ["q_proj", "*.layers.1.mlp.*"]},
    {"type": "lora", "rank": 4, "init": "pissa"},
    {"type": "full"},
    {"type": "freeze", "layers": 1},
    {"type": "hybrid", "lora": {"rank": 4}},
]
OTHER_METHODS: list[dict[str, Any]] = [
    {"type": "lora", "rank": 4, "dora": True},
    {"type": "lora", "rank": 4, "dropout": 0.1},
    {"type": "prefix", "tokens": 4},
    {"type": "adapter", "width": 4},
    {"type": "ia3"},
]


def prepared(folder: Path, method: dict[str, Any]) -> torch.nn.Module:
    """A model as the method has it, with adapters that do something."""
    model = method_of(section(method=method)).prepare(load_model(folder, dtype=torch.float32), Preparation(5))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return hold(model, torch.float32).train()


def both(model: torch.nn.Module, samples: Sequence[TrainingSample]) -> None:
    """Loss and gradients, packed and as transformers computes them padded, are equal; packed was really used."""
    examples = SFT.examples(samples)
    assert can_pack(decoder_and_head(model)[0], training=True)
    wanted = completion_loss(model, collate(examples, PAD, unpadded=False))
    wanted.backward()  # type: ignore[no-untyped-call]
    expected = gradients(model)
    found = completion_loss(model, collate(examples, PAD))
    found.backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
    assert_close(gradients(model), expected, tolerance=2e-4)


@pytest.mark.parametrize("method", PACKED_METHODS, ids=lambda method: "-".join(str(v) for v in method.values())[:30])
def test_it_equals_transformers_and_peft(tiny_folder: Path, method: dict[str, Any]) -> None:
    both(prepared(tiny_folder, method), made_samples(5))


@pytest.mark.parametrize("method", [PACKED_METHODS[0], *PACKED_METHODS[4:]], ids=str)
def test_frozen_matrices_may_stay_in_bf16_and_give_the_same_bits(tiny_folder: Path, method: dict[str, Any]) -> None:
    found: dict[bool, Any] = {}
    for narrow in (False, True):
        model = method_of(section(method=method)).prepare(load_model(tiny_folder, dtype=torch.bfloat16), Preparation(5))
        assert widens(decoder_and_head(model)[0], torch.float32, torch.device("cpu"))
        hold(model, torch.float32, narrow=narrow).train()
        loss = completion_loss(model, collate(SFT.examples(made_samples(5)), PAD))
        loss.backward()  # type: ignore[no-untyped-call]
        found[narrow] = (loss, gradients(model), sum(p.numel() * p.element_size() for p in model.parameters()))
        kinds = {name: p.dtype for name, p in model.named_parameters() if not p.requires_grad and p.ndim == 2}
        matrices = {dtype for name, dtype in kinds.items() if ".layers." in name}
        assert matrices == {torch.bfloat16 if narrow else torch.float32}
        assert {dtype for name, dtype in kinds.items() if ".layers." not in name} <= {torch.float32}
    assert torch.equal(found[True][0], found[False][0]) and found[True][2] < found[False][2]
    assert found[True][1].keys() == found[False][1].keys()
    assert all(torch.equal(found[True][1][name], gradient) for name, gradient in found[False][1].items())


def test_what_other_layers_multiply_is_widened_at_once(tiny_folder: Path) -> None:
    cpu = torch.device("cpu")
    dora, _ = decoder_and_head(prepared(tiny_folder, {"type": "lora", "rank": 4, "dora": True}))
    plain, _ = decoder_and_head(prepared(tiny_folder, {"type": "lora", "rank": 4}))
    assert not widens(dora, torch.float32, cpu), "PEFT's layers multiply as they find it"
    assert not widens(plain, torch.bfloat16, cpu) and not widens(plain, torch.float32, torch.device("cuda"))


@pytest.mark.parametrize("kind", ["lora", "full"])
def test_whole_layers_computed_again_give_the_same_bits_from_less_memory(tiny_folder: Path, kind: str) -> None:
    found: dict[str, Any] = {}
    for mode in ("off", "full"):
        model = prepared(tiny_folder, {"type": kind})
        set_checkpointing(model, mode)
        assert can_pack(decoder_and_head(model)[0], training=True)
        batch = collate(SFT.examples(made_samples(5)), PAD)
        with LiveBytes() as live:
            loss = completion_loss(model, batch)
            kept = live.now
            loss.backward()  # type: ignore[no-untyped-call]
        found[mode] = loss.detach(), gradients(model), kept
    assert torch.equal(found["off"][0], found["full"][0])
    assert all(torch.equal(found["off"][1][name], gradient) for name, gradient in found["full"][1].items())
    assert found["full"][1].keys() == found["off"][1].keys() and found["full"][2] < 0.7 * found["off"][2]


def test_what_is_to_be_kept_of_a_layer_is_left_to_transformers(tiny_folder: Path) -> None:
    model = prepared(tiny_folder, {"type": "lora"})
    set_checkpointing(model, "selective")
    decoder, _ = decoder_and_head(model)
    assert not can_pack(decoder, training=True) and can_pack(decoder, training=False)


@pytest.mark.parametrize("method", OTHER_METHODS, ids=lambda method: "-".join(str(v) for v in method.values())[:30])
def test_what_it_does_not_know_is_left_to_transformers(tiny_folder: Path, method: dict[str, Any]) -> None:
    model = prepared(tiny_folder, method)
    assert not can_pack(decoder_and_head(model)[0], training=True)
    completion_loss(model, collate(SFT.examples(made_samples(3)), PAD)).backward()  # type: ignore[no-untyped-call]


def test_dropout_matters_only_while_training(tiny_folder: Path) -> None:
    decoder, _ = decoder_and_head(prepared(tiny_folder, {"type": "lora", "dropout": 0.1}))
    assert can_pack(decoder, training=False)


@pytest.mark.parametrize("config", [Qwen2Config, LlamaConfig])
def test_other_families(config: Any) -> None:
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "vocab_size": 60}
    heads = {"num_attention_heads": 4, "num_key_value_heads": 2, "initializer_range": 0.3}
    torch.manual_seed(0)
    model = (Qwen2ForCausalLM if config is Qwen2Config else LlamaForCausalLM)(config(**sizes, **heads))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(parameter)
    both(model.train(), made_samples(4))


def test_no_row_sees_another(tiny_folder: Path) -> None:
    model = prepared(tiny_folder, {"type": "lora", "rank": 4})
    rows, others = made_samples(3, seed=1), made_samples(3, seed=2)
    alone = cross_entropy.negative_log_likelihoods(model, collate(SFT.examples(rows[:1]), PAD))
    for beside in (rows[1:], others):
        for group in ([*beside, rows[0]], [rows[0], *beside]):
            batch = collate(SFT.examples(group), PAD)
            found = cross_entropy.negative_log_likelihoods(model, batch)[batch.owners == group.index(rows[0])]
            torch.testing.assert_close(found, alone, rtol=1e-6, atol=2e-6)


def test_a_hook_or_another_part_sends_it_back_to_transformers(tiny_folder: Path) -> None:
    model = load_model(tiny_folder, dtype=torch.float32)
    decoder: Any = model.get_decoder()  # type: ignore[no-untyped-call]
    assert can_pack(decoder, training=True)
    hook = decoder.layers[0].mlp.register_forward_hook(lambda module, given, out: out)
    assert not can_pack(decoder, training=True)
    hook.remove()
    decoder.layers[1].mlp.act_fn = torch.nn.GELU()
    assert not can_pack(decoder, training=True)


def test_bf16_weights_are_multiplied_in_fp32_where_the_cpu_has_no_bf16(
    tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = SFT.examples(made_samples(4))
    model = hold(prepared(tiny_folder, {"type": "lora", "rank": 4}), torch.bfloat16)
    rounded = hold(prepared(tiny_folder, {"type": "lora", "rank": 4}), torch.bfloat16).float()
    expected = completion_loss(rounded, collate(samples, PAD))
    losses = {}
    for native in (False, True):
        monkeypatch.setattr(cross_entropy, "native_bf16", lambda device, native=native: native)
        with autocast(torch.device("cpu"), torch.bfloat16):
            losses[native] = completion_loss(model, collate(samples, PAD))
        losses[native].backward()  # type: ignore[no-untyped-call]
        found = gradients(model)
        assert {gradient.dtype for gradient in found.values()} == {torch.float32}
    torch.testing.assert_close(losses[False], expected, rtol=1e-6, atol=1e-5)
    assert losses[True] != losses[False]
    torch.testing.assert_close(losses[True], expected, rtol=2e-2, atol=0)


def test_rows_come_in_few_numbers_and_what_fills_up_is_not_wanted() -> None:
    rows = torch.arange(1, 61).reshape(3, 20)
    packed = lay_end_to_end(rows, [20, 3, 7], torch.tensor([19, 20, 46]))
    assert len(packed.input_ids) == len(packed.times) == sum(packed.lengths) == FILLED
    assert packed.lengths == (20, 3, 7, FILLED - 30) and packed.spans.starts.tolist() == [0, 20, 23, 30, FILLED]
    assert packed.times[30:].tolist() == list(range(FILLED - 30)), "a sequence of its own, that sees nothing of others"
    assert len(packed.picked) == FILLED and packed.wanted == 3
    assert packed.input_ids[packed.picked[:3]].tolist() == rows.reshape(-1)[[19, 20, 46]].tolist()
    exact = lay_end_to_end(torch.ones(2, 32, dtype=torch.long), [32, 32], torch.arange(FILLED))
    assert exact.lengths == (32, 32) and len(exact.picked) == exact.wanted == FILLED
