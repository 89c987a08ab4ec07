"""Personal data on its way through the data stage: labels, reports, the quarantine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from danlu.data.dataset import load_samples
from danlu.models.chat import ChatRenderer
from danlu.recipe import UserError

from .making import chat, prepare, section, write_jsonl

NAMES = ("张伟", "李晓明", "Robert Miller")


def files(folder: Path) -> str:
    return "\n".join(path.read_bytes().decode("utf-8", "ignore") for path in folder.iterdir())


def classes(folder: Path) -> Path:
    return write_jsonl(folder / "rows.jsonl", [{"text": f"text {n}", "label": NAMES[n % 3]} for n in range(9)])


def test_labels_agree_with_their_answers_and_stand_raw_nowhere(renderer: ChatRenderer, tmp_path: Path) -> None:
    redact = {"policy": "pseudonym"}
    clean = [{"type": "label_errors", "on_found": "report"}]
    prepare(section(classes(tmp_path), redact=redact, clean=clean), renderer, tmp_path / "out", key=b"k" * 32)
    report = orjson.loads((tmp_path / "out" / "report.json").read_bytes())
    assert [entry["rows"] for entry in report["labels"]] == [3, 3, 3]
    samples = load_samples(tmp_path / "out", "train")
    assert {sample.labels for sample in samples} == {(entry["value"],) for entry in report["labels"]}
    for sample in samples:
        learned = [sample.input_ids[start:end] for start, end in sample.spans]
        assert renderer.tokenizer.decode(learned[-1]).startswith(sample.labels[0])
    assert not [name for name in NAMES if name in files(tmp_path / "out")]


@pytest.mark.parametrize("policy", ["tag", "mask"])
def test_classes_that_redaction_would_make_one_are_told_without_their_values(
    renderer: ChatRenderer, tmp_path: Path, policy: str
) -> None:
    rows = [{"text": f"text {n}", "label": f"1391234{n % 2}678"} for n in range(4)]
    rows += [{"text": "a", "label": "spam"}, {"text": "b", "label": "张伟"}]
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    with pytest.raises(UserError, match=r"2 labels with CN_MOBILE became one") as caught:
        prepare(section(path, redact={"policy": "tag"}), renderer, tmp_path / "out")
    assert "1391234" not in str(caught.value) and "CN_NAME" not in str(caught.value)
    assert "CN_MOBILE: pseudonym" in str(caught.value)
    kept = section(path, redact={"policy": policy, "kinds": {"CN_MOBILE": "pseudonym"}})
    prepare(kept, renderer, tmp_path / "again", key=b"k" * 32)


def test_reports_and_the_quarantine_see_what_the_recipe_sees(renderer: ChatRenderer, tmp_path: Path) -> None:
    order = "13800138777"  # below the default threshold behind this label
    rows: list[Any] = [chat(f"  订单号{order}的状态\u200b如何？ ", "已经发货。"), chat(f"订单号{order}", "ok")]
    rows.append({"messages": [{"role": "user", "content": f"订单号{order}"}, {"role": "bot", "content": "ok"}]})
    rows.append(f'{{"text": "订单号{order}')
    path = write_jsonl(tmp_path / "rows.jsonl", rows)
    config = section(path, on_bad_row="drop", redact={"policy": "tag", "min_confidence": 0.2})
    prepare(config, renderer, tmp_path / "out")
    said = files(tmp_path / "out")
    assert "[CN_MOBILE]" in said and order not in said


def test_with_names_off_reports_still_show_none(renderer: ChatRenderer, tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "rows.jsonl", [chat("  王小明说：好\u200b吗 ", "好的"), '{"text": "王小明说：'])
    config = section(path, on_bad_row="drop", redact={"policy": "tag", "names": "off"})
    prepare(config, renderer, tmp_path / "out")
    for name in ("report.json", "quarantine.jsonl"):
        said = (tmp_path / "out" / name).read_text("utf-8")
        assert "[CN_NAME]" in said and "王小明" not in said
