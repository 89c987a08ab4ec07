"""Marked personal values planted wherever rows can hold them are nowhere in a workspace, nor in what was printed."""

from __future__ import annotations

import io
import json
import re
import shutil
import tempfile
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console
from transformers import AutoTokenizer

from danlu.pipeline.display import RunDisplay, outcome
from danlu.pipeline.execute import RunResult, execute
from danlu.recipe import UserError, parse_recipe
from danlu.runs import Workspace

# One value for each kind and form; each stands in places of its own, so that a leak names where it came from
MARKS = {
    "mobile": "13987650123",
    "grouped mobile": "158 8765 0456",
    "wide mobile": "１８９８７６５０７８９",
    "resident id": "11010519491231002X",
    "card": "6222024000012345670",
    "mail": "marked.person@planted-mail.com",
    "secret": "ghp_Mark3dM4rk3dM4rk3dM4rk3dM4rk3dM4rk3d",
    "chinese name": "欧阳景淳",
    "english name": "Marcus Whitfield",
    "address": "浙江省杭州市西湖区文三路918号3幢2502室",
    "phone": "+1 415 687 2931",
    "iban": "DE89370400440532013000",
    "ip": "84.211.37.149",
    "ssn": "518-27-4936",
    "password": "mArk3dPassw0rd9",
}
QUOTES = [
    "我的手机是{mobile}，请回电。",
    "备用号码{grouped mobile}也行。",
    "电话：{wide mobile}。",
    "身份证号{resident id}，请核实。",
    "工资卡{card}已绑定。",
    "My mail is {mail}, thanks.",
    "The key {secret} leaked.",
    "我叫{chinese name}，请多关照。",
    "My name is {english name}.",
    "收货地址：{address}。",
    "Call me at {phone} please.",
    "Wire it to {iban} today.",
    "The request came from {ip} again.",
    "Her SSN is {ssn}.",
    "password: {password}",
]
RECIPE = """
name: nothing-raw
seed: 3
model: {{base: {base}}}
data:
  sources: [{{path: rows.jsonl}}]
  on_bad_row: drop
  clean:
    - {{type: normalize}}
    - {{type: html}}
    - {{type: length, max_characters: 1500, max_words: 900}}
    - {{type: refusals}}
    - {{type: exact_duplicates}}
    - {{type: near_duplicates}}
    - {{type: conflicts, on_found: report}}
    - {{type: semantic_duplicates}}
  redact: {redact}
  split: {{validation: 0.1, test: 0.2}}
  augment: {{steps: [{{type: synonyms}}, {{type: reorder}}]}}
  contamination: {{evaluation_sets: [{{path: exam.jsonl}}], on_found: report}}
  reference: {{source: {{path: production.jsonl}}, match: language, permutations: 20}}
  max_tokens: 600
  on_too_long: drop
train:
  method: {{type: lora, rank: 4}}
  batch: {{step_tokens: 600, micro_tokens: 600}}
  epochs: 1
  max_steps: 1
  precision: fp32
  checkpoints: {{every: 1}}
evaluate: {{max_rows: 6, max_new_tokens: 4, resamples: 100}}
"""


def said(text: str) -> str:
    """A sentence with its marked value."""
    return re.sub(r"\{([a-z ]+)\}", lambda slot: MARKS[slot.group(1)], text)


def chat(question: str, answer: str, **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}], **fields}


