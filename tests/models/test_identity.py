"""Which model is meant, what is refused, what a card says; loading and random states."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest
import torch

from danlu.models.card import ModelCard, check_rendering, read_card
from danlu.models.device import compute_dtype, evaluating, random_state, restore_random_state, seed_everything
from danlu.models.identity import fingerprint, resolve_model, tokenizer_fingerprint
from danlu.models.loading import load_model, load_renderer, load_tokenizer
from danlu.recipe.errors import UserError

CARD = ModelCard("merged", "Qwen/Qwen3-0.6B", "f" * 32, "a" * 64, thinking=True)


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model that a test may break."""
    return shutil.copytree(tiny_model, tmp_path / "model")


def edit_config(folder: Path, **changes: object) -> None:
    """Change entries of config.json."""
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


# -- identity --------------------------------------------------------------------------------------------------------


def test_a_folder_is_a_model(folder: Path) -> None:
    found = resolve_model(str(folder))
    assert found.path == folder and found.name == str(folder) and found.fingerprint == fingerprint(folder)


@pytest.mark.parametrize(
    ("base", "reason", "fix"),
    [
        ("./no/such/folder", "no folder", "check the path"),
        ("Qwen3-0.6B", "neither a hub id nor a path", "./Qwen3-0.6B for a folder"),
        ("Qwen/not here", "is not a valid hub id", "owner/name"),
        ("a/b/c", "is not a valid hub id", "owner/name"),
    ],
)
def test_names_that_lead_nowhere(base: str, reason: str, fix: str) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        resolve_model(base)
    assert fix in caught.value.fix and caught.value.where == "model.base"


def test_a_hub_id_without_network_says_what_to_do() -> None:
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set") as caught:
        resolve_model("danlu-tests/never-downloaded")
    for way in ("hf download danlu-tests/never-downloaded", "HF_ENDPOINT", "modelscope:danlu-tests", "model.base"):
        assert way in caught.value.fix


def test_a_folder_without_config_is_refused(folder: Path) -> None:
    (folder / "config.json").unlink()
    for attempt in (lambda: resolve_model(str(folder)), lambda: load_model(folder)):
        with pytest.raises(UserError, match=r"no config\.json"):
            attempt()


@pytest.mark.parametrize("name", ["pytorch_model.bin", "consolidated.00.pth", "weights.pt"])
def test_pickled_weights_are_refused(folder: Path, name: str) -> None:
    (folder / "model.safetensors").rename(folder / name)
    for attempt in (lambda: resolve_model(str(folder)), lambda: load_model(folder)):
        with pytest.raises(UserError, match="pickle") as caught:
            attempt()
        assert "safetensors" in caught.value.fix and name in caught.value.reason


def test_a_pickle_beside_safetensors_is_not_opened(folder: Path) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"no pickle at all")
    resolve_model(str(folder))
    load_model(folder)


def test_code_from_a_folder_is_never_run(folder: Path) -> None:
    ran = folder / "ran"
    (folder / "modeling_own.py").write_text(f"import pathlib; pathlib.Path({str(ran)!r}).touch()\n")
    names = {"AutoConfig": "modeling_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.OwnModel"}
    edit_config(folder, model_type="own", auto_map=names)
    with pytest.raises(UserError) as caught:
        load_model(folder)
    assert "never runs code" in caught.value.fix and not ran.exists()
    edit_config(folder, model_type="qwen3", auto_map=names)  # known to transformers: its own class is used
    assert type(load_model(folder)).__module__.startswith("transformers.")
    assert not ran.exists()


