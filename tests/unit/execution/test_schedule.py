"""Steps that do not wait for each other run at the same time, and then share rounds; what they send stays the same."""

import threading
import time

import numpy as np
import pytest

from consortia.errors import InternalError
from consortia.execution.schedule import Task, in_turn, overlapping
from consortia.protocols.engine import ColumnShape
from consortia.protocols.memory import MemoryNetwork, Pace
from consortia.protocols.order import costs
from consortia.protocols.shares import Rows
from tests.world import World, reconstruct

LATENCY = 0.01


def test_a_task_starts_once_those_that_it_comes_after_are_done_and_others_at_the_same_time():
    both = threading.Barrier(2, timeout=10)
    done = []

    def meets(name):
        both.wait()
        done.append(name)

    tasks = [
        Task("a", (), lambda: done.append("a")),
        Task("b", ("a",), lambda: meets("b")),
        Task("c", ("a",), lambda: meets("c")),
        Task("d", ("b", "c"), lambda: done.append("d")),
    ]
    began = []
    overlapping(tasks, began.append)
    assert began == ["a", "b", "c", "d"]
    assert [done[0], *sorted(done[1:3]), done[3]] == ["a", "b", "c", "d"]


def test_a_task_that_is_alone_runs_in_the_calling_thread_as_does_what_is_told_of_its_start():
    threads = []
    overlapping([Task("a", (), lambda: threads.append(threading.current_thread()))], lambda _: None)
    free = [Task(name, (), lambda: None) for name in "bc"]
    overlapping(free, lambda _: threads.append(threading.current_thread()))
    assert threads == [threading.current_thread()] * 3


@pytest.mark.parametrize("schedule", [in_turn, overlapping])
def test_the_first_failure_ends_the_run_without_waiting_for_the_others(schedule):
    never = threading.Event()

    def fail():
        raise InternalError("execution/shape", "planted")

    tasks = [Task("a", (), fail), Task("b", (), lambda: never.wait(30)), Task("c", ("a",), lambda: never.wait(30))]
    started = time.monotonic()
    with pytest.raises(InternalError, match="planted"):
        schedule(tasks, lambda _: None)
    assert time.monotonic() - started < 5
    never.set()


def test_an_error_of_begin_ends_the_run():
    def refuse(name):
        raise InternalError("execution/shape", f"no {name}")

    with pytest.raises(InternalError, match="no a"):
        overlapping([Task("a", (), lambda: None), Task("b", (), lambda: None)], refuse)


def test_tasks_that_wait_for_each_other_are_a_defect():
    with pytest.raises(InternalError, match="nothing leads to b"):
        overlapping([Task("a", (), lambda: None), Task("b", ("b",), lambda: None)], lambda _: None)


def sorts(world: World, schedule, names=("s1", "s2")):
    """Sorts of 300 rows by keys of 16 bits, one for each of ``names``; seconds, and what was sent by step."""
    keys = world.share_boolean(np.random.default_rng(3).integers(0, 1 << 16, 300).tolist(), 16)
    found = {}

    def program(engine):
        own = keys[engine.ctx.rank]

        def sort(name):
            found[name, engine.ctx.rank] = engine.narrow(name).sort(own, Rows(boolean=(own,))).boolean[0]

        schedule([Task(name, (), lambda name=name: sort(name)) for name in names], lambda _: None)

    started = time.monotonic()
    world.run(program)
    seconds = time.monotonic() - started
    for name in names:
        values = reconstruct([found[name, rank] for rank in range(3)])
        assert values == sorted(values)
    channels = [channel for member in world.computers for channel in world.network.channels[member].values()]
    return seconds, [dict(channel.sent) for channel in channels]


def paced(latency: float) -> World:
    world = World(4)
    network = MemoryNetwork(world.computers, pace=Pace(latency))
    world.network.channels.update(network.channels)
    for context in world.contexts:
        context.channels.update(network.channels[context.member])  # type: ignore[attr-defined]  # a dict
    return world


def test_two_independent_sorts_take_the_rounds_of_one_and_send_what_they_send_one_after_the_other():
    sorts(World(4), in_turn)  # kernels are compiled
    one, _ = sorts(paced(LATENCY), in_turn, ("s1",))
    apart, sent_apart = sorts(paced(LATENCY), in_turn)
    together, sent_together = sorts(paced(LATENCY), overlapping)
    assert sent_together == sent_apart
    waiting = LATENCY * costs.sort(300, 16, (ColumnShape("boolean", 16),)).rounds
    assert one > waiting
    assert apart > 2 * waiting
    # what one of them saves is its waiting, but for what two threads and two others compute on the same cores
    assert together < apart - 0.7 * waiting
