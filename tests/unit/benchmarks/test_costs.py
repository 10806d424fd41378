"""What the cost reference lists is what three computers send, to the byte, and it lists every operation there is."""

import importlib
import inspect

import pytest

from benchmarks.costs import CIRCUITS, OPERATIONS, counted
from consortia.protocols import fixed, graph, learning, relational
from consortia.protocols.counting import CountingEngine
from consortia.protocols.engine import Engine
from consortia.protocols.ring3 import Ring3Engine
from tests.world import World

ROWS = (1, 100, 700)
LOCAL = {"narrow", "part", "constant_arithmetic", "constant_boolean", "constant_wide", "invert"}
OPENING = {"open_to_computer"}
"""Of the engine, listed in words: its declared cost is compared in test_ring3_primitives."""
RELATIONS = {
    "carry": {"carried"},
    "control": {"control"},
    "filter": {"keep_where", "first", "own_rows"},
    "group": {"group"},
    "join": {"join"},
    "join_by_key": {"join_by_key"},
    "moments": {"with_squares", "with_variance"},
    "order": {"order_by", "top"},
    "pick": {"extremes", "quantiles"},
    "segments": {"same_group", "places", "carried_back"},
    "sets": {"distinct", "union_distinct", "compared"},
    "union": {"union_all"},
    "window": {"windows"},
}
"""The operators by module; others there are their parts."""
FUNCTIONS = ("choose", "divide", "exponential", "roots", "sigmoid")
PARTS = {"prepared"}


@pytest.mark.parametrize("circuits", CIRCUITS)
@pytest.mark.parametrize("rows", ROWS)
def test_every_operation_sends_what_it_is_declared_to_cost(rows, circuits):
    world = World(5)
    names = [f"op-{number}" for number in range(len(OPERATIONS))]

    def program(ctx):
        engine = Ring3Engine(ctx, circuits)
        for name, operation in zip(names, OPERATIONS, strict=True):
            operation.run(engine.narrow(name), rows)

    world.run_contexts(program)
    for name, operation in zip(names, OPERATIONS, strict=True):
        counting = CountingEngine(World.computers, circuits)
        operation.run(counting.narrow(name), rows)
        said = f"{operation.name}: {operation.what}"
        rounds = {transcript.total_rounds(name) for transcript in world.transcripts}
        assert rounds == {sum(counting.counts.rounds.values())}, said
        for member, transcript in zip(World.computers, world.transcripts, strict=True):
            declared = sum(size for (_, by), size in counting.counts.sent.items() if by == member)
            assert transcript.total_sent(name) == declared, said
    total = sum(world.sent_bytes(member) for member in World.computers)
    assert total == sum(counted(operation, rows, circuits).total_bytes for operation in OPERATIONS)


def test_the_reference_lists_every_operation_of_the_engine():
    methods = {name for name, _ in inspect.getmembers(Engine, inspect.isfunction) if not name.startswith("_")}
    listed = {operation.name for operation in OPERATIONS if operation.room in ("Engine", "Order")}
    assert listed == methods - LOCAL - OPENING


def public_functions(package, module):
    found = importlib.import_module(f"{package.__name__}.{module}")
    return {
        name
        for name, function in vars(found).items()
        if inspect.isfunction(function)
        and function.__module__ == found.__name__
        and not name.startswith("_")
        and "engine" in inspect.signature(function).parameters
    }


def test_the_reference_lists_every_operator_of_relations():
    listed = {operation.name for operation in OPERATIONS if operation.room == "Relations"}
    for module, operators in RELATIONS.items():
        assert operators <= public_functions(relational, module), module
        assert operators <= listed, module


def test_the_reference_lists_every_function_of_fixed_point_numbers():
    listed = {operation.name for operation in OPERATIONS if operation.room == "Fixed-point functions"}
    for module in FUNCTIONS:
        assert public_functions(fixed, module) - PARTS <= listed, module


def test_the_reference_lists_every_operation_on_graphs():
    listed = {operation.name for operation in OPERATIONS if operation.room == "Graphs"}
    for module in ("expand", "network", "patterns", "propagate", "read", "weights"):
        assert public_functions(graph, module) <= listed, module


def test_the_reference_lists_what_is_done_with_trees():
    listed = {operation.name for operation in OPERATIONS if operation.room == "Trees"}
    for module in ("choice", "trees"):
        assert public_functions(learning, module) <= listed, module


def test_the_reference_lists_what_joint_models_are_made_of():
    listed = {operation.name for operation in OPERATIONS if operation.room == "Joint models"}
    assert public_functions(learning, "scaling") <= listed
    for module in ("regression", "cuts"):
        assert {f"{module}.{name}" for name in public_functions(learning, module)} <= listed
