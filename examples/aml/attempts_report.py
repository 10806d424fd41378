"""AMLworld's attempts in the report of ``make gains``: judged over background, compared with shares, as a section."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from examples.aml import amlworld, plain
from examples.aml.attempts import AS_IN_GAINS, AT_A_TIME, BY_TIME, TIME_WINDOW, Row, all_of, counted, judged
from examples.aml.compiled import Registered
from examples.aml.consortium import BANKS, Consortium
from examples.aml.findings import PATTERNS, RISK, Rows, difference, over
from examples.aml.generate import generate
from examples.aml.generator.parameters import Parameters
from examples.aml.markdown import table
from examples.aml.public import VARIABLE

ALL = "all patterns"
BACKGROUND = Parameters(rings=0)
COMPARED = "HI-Small"
MISSING = f"without AMLworld's attempts: `{VARIABLE}` names no folder that holds their pattern files"
SAID = (
    f"every attempt was judged with plain Python's findings; the first {AT_A_TIME} of {COMPARED} ran on shares too, by "
    "the specs' own plans over registered files in one process"
)
SECTION = """\
## AMLworld's laundering attempts

IBM's AMLworld (Altman et al., CDLA-Sharing-1.0) publishes its laundering attempts; the rest of the world is generated
here. {at_a_time} attempts at a time are laid over three banks with {customers:,} customers and {transactions:,}
transactions each, on which nothing else is planted. A hash of AMLworld's bank says which of the three it is: most
attempts, over many banks there, lie in fewer books here, but what was interbank stays interbank. Times move by whole
days, amounts become euro, {suspects:.0%} of the attempts' accounts are suspects of their own bank.

An attempt is found if at least half of its accounts that their banks do not suspect yet are alerted. A bank's alerts
are {share:.1%} of its accounts, those on patterns first, then by propagated risk. `best bank` is the bank that finds
most of them alone, and accounts of other banks on the patterns that its own rows show count for it. `any bank` counts
what at least one bank finds alone, `only consortium` what no bank does. `seen whole` counts attempts of which one bank
holds every payment. The specs' rules want each payment at most as large as the one before, and at least that less a
fee.

"""
RULE = {
    AS_IN_GAINS: "### {name}, by the rules of the specs",
    BY_TIME: "### {name}, by times alone: amounts left out, windows of {window}",
}
WHY = """\
In AMLworld the amounts of a chain do not follow from one another, and the specs' rules are made for money that moves on
less a fee; rules on times leave amounts out. Neither set of rules looks for fans, bipartite graphs, stacks or walks:
what is found of them is found by risk, or since a cycle or a scatter-gather runs through them. Each of three banks has
a third of all accounts and sees more alone than one of hundreds would.
"""


@dataclass(frozen=True)
class Attempts:
    """By data set, rules and pattern what was found; the differences to shares; what is to be said of them."""

    found: Mapping[str, Mapping[str, Mapping[str, Row]]] = field(default_factory=dict)
    conformance: Mapping[str, float] = field(default_factory=dict)
    said: str = MISSING
    share: float = 0.01

    def numbers(self) -> dict[str, object]:
        """For ``gains.json``."""
        return {
            "said": self.said,
            "data_sets": {
                name: {
                    rules: {typology: row.numbers() for typology, row in {**rows, ALL: all_of(rows)}.items()}
                    for rules, rows in by_rules.items()
                }
                for name, by_rules in self.found.items()
            },
        }

    def section(self) -> list[str]:
        """The section of the page; one sentence where no data is."""
        if not self.found:
            return ["## AMLworld's laundering attempts", "", f"This run is {self.said}.", ""]
        head = SECTION.format(
            at_a_time=AT_A_TIME,
            customers=BACKGROUND.customers_per_bank,
            transactions=BACKGROUND.transactions_per_bank,
            suspects=BACKGROUND.suspects,
            share=self.share,
        )
        lines = [head.rstrip("\n"), ""]
        for name, by_rules in self.found.items():
            for rules, rows in by_rules.items():
                lines += [RULE[rules].format(name=name, window=TIME_WINDOW), "", *_table(rows), ""]
        return [*lines, WHY, f"{self.said[0].upper()}{self.said[1:]}.", ""]


def run(consortium: Consortium, root: Path, share: float) -> Attempts:
    """All attempts of the data sets that are there; none where no data is. Files and stores go to ``root``."""
    folder = Path(os.environ.get(VARIABLE, ""))
    files = {name: folder / file for name, file in amlworld.FILES.items() if (folder / file).is_file()}
    if not os.environ.get(VARIABLE) or not files:
        return Attempts()
    background = root / "background"
    generate(BACKGROUND, background)
    attempts = {name: amlworld.read(file) for name, file in files.items()}
    found = {
        name: counted(judged(background, every, BACKGROUND, share), BACKGROUND.banks)
        for name, every in attempts.items()
    }
    apart = {}
    if COMPARED in attempts:
        laid = root / "amlworld"
        amlworld.lay_over(background, attempts[COMPARED][:AT_A_TIME], BACKGROUND, laid)
        apart = {
            f"AMLworld {COMPARED}, attempts 1 to {AT_A_TIME}: {name}, on shares": difference(told, wanted)
            for name, (told, wanted) in on_shares(consortium, laid, root / "amlworld-stores").items()
        }
    said = SAID if apart else "every attempt was judged with plain Python's findings"
    return Attempts(found, apart, said, share)


def on_shares(consortium: Consortium, data: Path, stores: Path) -> dict[str, tuple[Rows, Rows]]:
    """By analysis, what each bank is told by the spec's plan on shares, and what plain Python finds of its accounts."""
    registered = Registered(consortium, data, stores)
    plainly = over(plain.held(data))
    own = {bank: set(plain.scores(plain.held(data, bank), RISK)) for bank in BANKS}
    wanted: dict[str, Mapping[str, float | None]] = {
        "risk-propagation": plainly.risk,
        **{name: dict.fromkeys(accounts) for name, accounts in plainly.patterns.items()},
    }
    return {
        name: (
            registered.answer(spec),
            {bank: {key: score for key, score in wanted[name].items() if key in own[bank]} for bank in BANKS},
        )
        for name, spec in {"risk-propagation": RISK, **PATTERNS}.items()
    }


def _table(rows: Mapping[str, Row]) -> list[str]:
    return table(
        ("pattern", "attempts", "seen whole", "best bank", "any bank", "consortium", "only consortium"),
        [
            (
                name,
                *(
                    f"{number:,}"
                    for number in (
                        row.attempts,
                        row.seen_whole,
                        row.best_bank,
                        row.any_bank,
                        row.consortium,
                        len(row.only_together),
                    )
                ),
            )
            for name, row in {**rows, ALL: all_of(rows)}.items()
        ],
    )