def rows() -> list[str]:
    """Source lines: every value in every place, and rows that each step drops, reports, quotes or quarantines."""
    records: list[Any] = []
    for number, quote in enumerate(QUOTES):
        text = said(quote)
        name, value = next(pair for pair in MARKS.items() if pair[1] in text)
        key = "password" if name == "password" else "user"  # alone, a password is a word like any other
        own = f"{number} 号问题，关于第 {number * 7} 项 question number {number}"
        records += [
            chat(f"{own} {text}", f"好的，已记录。Noted {number}. {text}"),
            chat(f"{own} {text}", f"好的，已记录。Noted {number}. {text}"),  # exact duplicate
            chat(f"{own} {text} 谢谢", f"好的，已记录。Noted {number}. {text} 请放心"),  # near duplicate
            chat(f"{own} {text}", f"另一个回答 {number}"),  # conflict
            chat(f"<p>Hello&nbsp;{number}</p><br>{text}", f"As an AI language model, I cannot help. {text}"),  # refusal
            chat(f"long {number} {text}", f"{text} 很长的回答。" * 200),  # too long
            chat(f"tokens {number} {text}", f"{number} {text} a b c d e f g h i j k l m n o p q r s t u v" * 8),
            chat(f"meta {number}", f"答 {number}", metadata={key: value, "note": [text, {"deep": text}]}),
            {
                "messages": [
                    {"role": "system", "content": f"系统 {number}：{text}"},
                    {"role": "user", "content": f"call {number}"},
                    {
                        "role": "assistant",
                        "content": "",
                        "reasoning_content": f"想一想 {text}",
                        "tool_calls": [{"type": "function", "function": {"name": "f", "arguments": {"q": text}}}],
                    },
                    {"role": "tool", "content": json.dumps({"found": text})},
                    {"role": "assistant", "content": f"done {number}"},
                ],
                "tools": [{"type": "function", "function": {"name": "f", "description": text, "parameters": {}}}],
            },
            f'{{"messages": [{{"role": "user", "content": "{text}" oops',  # no JSON
            {"messages": [{"role": "user", "content": text}, {"role": text, "content": text}]},  # no such role
            {"messages": text},
            {text: text},
        ]
    records += [chat(f"纯净问题 {n} plain question {n * 31}", f"回答 {n} answer {n * 17}") for n in range(60)]
    return [
        item if isinstance(item, str) else json.dumps(item, ensure_ascii=n % 2 == 0) for n, item in enumerate(records)
    ]


def write(folder: Path) -> None:
    lines = rows()
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    whole = [json.loads(line) for line in lines if not line.endswith("oops")]
    chats = [row for row in whole if isinstance(row.get("messages"), list) and len(row["messages"]) == 2]
    chats = [row for row in chats if row["messages"][1]["role"] == "assistant"]
    for name, part in (("exam.jsonl", chats[:40]), ("production.jsonl", 3 * chats[:90])):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")


def flat(text: str) -> str:
    """As it is searched: escapes undone, full-width folded, no spaces and hyphens."""
    for _ in range(2):
        text = re.sub(r"\\+u([0-9a-fA-F]{4})", lambda code: chr(int(code.group(1), 16)), text)
    return re.sub(r"[\s\-\u00a0]", "", unicodedata.normalize("NFKC", text)).lower()


def contents(path: Path, tokenizer: Any) -> Iterator[str]:
    """A file as texts: its bytes, and what tables and archives in it hold."""
    data = path.read_bytes()
    yield data.decode("utf-8", "ignore")
    yield data.decode("utf-16-le", "ignore")
    if path.suffix == ".parquet" and data[4:].endswith(b"PAR1"):  # one that is being written has no footer yet
        for entry in pq.read_table(io.BytesIO(data)).to_pylist():
            yield json.dumps(entry, ensure_ascii=False, default=str)
            if "input_ids" in entry:
                yield tokenizer.decode(entry["input_ids"])
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield archive.read(name).decode("utf-8", "ignore")


Seen = dict[tuple[Path, int, int], list[str]]


def leaks(root: Path, tokenizer: Any, seen: Seen | None = None) -> dict[str, list[str]]:
    """File -> names of the marked values that stand in it, or in its own name; `seen` saves looking twice."""
    seen = {} if seen is None else seen
    found: dict[str, list[str]] = {}
    for path in sorted(root.rglob("*")):
        if path.is_file():
            try:
                key = (path, path.stat().st_mtime_ns, path.stat().st_size)
                read = [] if key in seen else list(contents(path, tokenizer))
            except FileNotFoundError:  # of a save that was renamed meanwhile: it is seen under its name next time
                continue
            if key not in seen:
                texts = [flat(text) for text in (*read, str(path.relative_to(root)))]
                seen[key] = [name for name, value in MARKS.items() if any(flat(value) in text for text in texts)]
            if seen[key]:
                found[str(path.relative_to(root))] = seen[key]
    return found


