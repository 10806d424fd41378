"""The attacks: what each asks, what it finds, and with which one protection taken away it finds it.

An attack returns what it has found, or None. It knows the victim's region and age, and who is registered at its own
clinic, as a neighbour or an employer would; it never looks at others' rows.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import fmean

from consortia.policies.own.budget import within_budget
from examples.attacks.consortium import (
    MEMBERS,
    OPEN,
    REGIONS,
    Consortium,
    Patient,
    Protection,
    edited,
    without,
    without_own_rows_left_out,
)

VICTIM = Patient("victim", "west", 91, 8421)
AWAY = "age = 91 AND region = 'west'"
"""What the attacker knows of the victim; nobody else is like that."""
Rows = Mapping[str, Sequence[Patient]]


def population(size: int = 30, seed: int = 4) -> dict[str, list[Patient]]:
    """Patients of every clinic; the victim at clinic-b is the only one over 90, and the only one in its region."""
    chance = random.Random(seed)
    rows = {
        member: [
            Patient(
                f"{member}-{place}",
                chance.choice([region for region in REGIONS if region != VICTIM.region]),
                chance.randint(18, 90),
                chance.randint(2000, 9000),
            )
            for place in range(size)
        ]
        for member in MEMBERS
    }
    rows["clinic-b"].append(VICTIM)
    return rows


def number(consortium: Consortium, sql: str) -> int | None:
    """The one number of a query without groups; None if it is suppressed."""
    row = consortium.ask(sql).rows()[0]
    return None if row[-1] is True else int(row[0])


# --- attacks --------------------------------------------------------------------------------------------------------


def probing(consortium: Consortium) -> int | None:
    """Ask for one age after the other until a group holds one patient alone."""
    for age in range(98, 85, -1):
        row = consortium.ask(f"SELECT COUNT(*) AS n, SUM(cost) AS s FROM patients WHERE age = {age}").rows()[0]
        if row[0] == 1:
            return int(row[1])
    return None


def tracker(consortium: Consortium) -> int | None:
    """Ask for all, then for all but the victim, and subtract (Denning, Denning and Schwartz 1979)."""
    everybody = number(consortium, "SELECT SUM(cost) AS s FROM patients")
    others = number(consortium, f"SELECT SUM(cost) AS s FROM patients WHERE NOT ({AWAY})")
    return None if everybody is None or others is None else everybody - others


def general_tracker(consortium: Consortium) -> int | None:
    """Pad the victim with one half of the people, then with the other, and subtract all."""
    padded = [
        number(consortium, f"SELECT SUM(cost) AS s FROM patients WHERE ({AWAY}) OR {half}")
        for half in ("age < 50", "NOT (age < 50)")
    ]
    everybody = number(consortium, "SELECT SUM(cost) AS s FROM patients")
    if everybody is None or None in padded:
        return None
    # the victim is over 50, so it stands in both, and everybody else once
    return sum(each for each in padded if each is not None) - everybody


def totals(consortium: Consortium) -> int | None:
    """Ask for the groups and for their total; a suppressed group is what is missing."""
    shown = consortium.ask("SELECT region, SUM(cost) AS s FROM patients GROUP BY region").rows()
    everybody = number(consortium, "SELECT SUM(cost) AS s FROM patients")
    if everybody is None:
        return None
    return everybody - sum(int(row[1]) for row in shown if not row[-1])


def padding(consortium: Consortium) -> int | None:
    """Register invented patients beside the victim, so that the group is large enough, and subtract them."""
    invented = [Patient(f"nobody-{place}", VICTIM.region, VICTIM.age, 5000) for place in range(40)]
    consortium.register("clinic-a", invented)
    total = number(consortium, f"SELECT SUM(cost) AS s FROM patients WHERE {AWAY}")
    return None if total is None else total - sum(each.cost for each in invented)


def repeating(consortium: Consortium) -> int | None:
    """Ask the same before and after the victim is registered, and subtract."""
    query = "SELECT SUM(cost) AS s FROM patients"
    before = number(consortium, query)
    consortium.register("clinic-b", population()["clinic-b"])
    after = number(consortium, query)
    return None if before is None or after is None else after - before


def averaging(consortium: Consortium) -> int | None:
    """Ask for the same noisy number until the mean of the answers can be nothing else, by three standard errors."""
    query = f"SELECT COUNT(*) AS n FROM patients WHERE {AWAY}"
    answers = [consortium.ask(query)["n"][0]]
    needed = ceil((3 / 0.5) ** 2 * consortium.variance(query))
    answers += [consortium.ask(query)["n"][0] for _ in range(needed - 1)]
    return round(fmean(answers))


# --- what is attacked -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expected:
    """How an attack must go: unprotected it finds the truth after so many queries, protected it ends so, after so many.

    A query that is denied counts too.
    """

    found_after: int
    ending: str
    ended_after: int


@dataclass(frozen=True)
class Attack:
    """One attack. ``unprotected`` lacks the protection that ``stopped_by`` names; ``truth`` is what is to be found."""

    name: str
    run: Callable[[Consortium], int | None]
    stopped_by: str
    unprotected: Protection
    expected: Expected
    protected: Protection = Protection()  # noqa: RUF009 - frozen
    truth: int = VICTIM.cost
    rows: Callable[[], Rows] = population


UNGUARDED = ("    differencing: {new-data-days: 7}", "    differencing: off")
UNRULED = (("    dominance: {n: 2, percent: 90}", "    dominance: off"), ("    p-percent: 10", "    p-percent: off"))
NOISY = edited(
    Protection(),
    ("    noise: off", "    noise: {rho-per-release: 1/8, rho-per-period: 1/2, cells-per-unit: 1, rows-per-cell: 1}"),
    UNGUARDED,
    ("queries-per-analyst-and-day: 20", "queries-per-analyst-and-day: off"),
    ("queries-per-day: 50", "queries-per-day: off"),
)


def before_the_victim() -> Rows:
    """Everybody but the victim, who comes later."""
    return {member: [each for each in rows if each != VICTIM] for member, rows in population().items()}


ATTACKS = (
    Attack(
        "small-group probing by filters",
        probing,
        "minimum of contributors",
        OPEN,
        Expected(8, "suppressed", 13),
    ),
    Attack(
        "differencing by an individual tracker",
        tracker,
        "differencing guard",
        edited(Protection(), UNGUARDED),
        Expected(2, "policies/differencing", 2),
    ),
    Attack(
        "differencing by a general tracker",
        general_tracker,
        "differencing guard",
        edited(Protection(), UNGUARDED),
        Expected(3, "policies/differencing", 2),
    ),
    Attack(
        "a suppressed group from the total",
        totals,
        "complementary suppression",
        edited(Protection(), UNGUARDED, ("suppression: required", "suppression: off")),
        Expected(2, "a wrong number", 2),
    ),
    Attack(
        "padding a group with rows of one's own",
        padding,
        "leaving the recipient's own rows out of counts, and dominance",
        edited(Protection(change=without_own_rows_left_out), *UNRULED),
        Expected(1, "suppressed", 1),
    ),
    Attack(
        "repeated queries over newer rows",
        repeating,
        "differencing guard: days between answers over older and newer rows",
        edited(Protection(), UNGUARDED),
        Expected(2, "policies/differencing", 2),
        rows=before_the_victim,
    ),
    Attack(
        "averaging of noisy answers",
        averaging,
        "privacy budget",
        Protection(edits=NOISY.edits, rules=without(within_budget)),
        Expected(270, "policies/budget", 5),
        protected=NOISY,
        truth=1,
    ),
)
