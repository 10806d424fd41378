"""Codes of rejected values reach people through ``raise_first``: no reader of the source sees them as literals."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[4]


def test_every_code_of_a_rejected_value_is_documented() -> None:
    codes = {
        node.args[0].value
        for path in (ROOT / "consortia" / "parties" / "data").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Reject"
        if isinstance(node.args[0], ast.Constant)
    }
    faults = {
        node.value
        for node in ast.walk(ast.parse((ROOT / "consortia/parties/data/convert.py").read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"data/[a-z-]+", node.value)
    }
    page = (ROOT / "docs" / "errors" / "data.md").read_text()
    assert len(codes | faults) > 8
    assert not [code for code in codes | faults if f"| `{code}` |" not in page]
