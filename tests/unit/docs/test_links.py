"""Pages lead where they say, and name files that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("compose/*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_within_the_project_leads_to_a_file(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{target} in {page.name}"


def test_the_map_of_rooms_names_every_room() -> None:
    rooms = {path.parent.name for path in (ROOT / "consortia").glob("*/__init__.py")}
    named = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "architecture.md").read_text(), re.MULTILINE))
    assert named | {"wire"} == rooms


def test_every_file_of_the_package_that_the_map_names_exists() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    names = re.findall(r"`((?:policies|parties|plans|protocols|control|execution)/[\w/.]*)`", text)
    assert len(names) > 6
    for name in names:
        assert (ROOT / "consortia" / name).exists(), name
