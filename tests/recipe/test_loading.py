"""From YAML to a recipe: keys, places in errors, overrides, paths, defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from danlu.recipe import Recipe, UserError, load_recipe, parse_recipe
from danlu.recipe.loading import dump_recipe, field_at, looks_like_path
from danlu.recipe.methods import FullMethod, LoraMethod
from danlu.recipe.objectives import ClassificationObjective
from danlu.recipe.sources import CsvSource, JsonlSource, ParquetSource

SMALL = "name: a\ndata:\n  sources: [{path: rows.jsonl}]\n"


def refusal(text: str, *overrides: str) -> UserError:
    """The error that a text and its overrides end in."""
    with pytest.raises(UserError) as caught:
        parse_recipe(text, overrides, name="r.yaml")
    assert caught.value.exit_code == 2
    return caught.value


# -- what is in the file ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["file", "override"])
def test_off_and_yes_are_words_and_for_a_switch_what_they_say(by: str) -> None:
    written = "train: {checkpointing: off, deterministic: off}"
    asked = ("train.checkpointing=off", "train.deterministic=off", "data.redact.names=off")
    recipe = parse_recipe(SMALL + "  redact: {names: off}\n" + written) if by == "file" else parse_recipe(SMALL, asked)
    assert recipe.train.checkpointing == "off" and recipe.train.deterministic is False
    assert recipe.data.redact is not None and recipe.data.redact.names == "off"
    again = parse_recipe(dump_recipe(recipe))
    assert again == recipe


def test_a_policy_for_names_that_nobody_looks_for_is_refused() -> None:
    error = refusal(SMALL + "  redact: {names: off, kinds: {CN_NAME: tag}}")
    assert "with names: off nobody looks for CN_NAME" in str(error) and "r.yaml:4" in error.where


def test_labels_that_other_yaml_takes_for_truth_values() -> None:
    text = SMALL + "train: {objective: {type: classification, labels: [yes, no]}}"
    objective = parse_recipe(text).train.objective
    assert isinstance(objective, ClassificationObjective) and objective.labels == ("yes", "no")


def test_the_smallest_recipe() -> None:
    recipe = parse_recipe(SMALL)
    assert recipe.name == "a"
    assert recipe.model.base == "seedling"
    assert isinstance(recipe.train.method, LoraMethod)
    assert isinstance(recipe.data.sources[0], JsonlSource)


@pytest.mark.parametrize(
    ("text", "place", "right"),
    [
        (SMALL + "trian: {}\n", "r.yaml:4: trian", "train"),
        (SMALL + "train:\n  epoch: 3\n", "r.yaml:5: train.epoch", "epochs"),
        (SMALL + "train:\n  method:\n    type: lora\n    rnak: 8\n", "r.yaml:7: train.method.rnak", "rank"),
        (SMALL + "train:\n  optimizer: {learning_rte: 1}\n", "r.yaml:5: train.optimizer.learning_rte", "learning_rate"),
        ("name: a\ndata:\n  sources:\n  - path: x.jsonl\n    fromat: auto\n", "data.sources[0].fromat", "format"),
        (SMALL + "evaluate:\n  metrics: [{type: bleu}]\n  max_row: 3\n", "r.yaml:6: evaluate.max_row", "max_rows"),
    ],
)
def test_an_unknown_key_names_the_nearest_one_with_file_and_line(text: str, place: str, right: str) -> None:
    error = refusal(text)
    assert place in error.where and error.where.startswith("r.yaml:")
    assert f"did you mean '{right}'?" in error.fix
    assert "unknown key" in error.reason


def test_a_key_of_another_union_member_is_unknown() -> None:
    error = refusal(SMALL + "train: {method: {type: full, rank: 3}}\n")
    assert error.reason == "unknown key 'rank'" and error.fix == "known: type"


def test_every_problem_is_listed_with_its_place() -> None:
    message = str(refusal(SMALL + "sead: 3\ntrain:\n  epochs: 0\n"))
    assert "r.yaml:4: sead" in message and "r.yaml:6: train.epochs" in message
    assert "(is 0)" in message


@pytest.mark.parametrize(
    ("text", "reason", "fix"),
    [
        (SMALL + "train: {method: {type: lorra}}\n", "unknown type 'lorra'", "did you mean 'lora'?"),
        (
            SMALL + "train: {method: {layers: 3}}\n",
            "'type' is missing",
            "one of: adapter, freeze, full, hybrid, ia3, lora, prefix",
        ),
        ("name: a\ndata: {sources: [{path: x.docx}]}\n", "cannot be told from its ending", "type: jsonl"),
        ("name: a\ndata: {sources: [{path: x, type: jsn}]}\n", "unknown type 'jsn'", "json"),
        (SMALL + "evaluate: {metrics: [bleau]}\n", "unknown type 'bleau'", "bleu"),
        (SMALL + "serve: {engine: {type: vlm}}\n", "unknown type 'vlm'", "transformers"),
    ],
)
def test_union_tags(text: str, reason: str, fix: str) -> None:
    error = refusal(text)
    assert reason in error.reason and fix in error.fix


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("data: {sources: [{path: x.jsonl}]}\n", "name: is required"),
        ("name: a\n", "data: is required"),
        ("name: a\ndata: {sources: []}\n", "data.sources"),
        ("name: 'two words'\ndata: {sources: [{path: x.jsonl}]}\n", "two words"),
        (SMALL + "seed: -1\n", "r.yaml:4: seed"),
        (SMALL + "model: 3\n", "r.yaml:4: model"),
        (SMALL + "evaluate: {metrics: [bleu, bleu]}\n", "named twice: bleu"),
        ("name: a\ndata:\n  sources: [{path: x.jsonl}]\n  split: {test: 0.6, validation: 0.4}\n", "nothing is left"),
        (SMALL + "serve: {port: 70000}\n", "serve.port"),
        ("", "is empty"),
        ("# nothing\n", "is empty"),
        ("- name: a\n", "must be a mapping"),
        ("name: [\n", "is not valid YAML"),
        ("name: a\n---\nname: b\n", "is not valid YAML"),
        ("name: a\nname: b\n", "stands twice"),
    ],
)
def test_bad_values(text: str, words: str) -> None:
    assert words in str(refusal(text))


@pytest.mark.parametrize("value", ["!!python/name:os.system ''", "!secret x", "2024-13-45", "{[a]: b}", "&x [*x]"])
def test_yaml_that_makes_no_plain_data(value: str) -> None:
    error = refusal(SMALL + f"seed: {value}\n")
    assert "r.yaml" in error.where


def test_a_key_given_twice_names_both_lines() -> None:
    error = refusal("name: a\ndata:\n  sources: []\n  max_tokens: 8\n  max_tokens: 9\n")
    assert error.where == "r.yaml:5" and "r.yaml:4" in error.reason


def test_numbers_written_without_a_point_are_numbers() -> None:
    assert parse_recipe(SMALL + "train: {optimizer: {learning_rate: 2e-4}}\n").train.optimizer.learning_rate == 2e-4


def test_anchors_can_be_used() -> None:
    text = "name: a\ndata:\n  sources:\n  - &s {path: x.jsonl, format: alpaca}\n  - {<<: *s, path: y.jsonl}\n"
    formats = [source.format for source in parse_recipe(text).data.sources]
    assert formats == ["alpaca", "alpaca"]


# -- files and paths -------------------------------------------------------------------------------------------------


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such recipe file") as caught:
        load_recipe(tmp_path / "none.yaml")
    assert "danlu init" in caught.value.fix and "none.yaml" in caught.value.where


def test_a_file_that_is_not_text(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_bytes(b"name: \xff\xfe\n")
    with pytest.raises(UserError, match="UTF-8"):
        load_recipe(tmp_path / "r.yaml")


def test_a_folder_stands_for_the_recipe_in_it_and_an_empty_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        load_recipe(tmp_path)
    (tmp_path / "recipe.yaml").write_text("\ufeff" + SMALL, encoding="utf-8")  # with a byte order mark
    assert load_recipe(tmp_path).name == "a"


def test_relative_paths_start_at_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "r.yaml").write_text(
        "name: a\nmodel: {base: ../weights}\n"
        "data: {sources: [{path: rows.jsonl}, {path: ../b.csv}, {path: /x/c.parquet}, {path: ~/d.json}]}\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    recipe = load_recipe(Path("recipes") / "r.yaml")
    assert recipe.model.base == str(tmp_path / "weights")
    assert [source.path for source in recipe.data.sources] == [
        str(folder / "rows.jsonl"),
        str(tmp_path / "b.csv"),
        "/x/c.parquet",
        str(tmp_path / "home" / "d.json"),
    ]
    assert isinstance(recipe.data.sources[1], CsvSource) and isinstance(recipe.data.sources[2], ParquetSource)


def test_every_source_and_the_key_file_start_at_the_recipe_and_hub_ids_stay(tmp_path: Path) -> None:
    folder = tmp_path / "re[c]ipes"
    folder.mkdir()
    (folder / "it's [x].jsonl").write_text("{}")
    (folder / "linked.jsonl").symlink_to(folder / "blob")
    (folder / "r.yaml").write_text(
        "name: a\ndata:\n"
        "  sources:\n"
        "  - {path: 'rows/**/*.jsonl.gz'}\n"
        "  - {path: rows, type: csv}\n"
        '  - {path: "it\'s [x].jsonl"}\n'
        "  - {path: linked.jsonl}\n"
        "  - {path: tatsu-lab/alpaca, type: huggingface}\n"
        "  - {path: ./local, type: huggingface}\n"
        "  contamination: {evaluation_sets: [{path: ../exam.jsonl}]}\n"
        "  reference: {source: {path: production.csv}}\n"
        "  redact: {key_file: ../key}\n"
    )
    data = load_recipe(folder / "r.yaml").data
    assert [source.path for source in data.sources] == [
        str(tmp_path / "re[[]c]ipes" / "rows/**/*.jsonl.gz"),  # the folder's own brackets are no wildcards
        str(folder / "rows"),
        str(folder / "it's [x].jsonl"),
        str(folder / "linked.jsonl"),  # a link keeps its name, which has the ending
        "tatsu-lab/alpaca",
        str(folder / "local"),
    ]
    assert data.contamination.evaluation_sets[0].path == str(tmp_path / "exam.jsonl")
    assert data.reference is not None and data.reference.source.path == str(folder / "production.csv")
    assert data.redact is not None and data.redact.key_file == str(tmp_path / "key")


@pytest.mark.parametrize(
    "data",
    [
        "3",
        "{sources: 3}",
        "{sources: [3]}",
        "{contamination: 3}",
        "{contamination: {evaluation_sets: 3}}",
        "{redact: 3}",
    ],
)
def test_sections_of_the_wrong_kind_are_validations_to_refuse(data: str) -> None:
    assert "data" in str(refusal(f"name: a\ndata: {data}\n"))


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("columns: {txt: review}", "did you mean 'text'?"),
        ("prompt: 'Good or bad?'", "must hold {text}"),
        ("prompt: 'Good? {text}', format: alpaca", "prompt is for format classification, not alpaca"),
    ],
)
def test_what_a_source_cannot_mean_is_refused(source: str, words: str) -> None:
    assert words in str(refusal(f"name: a\ndata: {{sources: [{{path: x.jsonl, {source}}}]}}\n"))


@pytest.mark.parametrize("base", ["seedling", "Qwen/Qwen3-0.6B", "modelscope:Qwen/Qwen3-0.6B"])
def test_a_hub_id_is_no_path(base: str) -> None:
    assert not looks_like_path(base)
    assert parse_recipe(SMALL + f"model: {{base: '{base}'}}\n").model.base == base


def test_a_home_that_does_not_exist_stays_as_it_is_written() -> None:
    recipe = parse_recipe(SMALL + "model: {base: ~no-such-person-here/weights}\n")
    assert recipe.model.base.endswith("/~no-such-person-here/weights")


# -- overrides -------------------------------------------------------------------------------------------------------


def test_overrides_win_over_the_file() -> None:
    recipe = parse_recipe(
        SMALL + "train: {epochs: 2}\n",
        [
            "train.epochs=7",
            "train.optimizer.learning_rate=2e-4",
            "data.sources.0.format=alpaca",
            "evaluate.metrics=[bleu]",
            "train.max_steps=",
            "name=b",
        ],
    )
    assert recipe.train.epochs == 7 and recipe.name == "b"
    assert recipe.train.optimizer.learning_rate == 2e-4
    assert recipe.data.sources[0].format == "alpaca"
    assert [metric.type for metric in recipe.evaluate.metrics] == ["bleu"]
    assert recipe.train.max_steps is None


def test_an_override_may_append_to_a_list_and_the_last_one_wins() -> None:
    recipe = parse_recipe(SMALL, ["data.sources.1={path: b.csv}", "seed=1", "seed=2"])
    assert len(recipe.data.sources) == 2 and recipe.seed == 2


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("train.epochs", "field.name=value"),
        ("=3", "field.name=value"),
        ("train.epoch=3", "did you mean 'epochs'?"),
        ("train.epochs=many", "many"),
        ("train.epochs=[", "not valid YAML"),
        ("train.epochs=!x 3", "not valid YAML"),
        ("data.sources.5.path=x.jsonl", "not an index of a list of 1"),
        ("data.sources.first.path=x.jsonl", "not an index of a list of 1"),
        ("data.sources.5={path: x.jsonl}", "cannot be set there"),
        ("name.first=x", "cannot be set there"),
        ("name.first.second=x", "plain value"),
    ],
)
def test_bad_overrides_name_themselves(override: str, words: str) -> None:
    error = refusal(SMALL, override)
    assert f"--set {override}" in error.where
    assert words in str(error)


# -- what comes out --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "rate"),
    [
        ("", 1e-4),
        ("train: {method: {type: lora}}\n", 1e-4),
        ("train: {method: {type: full}}\n", 1e-5),
        ("train: {method: {type: full}, optimizer: {schedule: cosine}}\n", 1e-5),
        ("train: {method: {type: full}, optimizer: {learning_rate: 0.5}}\n", 0.5),
    ],
)
def test_the_learning_rate_of_the_method_is_written_out(train: str, rate: float) -> None:
    recipe = parse_recipe(SMALL + train)
    assert recipe.train.optimizer.learning_rate == rate
    assert yaml.safe_load(dump_recipe(recipe))["train"]["optimizer"]["learning_rate"] == rate


def test_the_rate_follows_an_overridden_method() -> None:
    recipe = parse_recipe(SMALL, ["train.method.type=full"])
    assert isinstance(recipe.train.method, FullMethod) and recipe.train.optimizer.learning_rate == 1e-5


@pytest.mark.parametrize(
    "more",
    ["", "train: {method: {type: full}, max_steps: 3}\n", "model: {base: ./w}\nevaluate: {metrics: [bleu]}\nseed: 5\n"],
)
def test_what_is_dumped_is_read_back_equal(more: str) -> None:
    recipe = parse_recipe(SMALL + more)
    text = dump_recipe(recipe)
    again = parse_recipe(text, folder=Path("/elsewhere"))
    assert again == recipe and dump_recipe(again) == text


def test_a_recipe_is_frozen() -> None:
    recipe = parse_recipe(SMALL)
    for section, field in ((recipe, "name"), (recipe.train, "epochs"), (recipe.train.method, "rank")):
        with pytest.raises(ValidationError, match="frozen"):
            setattr(section, field, 1)
    assert isinstance(recipe.data.sources, tuple) and hash(recipe) == hash(parse_recipe(SMALL))


def test_field_at_gives_plain_data() -> None:
    recipe = parse_recipe(SMALL, folder=Path("/r"))
    assert field_at(recipe, "train.method.rank") == 16
    assert field_at(recipe, "train.method")["type"] == "lora"
    assert field_at(recipe, "data.sources")[0]["path"] == "/r/rows.jsonl"
    json.dumps([field_at(recipe, name) for name in type(recipe).model_fields])
    with pytest.raises(UserError, match=r"no field 'train\.methd'") as caught:
        field_at(recipe, "train.methd")
    assert "did you mean 'method'?" in caught.value.fix
    with pytest.raises(UserError):
        field_at(recipe, "name.first")


def test_the_schema_lists_every_section() -> None:
    schema = Recipe.model_json_schema()
    json.dumps(schema)
    assert set(schema["properties"]) == set(Recipe.model_fields)
    assert {"model", "data", "train", "evaluate", "export", "serve"} <= set(schema["properties"])
    assert schema["required"] == ["name", "data"] and schema["additionalProperties"] is False
    references = [word for word in json.dumps(schema).split('"') if word.startswith("#/$defs/")]
    assert references and all(word.rsplit("/", 1)[1] in schema["$defs"] for word in references)
    undescribed = [name for name, part in schema["$defs"].items() if not part.get("description")]
    assert undescribed == []
