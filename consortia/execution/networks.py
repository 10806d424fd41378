"""Steps that follow payments from account to account, as calls of the operations on graphs."""

from collections.abc import Sequence
from dataclasses import replace

from consortia.execution.fit import number_of
from consortia.plans.networks import (
    LARGEST_SUM,
    SCORE_BITS,
    CycleMethod,
    Following,
    RiskMethod,
    ScatterGatherMethod,
    TaintMethod,
    made_bounds,
)
from consortia.plans.steps_of_networks import Match, Paid, Propagate
from consortia.protocols.engine import Engine
from consortia.protocols.fixed.numbers import Fixed
from consortia.protocols.graph import network as graph
from consortia.protocols.graph import patterns
from consortia.protocols.graph.network import Edges, Network, Nodes
from consortia.protocols.graph.propagate import ranks, risk
from consortia.protocols.graph.taint import SEED, Taint, tainted
from consortia.protocols.graph.weights import FRACTION, shares_of
from consortia.protocols.relational.order import key_planes
from consortia.protocols.relational.table import SharedColumn, SharedTable
from consortia.protocols.shares import Arithmetic, Boolean, Rows

UNIT = 1 << FRACTION


def propagated(
    engine: Engine, step: Propagate, accounts: SharedTable, payments: SharedTable, *later: SharedTable
) -> SharedTable:
    """The accounts with their new number; zero where a row is no account."""
    listed = _known(engine.narrow("accounts"), accounts, (step.key,))
    nodes = Nodes(key_planes(accounts, step.key), listed)
    if isinstance(step.method, RiskMethod):
        found = _scores(engine.narrow("start"), number_of(accounts, step.score), step.method)
        for place, (paid, table) in enumerate(zip(step.periods, (payments, *later), strict=True)):
            found = _risk(engine.narrow(f"period-{place}"), step, nodes, paid, table, found, step.method.iterations)
    else:
        found = _ranks(engine, step, nodes, payments, step.method.iterations)
    whole = made_bounds(step.method).hi // 2  # what the number 1 stands for, in units of the column
    value = engine.narrow("scale").truncate(found.carried.scaled(whole), FRACTION)
    bit = engine.narrow("bit").bit_to_arithmetic(accounts.valid)
    kept = engine.narrow("kept").multiply(bit, value)
    column = SharedColumn(kept, 0, 2 * whole)
    return replace(accounts, columns={**accounts.columns, step.made: column})


def _risk(
    engine: Engine,
    step: Propagate,
    nodes: Nodes,
    paid: Paid,
    payments: SharedTable,
    scores: Fixed,
    steps: int,
) -> Fixed:
    """Scores after the payments of one period; before and after in the order of the accounts given."""
    network = _network(engine, nodes, paid, payments)
    weights = shares_of(engine.narrow("weights"), network, network.target, number_of(payments, paid.amount), step.total)
    start = Fixed(graph.by_key(engine.narrow("by-key"), network, scores.carried), FRACTION, scores.limit)
    found = risk(engine.narrow("risk"), network, start, weights, steps)
    return Fixed(graph.as_given(engine.narrow("given"), network, found.carried), FRACTION, found.limit)


def _ranks(engine: Engine, step: Propagate, nodes: Nodes, payments: SharedTable, steps: int) -> Fixed:
    """Ranks in the order of the accounts given."""
    network = _network(engine, nodes, step.periods[0], payments)
    weights = shares_of(engine.narrow("weights"), network, network.source, number_of(payments, step.amount), step.total)
    in_order = engine.narrow("listed").permuted(network.node_order, Rows((), (nodes.valid,))).boolean[0]
    found = ranks(engine.narrow("ranks"), network, in_order, weights, steps)
    return Fixed(graph.as_given(engine.narrow("given"), network, found.carried), FRACTION, found.limit)


def _network(engine: Engine, nodes: Nodes, paid: Paid, payments: SharedTable) -> Network:
    known = _known(engine.narrow("payments"), payments, (paid.source, paid.target))
    edges = Edges(key_planes(payments, paid.source), key_planes(payments, paid.target), known)
    return graph.prepared(engine.narrow("network"), nodes, edges)


def matched(
    engine: Engine, step: Match, accounts: SharedTable, payments: SharedTable, *seeds: SharedTable
) -> SharedTable:
    """The accounts on a pattern; of a taint those that money of ``seeds`` reaches."""
    names = {
        step.source: patterns.SOURCE,
        step.target: patterns.TARGET,
        step.time: patterns.TIME,
        step.amount: patterns.AMOUNT,
    }
    valid = _known(engine.narrow("payments"), payments, (step.source, step.target))
    columns = {new: replace(payments.column(old), validity=None) for old, new in names.items()}
    edges = SharedTable(payments.length, columns, valid)
    found_at = engine.narrow("search")
    match step.method:
        case CycleMethod(longest=longest, follows=follows, paths=paths, closed=closed):
            found = patterns.cycles(found_at, edges, patterns.Cycles(longest, _follows(follows), paths, closed))
        case ScatterGatherMethod(middles=middles, follows=follows, paths=bound):
            found = patterns.scatter_gather(found_at, edges, patterns.ScatterGather(middles, _follows(follows), bound))
        case TaintMethod() as method:
            found = [_tainted(found_at, step, method, edges, *seeds)]
    return patterns.accounts_on(engine.narrow("accounts"), accounts, step.key, found)


def _tainted(engine: Engine, step: Match, method: TaintMethod, edges: SharedTable, seeds: SharedTable) -> SharedTable:
    """The payments that carry money of the seeds; the planner has proved that all amounts stay below LARGEST_SUM."""
    known = _known(engine.narrow("seeds"), seeds, (step.seed,))
    named = SharedTable(seeds.length, {SEED: replace(seeds.column(step.seed), validity=None)}, known)
    total = min(LARGEST_SUM, edges.length * edges.column(patterns.AMOUNT).hi)
    follows = method.follows
    spec = Taint(method.hops, follows.window, (follows.part, follows.whole), total)
    return tainted(engine.narrow("taint"), edges, named, spec)


def _known(engine: Engine, table: SharedTable, keys: Sequence[str]) -> Boolean:
    """One plane: the row is valid and none of the keys is NULL."""
    valid = table.valid
    for name in keys:
        known = table.column(name).validity
        if known is not None:
            valid = engine.narrow(f"known-{name}").conjunction(valid, known)
    return valid


def _scores(engine: Engine, values: Arithmetic, method: RiskMethod) -> Fixed:
    """Scores as numbers from 0 to 1; off by less than two units, since a score is at most 2^SCORE_BITS."""
    one = (UNIT << SCORE_BITS) // (method.scale * 10**method.places)
    numbers = engine.narrow("unit").truncate(values.scaled(one), SCORE_BITS)
    return Fixed(numbers, FRACTION, UNIT)


def _follows(follows: Following) -> patterns.Following:
    return patterns.Following(follows.window, (follows.part, follows.whole))
