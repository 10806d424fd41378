"""Whatever is asked, in whatever order: the answers that the guard lets pass determine no patient's value.

Random sequences of queries over a small table. What each would show is taken from plain Python; an attacker who knows
who is in which cell solves linear equations over everybody's values. Without the guard it finds some of them.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from consortia.plans.build import build_plan
from consortia.plans.catalogue import Catalogue, CatalogueTable, KeyDomain
from consortia.plans.model import Plan
from consortia.plans.obligations import Obligations
from consortia.plans.sql import bind
from consortia.policies.flow.populations import Cells
from consortia.policies.history import ReleasedQuery
from consortia.policies.own import OwnCase
from consortia.policies.own import differencing as guard
from consortia.trust.sessions import SnapshotRoot
from tests.fixtures_catalogue import AS_OF, BANKS, BOOL, CUSTOMER, INT, column, environment
from tests.fixtures_catalogue import ColumnType as Type
from tests.plain_rules import Row, cells_of, passes
from tests.plain_suppression import Attacker, hidden_cells
from tests.policies_world import GENEROUS, NOW, loaded

DOMAINS = {"c": ("DE", "FR", "NL"), "f": (False, True)}
COLUMNS = (
    column("k", CUSTOMER),
    column("c", Type(kind="enum", domain="country", values=DOMAINS["c"])),
    column("f", BOOL),
    column("y", INT, 0, 60),
)
CATALOGUE = Catalogue(
    consortium="testers",
    version=1,
    previous="0" * 64,
    purposes=("aml-detection",),
    key_domains=(KeyDomain(name="customer", id_type="number", key_id="aa"),),
    tables=(CatalogueTable(name="t", columns=COLUMNS, holders=BANKS, max_rows=40),),
)
RULES = Obligations(entity="k", minimum_entities=3, minimum_members=2)
POLICY = loaded("bank-a", *GENEROUS, *[("differencing: off", "differencing: {new-data-days: 7}")] * 2)
CONDITIONS: dict[str, Callable[[Row], bool]] = {
    "TRUE": lambda _: True,
    "f": lambda row: row["f"],
    "NOT f": lambda row: not row["f"],
    "c = 'DE'": lambda row: row["c"] == "DE",
    "c IN ('FR', 'NL')": lambda row: row["c"] in ("FR", "NL"),
    "y < 30": lambda row: row["y"] < 30,
    "y >= 30": lambda row: row["y"] >= 30,
    "NOT (y < 4)": lambda row: not row["y"] < 4,
    "y < 30 OR c = 'DE'": lambda row: row["y"] < 30 or row["c"] == "DE",
}


@dataclass(frozen=True)
class Asked:
    """A query over the rows of a condition, in cells of ``keys``."""

    condition: str
    keys: tuple[str, ...]
    hides: bool

    @property
    def obligations(self) -> Obligations:
        return RULES.model_copy(update={"complementary": self.hides})

    def plan(self) -> Plan:
        where = "" if self.condition == "TRUE" else f" WHERE {self.condition}"
        named = ", ".join((*self.keys, "SUM(y) AS s"))
        grouped = f" GROUP BY {', '.join(self.keys)}" if self.keys else ""
        surroundings = environment(CATALOGUE, entities={"t": "k"})
        return build_plan(
            bind(f"SELECT {named} FROM t{where}{grouped}", CATALOGUE, AS_OF), surroundings, self.obligations
        )

    def cells(self, rows: list[Row]) -> tuple[list[list[Row]], list[list[Row]]]:
        """The rows of each cell that is opened, and of each that fails a rule."""
        cells = cells_of([row for row in rows if CONDITIONS[self.condition](row)], self.keys)
        domains = [DOMAINS[key] for key in self.keys]
        places = {
            cell: tuple(domain.index(value) for domain, value in zip(domains, cell, strict=True)) for cell in cells
        }
        passing = {
            place for cell, place in places.items() if passes(cells, cell, (lambda row: row["y"],), self.obligations)
        }
        closed = hidden_cells([len(domain) for domain in domains], passing, partner=self.hides)
        shown = [list(cells[cell]) for cell, place in places.items() if place not in closed]
        return shown, [list(cells[cell]) for cell, place in places.items() if place not in passing and cells[cell]]


POOL = [Asked(condition, keys, hides) for condition in CONDITIONS for keys in ((), ("c",), ("f",), ("c", "f"))
        for hides in (True, False)]  # fmt: skip
PLANS = {asked: asked.plan() for asked in POOL}


def drawn_rows(draw: random.Random) -> list[Row]:
    """Everybody but the recipient's own patients, whose values it knows; each patient has one row."""
    return [
        {"member": draw.choice(("bank-b", "bank-c")), "k": f"{number:03d}", "c": draw.choice(DOMAINS["c"]),
         "f": draw.random() < 0.7, "y": draw.randrange(61)}
        for number in range(30)
    ]  # fmt: skip


