"""Rules of the house that the syntax tree can prove."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "consortia"
SIZE_LIMIT = 600
PURE_ROOMS = ("plans", "policies")
IMPURE_MODULES = {"socket", "time", "random", "secrets", "os", "threading", "subprocess", "urllib", "asyncio"}


def sources() -> Iterator[Path]:
    return (path for path in sorted(PACKAGE.rglob("*.py")) if "_pb2" not in path.name)


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
    return names


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_asserts_or_grows_past_the_limit(path: Path) -> None:
    lines = path.read_text().count("\n")
    assert lines <= SIZE_LIMIT, f"{lines} lines: two ideas?"
    asserts = [node.lineno for node in ast.walk(tree(path)) if isinstance(node, ast.Assert)]
    assert not asserts, f"`python -O` must change nothing; assert in lines {asserts}"


def test_only_release_opens_results() -> None:
    callers = {
        str(path.relative_to(PACKAGE))
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "part"
    }
    assert callers == {"parties/release.py"}


def test_plans_and_policies_have_no_clock_no_network_and_no_randomness() -> None:
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for room in PURE_ROOMS
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for name in imported(path)
        if name.split(".")[0] in IMPURE_MODULES
    }
    assert not wrong


def test_the_coordinator_imports_nothing_that_could_hold_a_share() -> None:
    forbidden = ("numpy", "polars", "consortia.protocols", "consortia.execution")
    wrong = {
        f"{path.name} imports {name}"
        for path in (PACKAGE / "coordinator").rglob("*.py")
        for name in imported(path)
        if name.startswith(forbidden)
    }
    assert not wrong


def test_no_pickle_and_no_eval() -> None:
    for path in sources():
        assert not imported(path) & {"pickle", "marshal", "shelve", "dill"}, path
        calls = {
            node.func.id
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not calls & {"eval", "exec"}, path


def error_codes() -> dict[str, str]:
    """Every code literal ``room/slug`` that stands first in a call of one of the error classes."""
    classes = {
        node.name
        for node in tree(PACKAGE / "errors.py").body
        if isinstance(node, ast.ClassDef) and node.name != "ConsortiaError"
    }
    found = {}
    for path in sources():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Name) and node.func.id in classes:
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    found[first.value] = str(path.relative_to(ROOT))
    return found


def documented_codes() -> set[str]:
    text = "\n".join(page.read_text() for page in (ROOT / "docs" / "errors").glob("*.md"))
    return set(re.findall(r"^\| `([a-z-]+/[a-z0-9-]+)` \|", text, re.MULTILINE))


def test_every_error_code_has_the_form_room_slash_slug() -> None:
    wrong = {code: path for code, path in error_codes().items() if not re.fullmatch(r"[a-z-]+/[a-z0-9-]+", code)}
    assert not wrong


def test_every_error_that_a_person_can_meet_is_documented_with_its_remedy() -> None:
    missing = {code: path for code, path in error_codes().items() if code not in documented_codes()}
    assert not missing


def project_texts() -> Iterator[Path]:
    kinds = {".py", ".md", ".toml", ".yaml", ".yml", ".sql", ""}
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts)
        if not hidden and "build" not in parts and path.suffix in kinds and path.is_file():
            yield path


def test_nothing_names_a_machine_or_a_registry() -> None:
    folders = ["/".join(("", name, "")) for name in ("root", "work", "home")]
    hosts = [r"\.".join(name) for name in (("pypi", "org"), ("npmjs", "org"), ("pythonhosted", "org"))]
    words = re.compile("|".join(folders + hosts))
    wrong = [str(path) for path in project_texts() if words.search(path.read_text(errors="replace"))]
    assert not wrong


@pytest.mark.parametrize("path", list(sources()), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_log_takes_the_text_of_an_exception(path: Path) -> None:
    """Texts of libraries quote data values: logs take ``errors.unexpected``, types and places."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            logs = isinstance(node.func, ast.Attribute) and node.func.attr == "exception"
            assert not logs, f"line {node.lineno}"
            assert not [keyword for keyword in node.keywords if keyword.arg in ("exc_info", "stack_info")]
