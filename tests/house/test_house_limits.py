"""Every rule of scripts/house_limits.py can fail, and stops where it should."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import house_limits
from house_limits import Finding, Listed, check, settle

DOC = '"""Doc."""\n'


def rules(source: str, path: str = "src/danlu/data/row.py") -> list[tuple[str, str]]:
    """(rule, place) of every finding in one file; the place without the path."""
    return [(finding.rule, finding.where.removeprefix(path)) for finding in check({path: source.encode()})]


def function(lines: int, name: str = "long") -> str:
    """A function of so many lines."""
    return f"def {name}():\n" + "    x = 1\n" * (lines - 1)


def test_a_plain_file_passes() -> None:
    assert rules(DOC + "import os\n\ndef f(a, b, c, d, e, f):\n    return os.name\n") == []


@pytest.mark.parametrize(("lines", "hard"), [(400, None), (401, False), (600, False), (601, True)])
def test_lines_of_a_file(lines: int, hard: bool | None) -> None:
    found = check({"src/danlu/x.py": (DOC + "x = 1\n" * (lines - 1)).encode()})
    assert [(finding.rule, finding.hard) for finding in found] == ([] if hard is None else [("file-lines", hard)])


@pytest.mark.parametrize(("lines", "hard"), [(60, None), (61, False), (100, False), (101, True)])
def test_lines_of_a_function(lines: int, hard: bool | None) -> None:
    found = check({"src/danlu/x.py": (DOC + function(lines)).encode()})
    assert [(finding.rule, finding.hard) for finding in found] == ([] if hard is None else [("function-lines", hard)])


def test_a_method_is_named_with_its_class() -> None:
    body = "".join(f"    {line}\n" for line in function(61).splitlines())
    assert rules(DOC + "class Tool:\n" + body) == [("function-lines", "::Tool.long")]


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("def f(a, b, c, d, e, f, g): ...", "::f"),
        ("async def f(a, b, c, d, e, f, g): ...", "::f"),
        ("def f(a, b, c, *, d, e, f, g): ...", "::f"),
        ("def f(a, b, c, d, e, *f, **g): ...", "::f"),
        ("class C:\n    def m(self, a, b, c, d, e, f, g): ...", "::C.m"),
        ("class C:\n    def __init__(self, a, b, c, d, e, f, g): ...", "::C.__init__"),
        ("class C:\n    @staticmethod\n    def m(a, b, c, d, e, f, g): ...", "::C.m"),
        ("if True:\n    def f(a, b, c, d, e, f, g): ...", "::f"),
    ],
)
def test_too_many_parameters(source: str, place: str) -> None:
    assert rules(DOC + source) == [("parameters", place)]


@pytest.mark.parametrize(
    "source",
    [
        "def _f(a, b, c, d, e, f, g): ...",
        "class _C:\n    def m(self, a, b, c, d, e, f, g): ...",
        "def f():\n    def inner(a, b, c, d, e, f, g): ...",
        "class C:\n    def m(self, a, b, c, d, e, f): ...",
        "class C:\n    @classmethod\n    def m(cls, a, b, c, d, e, f): ...",
    ],
)
def test_parameters_that_do_not_count(source: str) -> None:
    assert rules(DOC + source) == []


def test_fields_of_a_section_count_the_inherited_ones() -> None:
    parent = "class Parent(Section):\n    kind: ClassVar[str] = 'p'\n" + "".join(f"    a{i}: int\n" for i in range(12))
    child = "class Child(Parent):\n" + "".join(f"    b{i}: int\n" for i in range(9))
    files = {"src/danlu/recipe/one.py": (DOC + parent).encode(), "src/danlu/recipe/two.py": (DOC + child).encode()}
    assert [(finding.rule, finding.where) for finding in check(files)] == [
        ("section-fields", "src/danlu/recipe/two.py::Child")
    ]
    assert rules(DOC + parent + child) == []  # outside the recipe room


@pytest.mark.parametrize("source", ["", "x = 1\n", '"""  """\n'])
def test_a_file_says_what_it_is(source: str) -> None:
    assert rules(source) == [("module-docstring", "")]


@pytest.mark.parametrize("name", sorted(house_limits.STRAY_NAMES))
def test_no_drawer_for_strays(name: str) -> None:
    assert rules(DOC, f"src/danlu/data/{name}.py") == [("module-name", "")]
    assert rules(DOC, f"src/danlu/{name}/row.py") == [("module-name", "")]


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("import torch\ntorch.load = None", "torch.load"),
        ("import torch.nn.functional as F\nF.linear = None", "F.linear"),
        ("import os.path\nos.path.sep = '!'", "os.path.sep"),
        ("from transformers import Trainer\nTrainer.step: int = 1", "Trainer.step"),
        ("import a\na.count += 1", "a.count"),
        ("import a\ndel a.b", "a.b"),
        ("import a\n(x, a.b) = 1, 2", "a.b"),
        ("import a\nsetattr(a.b, 'c', 1)", "a.b"),
        ("def f():\n    import a\n    a.b = 1", "a.b"),
        ("import a\ndef f():\n    a.b = 1", "a.b"),
        ("import a\nclass C:\n    async def m(self):\n        a.b = 1", "a.b"),
    ],
)
def test_imports_are_not_patched(source: str, target: str) -> None:
    assert rules(DOC + source) == [("foreign-attribute", f"::{target}")]


@pytest.mark.parametrize(
    "source",
    [
        "import os\nos.environ['X'] = '1'",
        "class C:\n    def __init__(self):\n        self.a = 1",
        "import row\ndef f(row):\n    row.a = 1",
        "import row\ndef f():\n    row = make()\n    row.a = 1",
        "def f():\n    import a\ndef g():\n    a = make()\n    a.b = 1",
    ],
)
def test_assignments_that_patch_nothing(source: str) -> None:
    assert rules(DOC + source) == []


@pytest.mark.parametrize("host", house_limits.REGISTRY_HOSTS)
def test_registry_hosts_are_not_named(host: bytes) -> None:
    found = check({"Makefile": b"pip install -i https://" + host.upper() + b"/simple"})
    assert [(finding.rule, finding.where) for finding in found] == [("registry-host", "Makefile")]


def test_an_exception_excuses_its_own_finding_only() -> None:
    soft, other = Finding("file-lines", "a.py", "401 lines"), Finding("file-lines", "b.py", "401 lines")
    reason = "generated from the standard, one row each"
    assert settle([soft], [Listed("file-lines", "a.py", reason)]) == []
    assert settle([soft, other], [Listed("file-lines", "a.py", reason)]) == [str(other)]


def test_a_hard_limit_knows_no_exception() -> None:
    hard = Finding("file-lines", "a.py", "601 lines", hard=True)
    problems = settle([hard], [Listed("file-lines", "a.py", "generated from the standard")])
    assert str(hard) in problems


def test_an_exception_that_is_not_needed_is_a_problem() -> None:
    problems = settle([], [Listed("file-lines", "a.py", "it used to be long")])
    assert problems == ["house-exceptions.toml: a.py [file-lines] is not needed; take it out"]


def test_an_exception_needs_a_reason() -> None:
    problems = settle([Finding("file-lines", "a.py", "401 lines")], [Listed("file-lines", "a.py", "todo")])
    assert problems == ["house-exceptions.toml: a.py [file-lines] has no reason that a reader can judge"]


def test_the_list_is_read_strictly() -> None:
    text = '[[exception]]\nrule = "file-lines"\nwhere = "a.py"\nreason = "r"\n'
    assert house_limits.read_exceptions(text) == [Listed("file-lines", "a.py", "r")]
    assert house_limits.read_exceptions("# nothing yet\n") == []
    with pytest.raises(TypeError, match="because"):
        house_limits.read_exceptions(text + 'because = "x"\n')


def test_ignored_files_are_not_read_and_new_ones_are(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    for name, text in {".gitignore": "build/\n", "new.py": "x = 1\n", "build/made.py": "x = 1\n"}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert set(house_limits.repository_files(tmp_path)) == {".gitignore", "new.py"}


@pytest.mark.parametrize(
    "text", ["# A\n\n@@RESULTS@@\n", "# A\n\nMEASURED\n\n## B\n", "# A\n\nMEASURED", "A figure: TODO\n"]
)
def test_a_page_with_a_placeholder(text: str) -> None:
    found = rules(text, "docs/page.md")
    assert found == [("placeholder", "")]


def test_a_word_in_capitals_that_is_no_placeholder() -> None:
    page = "# A\n\nMEASURED on two cores.\n\n```bash\ncat <<'ROWS'\nx\nROWS\n```\n\n| `AND` |\n"
    assert rules(page, "docs/page.md") == []