def answered(queries: list[Asked], *, guarded: bool) -> list[Asked]:
    """Those that are answered, in the order in which they are asked."""
    history: list[ReleasedQuery] = []
    found = []
    roots = (SnapshotRoot(table="t", root="a" * 64),)
    for number, asked in enumerate(queries):
        plan = PLANS[asked]
        case = OwnCase("bank-a", POLICY, plan, CATALOGUE, {"t": "a" * 64}, NOW, history=tuple(history))
        if not guarded or guard.differencing(case) is None:
            found.append(asked)
            history.append(
                ReleasedQuery(session=f"{number:032x}", plan=plan, snapshots=roots, recipients=("ana@bank-a",), at=NOW)
            )
    return found


def determined(queries: list[Asked], rows: list[Row]) -> int:
    """How many values of one or two patients, and of cells that failed, follow from the answers."""
    people = [(place,) for place in range(len(rows))]
    number = {id(row): place for row, place in zip(rows, people, strict=True)}
    attacker = Attacker(people)
    small = [people[first : first + size] for size in (1, 2) for first in range(len(people))]
    for asked in queries:
        shown, failed = asked.cells(rows)
        for cell in shown:
            attacker.learn(number[id(row)] for row in cell)
        small += [[number[id(row)] for row in cell] for cell in failed]
    return sum(attacker.knows(group) for group in small)


@pytest.mark.parametrize("seed", range(30))
def test_the_answers_that_the_guard_lets_pass_determine_nobodys_value(seed: int) -> None:
    draw = random.Random(seed)
    queries = draw.sample(POOL, 25)
    passed = answered(queries, guarded=True)
    assert passed
    assert determined(passed, drawn_rows(draw)) == 0


WEAKER: dict[str, tuple[str, Callable[[Cells, Cells], bool]]] = {
    "any cells of the same rows": ("_in_chain", lambda _one, _other: True),
    "rows of any other condition": (
        "_are_disjoint",
        lambda one, other: one.conditions.keys() != other.conditions.keys(),
    ),
}


@pytest.mark.parametrize("weaker", WEAKER.values(), ids=WEAKER.keys())
def test_a_weaker_guard_lets_some_follow(
    weaker: tuple[str, Callable[[Cells, Cells], bool]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, *weaker)
    found = 0
    for seed in range(30):
        draw = random.Random(seed)
        queries = draw.sample(POOL, 25)
        found += determined(answered(queries, guarded=True), drawn_rows(draw))
    assert found > 0


def test_without_the_guard_the_same_queries_determine_some() -> None:
    found = 0
    for seed in range(10):
        draw = random.Random(seed)
        queries = draw.sample(POOL, 25)
        found += determined(answered(queries, guarded=False), drawn_rows(draw))
    assert found > 5


def test_chains_and_disjoint_rows_are_among_what_passes() -> None:
    """Guards the tests above: more than one answer must pass, or they show nothing."""
    lengths = [len(answered(random.Random(seed).sample(POOL, 25), guarded=True)) for seed in range(30)]
    assert max(lengths) >= 4
    assert sum(lengths) > 60
