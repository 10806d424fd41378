"""party.yaml: what it holds, and that a wrong setting is named."""

from pathlib import Path

import pytest

from consortia.errors import OperatorError
from consortia.parties.config import read_config


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "party.yaml"
    path.write_text(text)
    return path


def test_the_home_is_relative_to_the_file_and_defaults_end_a_session_in_time(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, "home: bank-a\nlisten: 127.0.0.1:7101\n"))
    assert config.home == tmp_path / "bank-a"
    assert config.limits.connect_seconds <= 10
    assert config.limits.silence_seconds <= 60
    assert config.limits.control.closed_seconds + 1 <= 10
    assert config.limits.control.keepalive_seconds + config.limits.control.keepalive_timeout_seconds < 60


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("listen: 127.0.0.1:7101\n", "home"),
        ("home: .\n", "listen"),
        ("home: .\nlisten: 127.0.0.1:7101\nlisten_on: x\n", "listen_on"),
        ("home: .\nlisten: 127.0.0.1:7101\nlimits: {silence_seconds: 0}\n", "limits.silence_seconds"),
        ("home: .\nlisten: 127.0.0.1:7101\nlimits: {control: {closed: 3}}\n", "limits.control.closed"),
        ("home: .\nlisten: 127.0.0.1:7101\napproval_minutes: 100000\n", "approval_minutes"),
        ("- home\n", "the file"),
        ("", "the file"),
        ("home: [\n", "YAML"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(OperatorError) as refused:
        read_config(written(tmp_path, text))
    assert refused.value.code == "parties/config"
    assert named in refused.value.message


def test_an_address_without_a_port_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as refused:
        read_config(written(tmp_path, "home: .\nlisten: localhost\n"))
    assert refused.value.code == "control/endpoint"


def test_a_missing_file_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="can't be read"):
        read_config(tmp_path / "absent.yaml")