def test_broken_folders(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(UserError, match="tokenizer cannot be loaded"):
        load_tokenizer(folder)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match="model cannot be loaded"):
        load_model(folder)
    weights.unlink()
    with pytest.raises(UserError, match="model cannot be loaded"):
        load_model(folder)
    edit_config(folder, model_type="no such architecture")
    with pytest.raises(UserError, match="model cannot be loaded"):
        load_model(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(UserError, match="model cannot be loaded"):
        load_model(folder)


def test_the_fingerprint_is_of_the_content(folder: Path, tmp_path: Path) -> None:
    before = fingerprint(folder)
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert fingerprint(copy) == before
    (copy / "notes.md").write_text("no part of the model")
    assert fingerprint(copy) == before
    seen = {before}
    for name in ("model.safetensors", "config.json", "chat_template.jinja", "tokenizer.json"):
        content = bytearray((copy / name).read_bytes())
        content[-2] ^= 1  # the size stays
        (copy / name).write_bytes(content)
        seen.add(fingerprint(copy))
    assert len(seen) == 5
    (copy / "config.json").rename(copy / "other.json")
    assert fingerprint(copy) not in seen


def test_the_fingerprint_of_the_tokenizer_leaves_weights_out(folder: Path) -> None:
    before = tokenizer_fingerprint(folder)
    edit_config(folder, use_cache=False)
    (folder / "model.safetensors").write_bytes(b"")
    assert tokenizer_fingerprint(folder) == before
    (folder / "chat_template.jinja").write_text("")
    assert tokenizer_fingerprint(folder) != before


# -- card ------------------------------------------------------------------------------------------------------------


def test_a_card_comes_back(tmp_path: Path) -> None:
    assert read_card(tmp_path) is None
    CARD.save(tmp_path)
    assert read_card(tmp_path) == CARD


@pytest.mark.parametrize("text", ["{", "{}", '{"kind": "merged", "extra": 1}', "[]", "3"])
def test_a_broken_card_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "danlu.json").write_text(text)
    with pytest.raises(UserError, match="not a model card"):
        read_card(tmp_path)


def test_a_model_that_would_be_rendered_otherwise_is_refused(folder: Path) -> None:
    check_rendering(folder, "anything")  # no card, no claim
    found = load_renderer(folder).rendering_hash
    ModelCard("merged", "x", "f", found).save(folder)
    assert load_renderer(folder).rendering_hash == found
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text().replace("# Tools", "# TOOLS"))
    with pytest.raises(UserError, match="rendered differently") as caught:
        load_renderer(folder)
    assert found[:12] in caught.value.reason and "restore" in caught.value.fix


# -- loading and devices ---------------------------------------------------------------------------------------------


def test_random_weights_are_a_function_of_the_seed(tiny_model: Path) -> None:
    first, again, other = (load_model(tiny_model, weights="random", seed=seed).state_dict() for seed in (1, 1, 2))
    stored = load_model(tiny_model).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    name = "model.layers.0.mlp.up_proj.weight"
    assert not torch.equal(first[name], other[name]) and not torch.equal(first[name], stored[name])


def test_the_number_format_is_the_one_asked_for(tiny_model: Path) -> None:
    assert load_model(tiny_model).dtype == torch.float32
    assert load_model(tiny_model, dtype=torch.bfloat16).dtype == torch.bfloat16
    assert load_model(tiny_model, dtype=torch.bfloat16, weights="random").dtype == torch.bfloat16
    cpu = torch.device("cpu")
    assert compute_dtype("fp32", cpu) == torch.float32 and compute_dtype("bf16", cpu) == torch.bfloat16


def test_random_numbers_go_on_from_a_saved_state(tmp_path: Path) -> None:
    def draw() -> list[float]:
        return [random.random(), random.gauss(0, 1), *torch.rand(3).tolist()]

    seed_everything(5)
    random.gauss(0, 1)  # leaves a second number behind, which is part of the state
    torch.save(random_state(), tmp_path / "state")
    first = draw()
    restore_random_state(torch.load(tmp_path / "state", weights_only=True))
    assert draw() == first and draw() != first
    seed_everything(5)
    seeded = draw()
    seed_everything(5)
    assert draw() == seeded


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_mode_ends_even_with_an_error(training: bool) -> None:
    model = torch.nn.Dropout().train(training)
    with pytest.raises(ZeroDivisionError), evaluating(model):
        assert not model.training and not torch.is_grad_enabled()
        raise ZeroDivisionError
    assert model.training is training and torch.is_grad_enabled()
