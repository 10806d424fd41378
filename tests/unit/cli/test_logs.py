"""Logs go to the stderr of the moment, one JSON object a line."""

import json

import pytest
import structlog

from consortia.cli.logs import configure_logs


def test_a_logger_that_was_used_before_its_stream_was_exchanged_writes_to_the_new_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import io
    import sys

    log = structlog.get_logger("test")
    configure_logs()
    with monkeypatch.context() as exchanged:
        first = io.StringIO()
        exchanged.setattr(sys, "stderr", first)
        log.info("one", number=1)
        assert json.loads(first.getvalue())["event"] == "one"
        first.close()
    log.info("two", number=2)
    assert json.loads(capsys.readouterr().err)["number"] == 2
