"""Text of a peer or of the coordinator on a terminal: it can neither steer it, nor pass for text of this program."""

import io
import json
from types import SimpleNamespace

import pytest

from consortia.cli.following import following
from consortia.cli.output import emit, note, report, table
from consortia.control.messages import Fault, Waiting
from consortia.plans.cost import Estimate
from consortia.visible import visible

HOSTILE = (
    "\x1b[2J\x1b[31mred \x9b5m \x07\b\r\u202edrowkcab\u2066 [bold]loud[/bold] \\[red]x[/red] [link=http://x]y[/link]"
)
FORBIDDEN = ("\x1b[2J", "\x1b[31m", "\x1b[1mloud", "\x1b]8", "\x9b", "\x07", "\b", "\u202e", "\u2066")


class Terminal(io.StringIO):
    """What a person sees: rich takes it for a terminal with colours."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(params=[io.StringIO, Terminal], ids=["file", "terminal"])
def screen(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream: io.StringIO = request.param()
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "400")
    for module in ("output", "following"):
        monkeypatch.setattr(f"consortia.cli.{module}.sys", SimpleNamespace(stdout=stream, stderr=stream))
    return stream


def check(screen: io.StringIO) -> str:
    shown = screen.getvalue()
    assert not [bad for bad in FORBIDDEN if bad in shown]
    assert "[bold]loud[/bold]" in shown
    assert "\\[red]x[/red]" in shown
    return shown


def fault(**texts: str) -> Fault:
    return Fault(kind="PeerError", code="transport/closed", party="bank-b", **texts)


@pytest.mark.parametrize("field", ["message", "place", "remedy"])
def test_a_fault_of_a_peer_is_shown_and_not_obeyed(screen: io.StringIO, field: str) -> None:
    report(fault(**{field: HOSTILE}).error(), SimpleNamespace(meta={}))  # type: ignore[arg-type]  # meta alone is read
    assert r"\x1b[2J" in check(screen)


def test_a_fault_can_not_pass_for_another_field(screen: io.StringIO) -> None:
    report(fault(message="gone\n  remedy: pay").error(), SimpleNamespace(meta={}))  # type: ignore[arg-type]  # as above
    assert not [line for line in screen.getvalue().splitlines() if line.startswith("  remedy: pay")]


def test_errors_as_json_hold_the_same_text_without_a_character_that_steers(screen: io.StringIO) -> None:
    report(fault(message=HOSTILE).error(), SimpleNamespace(meta={"consortia.json": True}))  # type: ignore[arg-type]  # so
    shown = screen.getvalue()
    assert not [bad for bad in FORBIDDEN if bad in shown]
    assert json.loads(shown)["error"]["message"] == HOSTILE


def test_notes_results_and_tables_show_brackets_and_escapes_as_they_are_written(screen: io.StringIO) -> None:
    note(HOSTILE)
    check(screen)
    emit({}, HOSTILE, json=False)
    check(screen)
    emit({}, table(("name",), [(HOSTILE,)]), json=False)
    check(screen)


def test_words_about_a_run_are_shown_and_not_obeyed(screen: io.StringIO) -> None:
    # the shape of the message would refuse such a name; what is printed does not rest on it
    waiting = Waiting.model_construct(party=HOSTILE, seen=True, connected=True, seconds=1)
    with following(Estimate()) as on_event:
        on_event("0" * 32, waiting)
    assert "waiting for" in check(screen)


def test_letters_of_all_languages_stay() -> None:
    assert visible("Grüße, Ελλάδα, 日本\n  [x]") == "Grüße, Ελλάδα, 日本\n  [x]"
