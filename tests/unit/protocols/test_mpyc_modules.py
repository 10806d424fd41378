"""MPyC is imported without reading our command line or configuring our logs, and its absence is said in our words."""

import subprocess
import sys

import pytest

from consortia.errors import OperatorError
from consortia.protocols.shamir import mpyc_modules

PROGRAM = """
import logging, sys
sys.argv = ["consortia", "query", "-M", "no number", "--help"]
from consortia.protocols.shamir import field
assert sys.argv[1] == "query"
assert logging.root.handlers == [] and logging.root.level == logging.WARNING
print(field.to_signed(field.combined(dict(enumerate(field.split(field.from_signed([-5]), 1, 3))))))
"""


def test_importing_the_field_leaves_command_line_and_logs_alone() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("[-5]\n", "")


def test_without_mpyc_the_operator_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(mpyc_modules.importlib, "import_module", missing)
    with pytest.raises(OperatorError) as absent:
        mpyc_modules.mpyc_module("finfields")
    assert absent.value.code == "shamir/not-installed"
    assert "consortia[shamir]" in absent.value.remedy


def test_the_price_of_a_plan_is_stated_without_mpyc() -> None:
    program = (
        "import sys; sys.modules['mpyc'] = None\n"
        "import consortia.execution.estimate, consortia.parties.workshop, consortia.cli.main\n"
        "print([name for name in sys.modules if name.startswith('mpyc.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
