"""Checks the limits of the house that ruff and mypy do not know; exceptions stand in house-exceptions.toml."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

FILE_LINES, FILE_LINES_HARD = 400, 600
FUNCTION_LINES, FUNCTION_LINES_HARD = 60, 100
PARAMETERS = 6
SECTION_FIELDS = 20
STRAY_NAMES = frozenset({"utils", "util", "common", "helpers", "misc", "base", "extras"})
RECIPE_ROOM = "src/danlu/recipe/"
EXCEPTIONS = "house-exceptions.toml"
# In pieces, so that this file does not name them.
REGISTRY_HOSTS = tuple(
    ".".join(parts).encode()
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
    )
)
# What stands in for a figure or a sentence that is still to come: a mark, or a paragraph of one capital word
PLACEHOLDER = re.compile(r"@@\w+@@|\b(?:TODO|TBD|FIXME)\b|(?<=\n\n)[A-Z_]{3,}(?=\n\n|\n?\Z)")

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Finding:
    """A rule, the place that breaks it and what is wrong there; a hard one knows no exception."""

    rule: str
    where: str
    message: str
    hard: bool = False

    def __str__(self) -> str:
        return f"{self.where}: {self.message} [{self.rule}]"


@dataclass(frozen=True)
class Listed:
    """One entry of the list of exceptions."""

    rule: str
    where: str
    reason: str


def check(files: Mapping[str, bytes]) -> list[Finding]:
    """All findings in `files` (path from the root of the repository -> content)."""
    findings: list[Finding] = []
    trees: dict[str, ast.Module] = {}
    for path, content in files.items():
        findings.extend(registry_hosts(path, content))
        if path.endswith(".md"):
            findings.extend(placeholders(path, content))
        if not path.endswith(".py"):
            continue
        trees[path] = ast.parse(content, filename=path)
        findings.extend(file_lines(path, content))
        findings.extend(module_name(path))
        findings.extend(module_docstring(path, trees[path]))
        findings.extend(functions(path, trees[path]))
        findings.extend(foreign_attributes(path, trees[path]))
    findings.extend(section_fields({path: tree for path, tree in trees.items() if path.startswith(RECIPE_ROOM)}))
    return findings


def settle(findings: Iterable[Finding], listed: Iterable[Listed]) -> list[str]:
    """What is left to complain about: findings without an exception, and exceptions without need or reason."""
    findings, listed = list(findings), list(listed)
    excused = {(entry.rule, entry.where) for entry in listed}
    found = {(finding.rule, finding.where) for finding in findings if not finding.hard}
    problems = [str(finding) for finding in findings if finding.hard or (finding.rule, finding.where) not in excused]
    for entry in listed:
        if len(entry.reason.split()) < 3:
            problems.append(f"{EXCEPTIONS}: {entry.where} [{entry.rule}] has no reason that a reader can judge")
        if (entry.rule, entry.where) not in found:
            problems.append(f"{EXCEPTIONS}: {entry.where} [{entry.rule}] is not needed; take it out")
    return problems


def read_exceptions(text: str) -> list[Listed]:
    """The list of exceptions; an unknown or absent key is an error."""
    return [Listed(**entry) for entry in tomllib.loads(text).get("exception", [])]


def file_lines(path: str, content: bytes) -> Iterator[Finding]:
    """Lines of a file."""
    lines = len(content.splitlines())
    if lines > FILE_LINES:
        yield Finding("file-lines", path, f"{lines} lines, limit {FILE_LINES}", hard=lines > FILE_LINES_HARD)


def module_name(path: str) -> Iterator[Finding]:
    """No drawer for strays: a module is named after what is in it."""
    pure = PurePosixPath(path)
    for part in (*pure.parent.parts, pure.stem):
        if part in STRAY_NAMES:
            yield Finding("module-name", path, f"'{part}' says nothing; name the module after what it holds")


def module_docstring(path: str, tree: ast.Module) -> Iterator[Finding]:
    """Every file says in its first line what it is."""
    if not (ast.get_docstring(tree) or "").strip():
        yield Finding("module-docstring", path, "no module docstring")


def registry_hosts(path: str, content: bytes) -> Iterator[Finding]:
    """Which registry a package comes from is the business of the machine that installs it."""
    for host in REGISTRY_HOSTS:
        if host in content.lower():
            yield Finding("registry-host", path, f"names the package registry {host.decode()}")


def placeholders(path: str, content: bytes) -> Iterator[Finding]:
    """A page says what it has to say: nothing in it waits to be filled in."""
    text = content.decode("utf-8")
    for found in PLACEHOLDER.finditer(text):
        line = text.count("\n", 0, found.start()) + 1
        yield Finding("placeholder", path, f"line {line} holds the placeholder '{found.group()}'")


def functions(path: str, tree: ast.Module) -> Iterator[Finding]:
    """Lines of every function, parameters of public ones."""
    for name, function, public, method in walk_functions(tree):
        where = f"{path}::{name}"
        lines = (function.end_lineno or function.lineno) - function.lineno + 1
        if lines > FUNCTION_LINES:
            hard = lines > FUNCTION_LINES_HARD
            yield Finding("function-lines", where, f"{lines} lines, limit {FUNCTION_LINES}", hard=hard)
        count = parameters(function, method)
        if public and count > PARAMETERS:
            yield Finding("parameters", where, f"{count} parameters, limit {PARAMETERS}")


def parameters(function: Function, method: bool) -> int:
    """Parameters without the self or cls of a method; `*args` and `**kwargs` count one each."""
    spec = function.args
    positional = len(spec.posonlyargs) + len(spec.args)
    static = any(isinstance(mark, ast.Name) and mark.id == "staticmethod" for mark in function.decorator_list)
    if method and not static:
        positional -= 1
    return positional + len(spec.kwonlyargs) + (spec.vararg is not None) + (spec.kwarg is not None)


def walk_functions(tree: ast.Module) -> Iterator[tuple[str, Function, bool, bool]]:
    """Qualified name, node, whether public, whether a method; the constructor of a public class is public."""

    def walk(node: ast.AST, prefix: str, public: bool, in_class: bool) -> Iterator[tuple[str, Function, bool, bool]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                shown = public and (not child.name.startswith("_") or child.name.endswith("__"))
                yield prefix + child.name, child, shown, in_class
                yield from walk(child, f"{prefix}{child.name}.", False, False)
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, f"{prefix}{child.name}.", public and not child.name.startswith("_"), True)
            else:
                yield from walk(child, prefix, public, in_class)

    return walk(tree, "", True, False)


def section_fields(trees: Mapping[str, ast.Module]) -> Iterator[Finding]:
    """Fields of the classes in the recipe room, inherited ones included."""
    classes: dict[str, tuple[str, ast.ClassDef]] = {}
    for path, tree in trees.items():
        classes.update({node.name: (path, node) for node in ast.walk(tree) if isinstance(node, ast.ClassDef)})

    def names(node: ast.ClassDef) -> set[str]:
        own = {
            item.target.id
            for item in node.body
            if isinstance(item, ast.AnnAssign)
            and isinstance(item.target, ast.Name)
            and "ClassVar" not in ast.unparse(item.annotation)
        }
        heirs = (classes[base.id][1] for base in node.bases if isinstance(base, ast.Name) and base.id in classes)
        return own.union(*(names(base) for base in heirs))

    for name, (path, node) in classes.items():
        count = len(names(node))
        if count > SECTION_FIELDS:
            yield Finding("section-fields", f"{path}::{name}", f"{count} fields, limit {SECTION_FIELDS}")


def foreign_attributes(path: str, tree: ast.Module) -> Iterator[Finding]:
    """No assignment to an attribute of something imported: other libraries are not patched."""
    for name, line in sorted(_Patches.of(tree), key=lambda patch: patch[1]):
        yield Finding("foreign-attribute", f"{path}::{name}", f"line {line} assigns to an attribute of an import")


@dataclass
class _Patches(ast.NodeVisitor):
    """Collects (dotted target, line) of assignments to attributes of imported names, scope by scope."""

    imported: set[str] = field(default_factory=set)
    found: list[tuple[str, int]] = field(default_factory=list)

    @classmethod
    def of(cls, tree: ast.Module) -> list[tuple[str, int]]:
        visitor = cls(_imports(tree))
        visitor.visit(tree)
        return visitor.found

    def visit_FunctionDef(self, node: Function) -> None:
        outer = self.imported
        self.imported = (outer - _locals(node)) | _imports(node)
        self.generic_visit(node)
        self.imported = outer

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.ctx, (ast.Store, ast.Del)) and _root(node) in self.imported:
            self.found.append((ast.unparse(node), node.lineno))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = isinstance(node.func, ast.Name) and node.func.id in {"setattr", "delattr"}
        if called and node.args and _root(node.args[0]) in self.imported:
            self.found.append((ast.unparse(node.args[0]), node.lineno))
        self.generic_visit(node)


def _root(node: ast.expr) -> str | None:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def _own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a scope without those of the functions in it."""
    for child in ast.iter_child_nodes(scope):
        yield child
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield from _own_nodes(child)


def _imports(scope: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in _own_nodes(scope):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update((alias.asname or alias.name).partition(".")[0] for alias in node.names)
    return names


def _locals(function: Function) -> set[str]:
    """Parameters and assigned names, which hide an import of the same name."""
    nodes = list(_own_nodes(function))
    shared = {name for node in nodes if isinstance(node, ast.Global) for name in node.names}
    stored = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    spec = function.args
    arguments = [*spec.posonlyargs, *spec.args, *spec.kwonlyargs, spec.vararg, spec.kwarg]
    return {argument.arg for argument in arguments if argument} | (stored - shared)


def repository_files(root: Path) -> dict[str, bytes]:
    """Tracked files, and untracked ones that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True).stdout.decode().split("\0")
    paths = sorted({path for path in listed if path and (root / path).is_file()})
    return {path: (root / path).read_bytes() for path in paths}


def main() -> int:
    """Check the repository that this file lies in; 1 when something is wrong."""
    root = Path(__file__).resolve().parents[1]
    files = repository_files(root)
    listed = read_exceptions(files.get(EXCEPTIONS, b"").decode())
    problems = settle(check(files), listed)
    for problem in problems:
        print(problem)
    print(f"house limits: {len(files)} files, {len(listed)} exceptions, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
