"""The example's set-up: the commands it tells exist, and it ends where processes can start."""

import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from consortia.cli.main import app
from consortia.parties.config import read_config
from examples.aml import demo
from examples.aml.consortium import BANKS, NAME, PURPOSE, set_up, sign_policies


def test_every_command_that_is_told_exists_with_its_options(tmp_path: Path) -> None:
    told: list[str] = []
    consortium = set_up(tmp_path / "homes", told.append)
    signed = sign_policies(consortium, told.append)
    assert all(len(set(officers)) == 2 for officers in signed.values())
    root: Any = typer.main.get_command(app)
    commands = [shlex.split(line.split("   ")[0].removeprefix("$ ")) for line in told]
    assert len(commands) > 15
    for program, *words in commands:
        assert program == "consortia"
        command = root
        while hasattr(command, "list_commands"):
            command = command.get_command(None, words.pop(0))
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, words
    for bank in BANKS:
        home = consortium.homes[bank]
        assert home.trusted().require_catalogue().digest
        assert [purpose for _, purpose in home.trust.policies()] == [PURPOSE] * 3
        assert read_config(home.path / "party.yaml").home == home.path
        assert home.introduction().consortium == NAME


def test_the_demo_fails_loudly_if_an_answer_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["demo", "--out", str(tmp_path)])
    monkeypatch.setattr(demo, "run", lambda *_: {"differences": ["alerts of bank-b: [] is not ['1']"]})
    with pytest.raises(SystemExit) as ended:
        demo.main()
    assert ended.value.code == 1
    assert "alerts of bank-b" in capsys.readouterr().err
