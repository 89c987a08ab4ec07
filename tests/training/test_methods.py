"""What is particular to each method, and loading what they made."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from pydantic import ValidationError
from safetensors.torch import load_file

from danlu.models.card import ModelCard
from danlu.models.identity import ModelFolder, fingerprint
from danlu.models.loading import load_model
from danlu.models.trained import load_trained
from danlu.recipe.errors import UserError
from danlu.recipe.methods import FreezeMethod, FullMethod, HybridMethod, LoraMethod, QloraMethod
from danlu.training.adapters import rank_warning
from danlu.training.loop import train
from danlu.training.method import Method, Preparation, group_plans, layer_of, trainable
from danlu.training.methods.freeze import Freeze
from danlu.training.methods.full import Full
from danlu.training.methods.hybrid import Hybrid
from danlu.training.methods.lora import Lora
from danlu.training.methods.qlora import Qlora
from tests.tiny import build_tiny_model, build_tiny_moe
from tests.training.making import made_samples, make_job, section


def plain(folder: Path) -> Any:
    return load_model(folder, dtype=torch.float32)


def adapted(model: torch.nn.Module) -> list[Any]:
    """The layers that have an adapter."""
    found = [module for module in model.modules() if hasattr(module, "lora_A")]
    assert found
    return found


def test_lora_adapts_every_linear_layer_but_the_head(tiny_folder: Path) -> None:
    model = Lora(LoraMethod(rank=3)).prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(0))
    names = list(trainable(model))
    assert len(names) == 2 * 7 * 2  # layers, linear layers of each, A and B
    assert all("lora_A" in name or "lora_B" in name for name in names) and not any("lm_head" in n for n in names)
    assert {min(parameter.shape) for parameter in trainable(model).values()} == {3}


def test_lora_targets_and_scale_are_as_told(tiny_folder: Path) -> None:
    config = LoraMethod(rank=4, alpha=6.0, dropout=0.25, targets=("q_proj", "down_proj"))
    model = Lora(config).prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(0))
    assert {name.split(".lora_")[0].rsplit(".", 1)[-1] for name in trainable(model)} == {"q_proj", "down_proj"}
    assert all(layer.scaling == {"default": 1.5} for layer in adapted(model))
    assert [m.p for m in model.modules() if isinstance(m, torch.nn.Dropout)][:1] == [0.25]


def test_lora_default_scale_is_two(tiny_folder: Path) -> None:
    model = Lora(LoraMethod(rank=8)).prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(0))
    assert all(layer.scaling == {"default": 2.0} for layer in adapted(model))


def test_another_seed_starts_elsewhere(tiny_folder: Path) -> None:
    one, other = (
        trainable(Lora(LoraMethod()).prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(s)))
        for s in (1, 2)
    )
    assert any(not torch.equal(one[name], other[name]) for name in one if "lora_A" in name)


def test_an_unknown_target_is_refused_with_the_known_ones(tiny_folder: Path) -> None:
    with pytest.raises(UserError, match="no linear layer 'q_porj'") as error:
        Lora(LoraMethod(targets=("q_porj",))).prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(0))
    assert "q_proj" in error.value.fix


def test_full_trains_everything_and_keeps_weights_tied(tiny_folder: Path, tmp_path: Path) -> None:
    model = Full(FullMethod()).prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(0))
    assert set(trainable(model)) == {name for name, _ in model.named_parameters()}
    Full(FullMethod()).save(model, tmp_path)
    again: Any = load_model(tmp_path)
    assert again.get_input_embeddings().weight is again.get_output_embeddings().weight


def test_an_adapter_on_another_base_is_refused(tiny_folder: Path, base: ModelFolder, tmp_path: Path) -> None:
    out = tmp_path / "adapter"
    out.mkdir()
    method = Lora(LoraMethod(rank=2))
    method.save(method.prepare(load_model(tiny_folder, dtype=torch.float32), Preparation(0)), out)
    with pytest.raises(UserError, match=r"no danlu\.json"):
        load_trained(out, base)
    ModelCard("adapter", base.name, base.fingerprint, "hash").save(out)
    assert load_trained(out, base) is not None
    changed = build_tiny_model(tmp_path / "other", seed=1)
    other = ModelFolder("other", changed, fingerprint(changed))
    with pytest.raises(UserError, match="was trained on a base with fingerprint") as error:
        load_trained(out, other)
    assert error.value.where == str(out) and error.value.fix


def test_rank_stabilized_scale_is_alpha_over_the_root_of_the_rank(tiny_folder: Path) -> None:
    model = Lora(LoraMethod(rank=4, alpha=6.0, rank_stabilized=True)).prepare(plain(tiny_folder), Preparation(0))
    assert all(layer.scaling == {"default": 3.0} for layer in adapted(model))


def test_ranks_of_their_own_keep_the_scale(tiny_folder: Path) -> None:
    config = LoraMethod(rank=4, ranks={"q_proj": 2, "*.layers.1.mlp.*": 8})
    model = Lora(config).prepare(plain(tiny_folder), Preparation(0))
    ranks = {
        name.split(".model.layers.")[1]: m.r["default"] for name, m in model.named_modules() if hasattr(m, "lora_A")
    }
    assert ranks["0.self_attn.q_proj"] == ranks["1.self_attn.q_proj"] == 2
    assert ranks["1.mlp.up_proj"] == 8 and ranks["0.mlp.up_proj"] == 4
    assert {layer.scaling["default"] for layer in adapted(model)} == {2.0}
    with pytest.raises(UserError, match="no adapter is on a layer 'qq'"):
        Lora(LoraMethod(ranks={"qq": 2})).prepare(plain(tiny_folder), Preparation(0))


def test_targets_by_pattern_are_named_shortly_where_they_can_be(tiny_folder: Path) -> None:
    some = Lora(LoraMethod(targets=("*.layers.1.self_attn.?_proj",))).prepare(plain(tiny_folder), Preparation(0))
    assert {name.split(".")[4] for name in trainable(some)} == {"1"} and len(trainable(some)) == 8
    every: Any = Lora(LoraMethod(targets=("*.mlp.*",))).prepare(plain(tiny_folder), Preparation(0))
    assert every.peft_config["default"].target_modules == {"gate_proj", "up_proj", "down_proj"}


def test_b_learns_at_a_rate_of_its_own(tiny_folder: Path, tmp_path: Path) -> None:
    (override,) = Lora(LoraMethod(b_rate=16)).rates()
    assert override.factor == 16 and Lora(LoraMethod()).rates() == []
    steps = {}
    for ratio in (1.0, 16.0):
        config = section(
            method={"type": "lora", "rank": 4, "b_rate": ratio}, max_steps=1, optimizer={"learning_rate": 1e-3}
        )
        job = make_job(tiny_folder, tmp_path / str(ratio), config, made_samples(8))
        before = {name: p.detach().clone() for name, p in trainable(job.model).items()}
        train(job)
        moved = {name: (p - before[name]).abs().max().item() for name, p in trainable(job.model).items()}
        steps[ratio] = {part: max(v for name, v in moved.items() if part in name) for part in ("lora_A", "lora_B")}
    assert steps[16.0]["lora_B"] == pytest.approx(16 * steps[1.0]["lora_B"], rel=1e-3)
    assert steps[16.0]["lora_A"] == pytest.approx(steps[1.0]["lora_A"], rel=1e-3)


@pytest.mark.parametrize("fields", [{"dora": True}, {"init": "pissa"}, {"init": "pissa", "rank_stabilized": True}])
def test_variants_start_at_the_base_and_come_back_as_trained(
    fields: dict[str, Any], base: ModelFolder, tmp_path: Path
) -> None:
    method = {"type": "lora", "rank": 4, "ranks": {"q_proj": 2}, **fields}
    job = make_job(base.path, tmp_path / "work", section(method=method, max_steps=10), made_samples(8))
    ids = torch.tensor([[21, 22, 23, 24]])
    with torch.no_grad():
        expected = plain(base.path)(input_ids=ids).logits
        torch.testing.assert_close(job.model.eval()(input_ids=ids).logits, expected, atol=1e-4, rtol=1e-4)
    train(job)
    out = tmp_path / "out"
    out.mkdir()
    saver: Method = Lora(LoraMethod.model_validate(method))
    saver.prepare(plain(base.path), Preparation(5))
    saver.save(job.model, out)
    ModelCard("adapter", base.name, base.fingerprint, "hash").save(out)
    again: Any = load_trained(out, base, dtype=torch.float32)
    with torch.no_grad():
        trained = job.model.eval()(input_ids=ids).logits
        torch.testing.assert_close(again.eval()(input_ids=ids).logits, trained, atol=1e-4, rtol=1e-4)
        merged = again.merge_and_unload()(input_ids=ids).logits
    torch.testing.assert_close(merged, trained, atol=1e-4, rtol=1e-4)
    assert (trained - expected).abs().max() > 0.01


def test_pissa_takes_the_largest_singular_values(tiny_folder: Path) -> None:
    model: Any = Lora(LoraMethod(rank=4, init="pissa")).prepare(plain(tiny_folder), Preparation(0))
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    weight = plain(tiny_folder).model.layers[0].self_attn.q_proj.weight.detach()
    values = torch.linalg.svdvals(weight)
    update = layer.scaling["default"] * layer.lora_B["default"].weight @ layer.lora_A["default"].weight
    torch.testing.assert_close(torch.linalg.svdvals(update.detach())[:4], values[:4], rtol=0.05, atol=0.0)
    torch.testing.assert_close(layer.base_layer.weight.detach() + update.detach(), weight, atol=1e-5, rtol=1e-4)


def test_freeze_trains_the_groups_and_layers_it_names(tiny_folder: Path) -> None:
    def names(**fields: Any) -> set[str]:
        return set(trainable(Freeze(FreezeMethod.model_validate(fields)).prepare(plain(tiny_folder), Preparation(0))))

    assert names(train=["norms"], layers=1) == {
        *(f"model.layers.1.{part}.weight" for part in ("input_layernorm", "post_attention_layernorm")),
        *(f"model.layers.1.self_attn.{part}.weight" for part in ("q_norm", "k_norm")),
        "model.norm.weight",
    }
    assert {layer_of(name) for name in names(train=["mlp"], layers=[0])} == {0}
    assert names(train=["embeddings"]) == {"model.embed_tokens.weight"}
    with pytest.raises(UserError, match="the model has 2 layers"):
        names(layers=[2])
    with pytest.raises(UserError, match="its head is one with its embeddings"):
        names(train=["head"])


def test_hybrid_saves_adapters_and_parts(base: ModelFolder, tmp_path: Path) -> None:
    hybrid = Hybrid(HybridMethod())
    model = hybrid.prepare(plain(base.path), Preparation(0))
    hybrid.save(model, tmp_path)
    names = set(load_file(tmp_path / "parts.safetensors"))
    assert "model.layers.0.self_attn.q_proj.weight" in names and "model.norm.weight" in names
    assert not any("mlp" in name or "embed" in name for name in names)
    assert all(".mlp." in name for name in load_file(tmp_path / "adapter_model.safetensors"))


def test_trained_parts_are_computed_in_the_format_that_is_asked_for(base: ModelFolder, tmp_path: Path) -> None:
    model: Any = Hybrid(HybridMethod()).prepare(plain(base.path), Preparation(0))
    expected: Any = load_model(base.path, dtype=torch.bfloat16)
    with torch.no_grad():
        for some in (model.get_base_model(), expected):
            some.model.norm.weight.mul_(2)
    Hybrid(HybridMethod()).save(model, tmp_path)
    ModelCard("parts", base.name, base.fingerprint, "hash").save(tmp_path)
    loaded: Any = load_trained(tmp_path, base, dtype=torch.bfloat16)
    ids = torch.tensor([[21, 22, 23, 24]])
    with torch.no_grad():  # no autocast, as in evaluation and serving
        found = loaded.eval()(input_ids=ids).logits
        torch.testing.assert_close(found, expected.eval()(input_ids=ids).logits)
    assert found.dtype == torch.bfloat16
    kept: Any = load_trained(tmp_path, base, dtype="auto")
    saved = load_file(tmp_path / "parts.safetensors")["model.norm.weight"]
    assert kept.get_base_model().model.norm.weight.dtype == saved.dtype


def test_a_base_in_4_bits_is_merged_as_it_was_trained(base: ModelFolder, tmp_path: Path) -> None:
    job = make_job(base.path, tmp_path / "work", section(method={"type": "qlora"}, max_steps=5), made_samples(8))
    train(job)
    out = tmp_path / "out"
    out.mkdir()
    Qlora(QloraMethod()).save(job.model, out)
    ModelCard("adapter", base.name, base.fingerprint, "hash").save(out)
    ids = torch.tensor([[21, 22, 23, 24]])
    plain_model: Any = load_trained(out, base, dtype=torch.float32, plain=True)
    merged = plain_model.merge_and_unload(safe_merge=True)
    assert all(p.is_floating_point() for p in merged.parameters())
    with torch.no_grad():
        trained = job.model.eval()(input_ids=ids).logits
        torch.testing.assert_close(merged.eval()(input_ids=ids).logits, trained, atol=1e-4, rtol=1e-4)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PEFT's own
            onto_the_file: Any = PeftModel.from_pretrained(plain(base.path), str(out)).eval()
        assert (onto_the_file(input_ids=ids).logits - trained).abs().max() > 0.01  # what a careless merge gives


@pytest.mark.parametrize(
    ("section_of", "fields", "reason"),
    [
        (LoraMethod, {"dora": True, "init": "pissa"}, "cannot be combined"),
        (LoraMethod, {"experts": True, "dropout": 0.1}, "know neither"),
        (LoraMethod, {"ranks": {"q_proj": 0}}, "must be at least 1"),
        (QloraMethod, {"init": "pissa"}, "a base in 4 bits"),
        (HybridMethod, {"groups": {"mlp": "lora"}}, "hybrid needs a group"),
        (HybridMethod, {"groups": {"norms": "lora", "mlp": "full"}}, "norms can be"),
        (FreezeMethod, {"layers": 0}, "at least one layer"),
    ],
)
def test_what_does_not_go_together_is_refused_when_the_recipe_is_read(
    section_of: Any, fields: Any, reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        section_of.model_validate(fields)


def hybrid_on(folder: Path, **fields: Any) -> dict[str, int]:
    """What trains in each group under a hybrid method."""
    model = Hybrid(HybridMethod.model_validate(fields)).prepare(plain(folder), Preparation(0))
    return {plan.group: plan.trained for plan in group_plans(model) if plan.trained}


def test_hybrid_as_it_comes_fits_dense_models_and_mixtures(tiny_folder: Path, tmp_path: Path) -> None:
    assert hybrid_on(tiny_folder).keys() == {"attention", "mlp", "norms"}
    assert hybrid_on(build_tiny_moe(tmp_path)).keys() == {"attention", "experts", "norms"}


def test_hybrid_names_what_its_adapters_cannot_be_on(tiny_folder: Path, tmp_path: Path) -> None:
    mixture = build_tiny_moe(tmp_path)
    groups = {"attention": "full", "experts": "lora"}
    with pytest.raises(UserError, match="only the experts have adapters") as caught:
        hybrid_on(mixture, groups=groups, lora={"targets": ["q_proj"]})
    assert caught.value.where == "train.method.lora.targets"
    with pytest.raises(UserError, match="know no dora") as caught:
        hybrid_on(mixture, groups=groups, lora={"dora": True})
    assert caught.value.where == "train.method.lora.dora"
    with pytest.raises(UserError, match="no linear layers in: experts"):
        hybrid_on(tiny_folder, groups=groups)


def test_a_rank_for_a_layer_without_an_adapter_is_refused(tiny_folder: Path) -> None:
    config = LoraMethod(targets=("v_proj",), ranks={"q_proj": 4})
    with pytest.raises(UserError, match="no adapter is on a layer 'q_proj'") as caught:
        Lora(config).prepare(plain(tiny_folder), Preparation(0))
    assert caught.value.where == "train.method.ranks"


def test_a_rank_above_what_a_layer_can_use_is_told(tiny_folder: Path) -> None:
    """The tiny model's keys and values have 32 rows, its other layers 64 and more."""

    def warned(**fields: Any) -> str | None:
        return rank_warning(Lora(LoraMethod(**fields)).prepare(plain(tiny_folder), Preparation(0)))

    assert warned(rank=32) is None
    found = warned(rank=33)
    assert found is not None and "4 adapters" in found and "33 on 'model.layers.1.self_attn.v_proj', where 32" in found
    found = warned(rank=16, ranks={"*.layers.1.*.up_proj": 65})
    assert found is not None and "1 adapters" in found and "65 on 'model.layers.1.mlp.up_proj', where 64" in found
    assert rank_warning(plain(tiny_folder)) is None