class Watch:
    """Shows the run, and looks through the workspace whenever the work goes on to another step."""

    def __init__(self, console: Console, root: Path, tokenizer: Any) -> None:
        self.display, self.root, self.tokenizer = RunDisplay(console), root, tokenizer
        self.steps: set[str] = set()
        self.seen: Seen = {}
        self.found: dict[str, dict[str, list[str]]] = {}
        self.told: list[str] = []

    def __call__(self, event: dict[str, Any]) -> None:
        self.display(event)
        self.told.append(json.dumps(event, ensure_ascii=False, default=str))
        step = f"{event['event']} {event.get('stage', '')} {event.get('note', '')}"
        if step not in self.steps:
            self.steps.add(step)
            found = leaks(self.root, self.tokenizer, self.seen)
            if found:
                self.found[step] = found


def run(root: Path, base: Path, redact: str) -> tuple[RunResult, Watch, str]:
    recipe = parse_recipe(RECIPE.format(base=base, redact=redact))
    printed = io.StringIO()
    console = Console(file=printed, width=200, force_terminal=True)
    watch = Watch(console, root, AutoTokenizer.from_pretrained(base))
    with watch.display:
        result = execute(recipe, Workspace(root), on_event=watch)
    for part in outcome(result):
        console.print(part)
    return result, watch, printed.getvalue()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the sources, temporary files of libraries in a second one beside it."""
    (tmp_path / "temporary").mkdir()
    (tmp_path / "sources").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    write(tmp_path / "sources")
    monkeypatch.chdir(tmp_path / "sources")
    return tmp_path


@pytest.mark.parametrize("redact", ["{policy: pseudonym}", "{policy: tag, kinds: {CN_ID: drop_row, IP: mask}}"])
def test_no_marked_value_is_anywhere(
    place: Path, base_folder: Path, redact: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    root = place / "workspace"
    with caplog.at_level("DEBUG"):
        result, watch, printed = run(root, base_folder, redact)
    assert [stage.name for stage in result.stages] == ["data", "train", "evaluate_base", "evaluate", "export"]
    facts = result.artifacts["data"].facts
    dropped = {step["step"] for step in facts["steps"] if step["in"] > step["out"]}
    assert dropped >= {"read", "length", "refusals", "exact_duplicates", "near_duplicates", "max_tokens"}, dropped
    assert facts["splits"]["test"] and len(watch.steps) > 12, "the watch looked in between"
    tokenizer = watch.tokenizer
    assert leaks(root, tokenizer) == {}
    assert watch.found == {}, "a step left a value in its working files"
    assert leaks(place / "temporary", tokenizer) == {}
    out, err = capfd.readouterr()
    for text in (printed, out, err, caplog.text, *watch.told):
        assert [name for name, value in MARKS.items() if flat(value) in flat(text)] == []


def test_a_failing_run_says_nothing_raw(place: Path, base_folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    root = place / "workspace"
    recipe = parse_recipe(RECIPE.format(base=base_folder, redact="{policy: mask}"), ("data.on_bad_row=fail",))
    with pytest.raises(UserError) as caught:
        execute(recipe, Workspace(root))
    shutil.rmtree(place / "sources")
    said = (str(caught.value), *capfd.readouterr())
    assert [name for name, value in MARKS.items() if any(flat(value) in flat(text) for text in said)] == []
    assert leaks(root, AutoTokenizer.from_pretrained(base_folder)) == {}


def test_the_search_finds_every_form(tmp_path: Path, base_folder: Path) -> None:
    """The search itself: a value in a table, escaped, grouped, full-width, in another encoding."""
    import pyarrow as pa

    pq.write_table(pa.table({"x": [f"电话{MARKS['mobile']}"]}), tmp_path / "a.parquet", compression="zstd")
    (tmp_path / "b.json").write_text(json.dumps(json.dumps({"x": MARKS["chinese name"]})), encoding="utf-8")
    (tmp_path / "c.bin").write_bytes(b"\x00\xff" + b"158-8765-0456" + b"\xfe")
    (tmp_path / "d").write_text("18987650789", encoding="utf-16-le")
    assert leaks(tmp_path, AutoTokenizer.from_pretrained(base_folder)) == {
        "a.parquet": ["mobile"],
        "b.json": ["chinese name"],
        "c.bin": ["grouped mobile"],
        "d": ["wide mobile"],
    }
