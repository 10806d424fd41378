"""The generated reference pages are what the code says now: of its commands, its costs, the language of policies."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

DOCS = Path(__file__).parents[3] / "docs"


def generator() -> ModuleType:
    specification = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert specification is not None
    assert specification.loader is not None
    generate = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(generate)
    return generate


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("cli.md", "\n## consortia "),
        ("costs.md", "\n| `"),
        ("policy.md", "\n| `outputs."),
        ("policy-changes.md", "\n| `"),
        ("policy.schema.json", '"type":'),
    ],
)
def test_the_page_equals_what_the_code_says(name: str, lines: str) -> None:
    page = (DOCS / "reference" / name).read_text()
    assert page == generator().PAGES[name](), "run python docs/generate.py"
    assert page.count(lines) > 30
