"""The reference of the command line is what the commands say of themselves."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_equals_the_help_of_every_command() -> None:
    specification = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert specification is not None
    assert specification.loader is not None
    generate = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(generate)
    page = (DOCS / "reference" / "cli.md").read_text()
    assert page == generate.reference(), "run python docs/generate.py"
    assert page.count("\n## consortia ") > 30
