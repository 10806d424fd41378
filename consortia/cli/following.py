"""Following a run on stderr: a bar with rounds, bytes and time left on a terminal, one plain line a stage elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from consortia.cli.output import console, note
from consortia.client.session import Event, OnEvent
from consortia.control import messages
from consortia.plans.cost import Estimate
from consortia.visible import visible


@contextmanager
def following(estimate: Estimate | None) -> Iterator[OnEvent]:
    """A callback for the events of one run; ``estimate`` gives the bar its end."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f} rounds, {task.fields[sent]:,} bytes"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console(sys.stderr), transient=True) as progress:
        task = progress.add_task("submitted", total=max(1, estimate.rounds if estimate else 1), sent=0)

        def show(session: str, event: Event) -> None:
            match event:
                case messages.Progress(party=party, rounds=rounds, sent=sent):
                    progress.update(task, completed=rounds, sent=sent, description=visible(f"computing ({party})"))
                case _:
                    progress.update(task, description=visible(_words(session, event)))

        yield show


class _Lines:
    """One line for every change of stage, none for progress within one."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._last = ""

    def __call__(self, session: str, event: Event) -> None:
        if isinstance(event, messages.Progress):
            return
        words = _words(session, event)
        if words != self._last:
            note(f"{time.monotonic() - self._started:7.2f} s  {words}")
            self._last = words


def _words(session: str, event: Event) -> str:
    match event:
        case messages.Accepted(parties=parties):
            return f"session {session} asks {', '.join(parties)}"
        case messages.Stage(party=party, stage=stage):
            return f"{party}: {stage}"
        case messages.Waiting(party=party, seen=seen, seconds=seconds):
            return f"waiting for {party} for {seconds} s" + ("" if seen else ", never seen")
        case messages.Progress(party=party, step=step):
            return f"{party}: computing {step}"
