"""Which step runs when. Steps that do not wait for each other run at the same time, so that their rounds overlap.

On a slow link a computer mostly waits; two sorts of independent branches then take the rounds of one. Every step is
started as soon as what it reads is there, at every party alike, and none waits for a free thread: if parties could
run different choices of steps, each might wait for a step that another has not begun. Messages of steps are told
apart by the first part of the step path (``protocols.channel.lane``), so their order among each other does not matter.
"""

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from consortia.errors import InternalError


@dataclass(frozen=True, slots=True)
class Task:
    """One step: its name, the names of the steps whose results it reads, and what it does."""

    name: str
    after: tuple[str, ...]
    work: Callable[[], None]


Begin = Callable[[str], None]
"""Told the name of each task as it starts, in the thread that called the schedule; may raise to end the run."""
Schedule = Callable[[Sequence[Task], Begin], None]


def in_turn(tasks: Sequence[Task], begin: Begin) -> None:
    """One after the other, in the given order, which must name no task before those that it comes after."""
    for task in tasks:
        begin(task.name)
        task.work()


def overlapping(tasks: Sequence[Task], begin: Begin) -> None:
    """Each as soon as those that it comes after are done; a task that is alone runs in the calling thread.

    Raises what the first failing task raised, at once: others may still wait for messages, until the caller closes
    the channels that they wait at.
    """
    done: set[str] = set()
    waiting = list(tasks)
    ended: queue.SimpleQueue[tuple[str, BaseException | None]] = queue.SimpleQueue()
    running = 0
    while waiting or running:
        ready = [task for task in waiting if done.issuperset(task.after)]
        waiting = [task for task in waiting if not done.issuperset(task.after)]
        if not running and len(ready) == 1:
            in_turn(ready, begin)
            done.add(ready[0].name)
            continue
        for task in ready:
            begin(task.name)
            threading.Thread(target=_report, args=(task, ended), name=task.name, daemon=True).start()
        running += len(ready)
        if not running:
            raise InternalError("execution/schedule", f"nothing leads to {', '.join(task.name for task in waiting)}")
        name, failure = ended.get()
        if failure is not None:
            raise failure
        running -= 1
        done.add(name)


def _report(task: Task, ended: "queue.SimpleQueue[tuple[str, BaseException | None]]") -> None:
    try:
        task.work()
    except BaseException as error:  # noqa: BLE001  raised again in the thread that waits
        ended.put((task.name, error))
    else:
        ended.put((task.name, None))
