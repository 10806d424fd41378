"""A policy in plain English, on one page, made from the very object that is enforced.

Each sentence carries the id of the rule that enforces it (none where the sentence states the owner's ground). The
last sections say what is never permitted and what is off, so that nothing is left to guess.
"""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from consortia.policies.language.enforcement import OffRule, off_rules
from consortia.policies.language.model import CellOutput, Policy, PolicyTable, RowOutput
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.rules.tables import ALL_ROWS
from consortia.trust.keys import short

WIDTH = 100
OPERATION_WORDS = {
    "filter": "select rows by",
    "group": "open as groups",
    "count": "count values of",
    "sum": "sum (and, where rows may be counted, average)",
    "compare": "compare totals of, without opening them",
    "alert": "open to the members that hold the row",
    "score": "open numbers per customer made from",
    "join": "let rows of several tables or members meet by equal values of",
    "rank": "put rows in order by, and keep the first",
    "extreme": "open the least and greatest value, which is one customer's, of",
    "quantile": "open medians and other quantiles, which are one or two customers' values, of",
    "variance": "open sums of squares (for variance and deviation) of",
}
ROW_WORDS = {
    "count": "the number of rows in a group may be opened",
    "compare": "the number of rows in a group may be compared with a threshold, without opening it",
    "count-members": "the number of members with rows in a group may be opened",
    "compare-members": "the number of members with rows in a group may be compared with a threshold, unopened",
    "score": "numbers of rows or members may be opened beside an alert",
}
PROBING = (
    "A comparison or an order hides the number in a single query only: about 40 queries with other thresholds give a"
    " member the exact total of the others for a customer that it shares; only the quotas of queries slow that down"
    " (docs/limits.md)."
)


@dataclass(frozen=True, slots=True)
class Sentence:
    """One statement of the page, and the rule that enforces it."""

    section: str
    text: str
    rule: str = ""


def explain(loaded: LoadedPolicy) -> str:
    """The page as text, lines of at most 100 characters, ending in a line feed."""
    identity = loaded.policy.identity
    title = f"Policy {identity.id}, version {identity.version}, of {identity.owner} in {identity.consortium}"
    lines = [title, "=" * len(title), f"fingerprint {short(loaded.digest)}"]
    section = ""
    for sentence in sentences(loaded):
        if sentence.section != section:
            section = sentence.section
            lines += ["", section]
        mark = f" [{sentence.rule}]" if sentence.rule else ""
        lines += textwrap.wrap(
            sentence.text + mark, WIDTH, initial_indent="  - ", subsequent_indent="    ",
            break_long_words=False, break_on_hyphens=False,
        )  # fmt: skip
    return "\n".join(lines) + "\n"


def sentences(loaded: LoadedPolicy) -> tuple[Sentence, ...]:
    """All statements of the page, in order."""
    policy = loaded.policy
    return (
        *_ground(policy),
        *_parties(policy),
        *_data(policy),
        *_outputs(policy),
        *_never(policy),
        *_stops(policy),
        *_off(loaded),
    )


def _ground(policy: Policy) -> Iterator[Sentence]:
    section = "What it is for, and how long"
    yield Sentence(section, f"The data may be used for {policy.purpose.code}, and for nothing else.", "purpose")
    yield Sentence(section, f"The owner relies on: {'; '.join(policy.purpose.legal_basis)}.")
    yield Sentence(
        section,
        f"Impact assessment {policy.purpose.dpia}; register entry {policy.purpose.register_entry}.",
    )
    dates = policy.validity
    yield Sentence(
        section, f"It is valid from {_day(dates.not_before)} to the end of {_day(dates.not_after)} (UTC).", "validity"
    )
    yield Sentence(section, f"The owner reviews it by {_day(dates.review)}.")
    identity = policy.identity
    yield Sentence(
        section,
        f"{identity.author} wrote it; two officers of {identity.owner}, neither of them the author, must sign it.",
        "four-eyes",
    )
    before = "It is the first version." if identity.version == 1 else f"It replaces the version {identity.previous}."
    yield Sentence(section, before, "succession")


def _parties(policy: Policy) -> Iterator[Sentence]:
    section = "Who asks and who computes"
    parties = policy.parties
    yield Sentence(section, f"Questions may be asked by {_who(parties.submit)}.", "submitter")
    yield Sentence(section, f"The joint computation may run at {_names(parties.compute)}.", "computers")
    if parties.not_together:
        groups = "; ".join(_names(group) for group in parties.not_together)
        yield Sentence(section, f"These must never compute together: {groups}.", "not-together")
    mode = {
        "semi-honest": "At least: computers that follow the protocol.",
        "malicious": "At least: security against computers that break the protocol (no plan of this version has it).",
    }
    yield Sentence(section, mode[parties.threat_model], "threat-model")
    pooled = (
        "What one computer sees tells it nothing; it is relied on that no two collude."
        if parties.collusion == 1
        else f"As many as {parties.collusion} computers may pool all that they see, and learn nothing."
    )
    yield Sentence(section, pooled, "collusion")
    floor = "Only signatures that hold against quantum computers" if parties.signatures == "post-quantum" else (
        "Signatures of any suite of the consortium"
    )  # fmt: skip
    yield Sentence(section, f"{floor} are accepted from all who take part.", "cryptography")


def _data(policy: Policy) -> Iterator[Sentence]:
    for name, table in policy.data.tables.items():
        section = f"What may be done with {name}"
        scope = table.rows.strip()
        rows = "All rows take part." if scope == ALL_ROWS else f"Only rows take part where: {' '.join(scope.split())}."
        yield Sentence(section, rows, "row-scope")
        yield Sentence(section, f"Contributors are counted by distinct {table.privacy_unit}.", "privacy-unit")
        for operation, words in OPERATION_WORDS.items():
            columns = [column for column, entry in table.columns.items() if operation in entry.operations]
            if columns:
                yield Sentence(section, f"May {words}: {', '.join(columns)}.", "operations")
        if table.operations:
            said = "; ".join(ROW_WORDS[operation] for operation in ROW_WORDS if operation in table.operations)
            yield Sentence(section, f"{said[0].upper()}{said[1:]}.", "operations")
        if _compares(table):
            yield Sentence(section, PROBING, "operations")
        yield from _unused(section, table)


def _compares(table: PolicyTable) -> bool:
    """Whether anything of the table may be compared with a threshold that the query chooses, or with rows put in."""
    granted = {*table.operations, *(each for entry in table.columns.values() for each in entry.operations)}
    return bool(granted & {"compare", "compare-members", "rank"})


def _unused(section: str, table: PolicyTable) -> Iterator[Sentence]:
    unused = [column for column, entry in table.columns.items() if not entry.operations]
    text = f"Never used: {', '.join(unused)}, and every column" if unused else "Never used: every column"
    yield Sentence(section, f"{text} that is not named here.", "operations")


def _outputs(policy: Policy) -> Iterator[Sentence]:
    section = "Who learns what"
    for kind, words in (
        ("alert", "Alerts (the keys that a query finds, without numbers)"),
        ("score", "Scores (keys that a query finds, with numbers for each)"),
    ):
        rows = policy.row_output(kind)
        if rows is not None:
            yield Sentence(
                section,
                f"{words}: each is opened only to the members that contributed rows to it, and to nobody else;"
                f" there is no smallest group{_maximum(rows)}.",
                "recipients",
            )
    for kind, words in (("count", "Counts over all rows"), ("aggregate", "Numbers over groups")):
        cells = policy.cell_output(kind)
        if cells is not None:
            yield Sentence(
                section,
                f"{words}: opened to the person who asks, if that is {_who(cells.recipients)}{_maximum(cells)}.",
                "recipients",
            )
            yield from _smallest(section, words, cells)
    yield Sentence(
        section,
        "Everybody who takes part also learns what the leakage report of each query lists, such as padded sizes and"
        " times; rows themselves leave the owner only as shares that tell nothing.",
        "leaks",
    )


def _smallest(section: str, words: str, cells: CellOutput) -> Iterator[Sentence]:
    yield Sentence(
        section,
        f"{words}: a cell is opened only if it holds at least {cells.minimum_entities} contributors of members other"
        " than the recipient's own; otherwise the recipient learns that it is suppressed, and no more.",
        "minimum-entities",
    )
    yield Sentence(
        section,
        f"{words}: a cell is opened only if at least {cells.minimum_members} members contributed"
        " (the recipient's own member counts as one).",
        "minimum-members",
    )


def _never(policy: Policy) -> Iterator[Sentence]:
    section = "What is never permitted"
    yield Sentence(section, "Opening single rows.", "output-kind")
    kinds = {
        "alert": "alerts", "score": "scores (numbers per customer)", "count": "counts over all rows",
        "aggregate": "numbers over groups",
    }  # fmt: skip
    closed = [words for kind, words in kinds.items() if not (policy.cell_output(kind) or policy.row_output(kind))]
    yield Sentence(section, f"As outputs: {', '.join([*closed, 'fitted models'])}.", "output-kind")
    yield Sentence(section, "Any table that is not named above, and any other purpose.", "table")
    yield Sentence(section, "Picking out the rows of one member, or one side of a sum by a condition.", "operations")


def _stops(policy: Policy) -> Iterator[Sentence]:
    section = "What stops it"
    rates = policy.rates
    for limit, words in (
        (rates.queries_per_analyst_and_day, "of one analyst on a day (UTC)"),
        (rates.queries_per_day, "of all analysts on a day (UTC)"),
        (rates.queries_per_period, f"from {_day(policy.validity.not_before)} on"),
    ):
        if limit == "off":
            yield Sentence(section, f"The number of queries {words} is not limited.", "rates")
        else:
            yield Sentence(section, f"At most {limit} queries {words} are answered.", "rates")
    yield Sentence(section, f"After {_day(policy.validity.not_after)} nothing more is permitted.", "validity")
    yield Sentence(
        section,
        "One changed byte of the file voids both signatures, and an unsigned policy permits nothing.",
        "four-eyes",
    )
    yield Sentence(
        section,
        f"The node of {policy.identity.owner} decides every query itself, before anything is shared; its no is final.",
        "ownership",
    )


def _off(loaded: LoadedPolicy) -> Iterator[Sentence]:
    section = "What is OFF in this policy, since this version does not enforce it (docs/limits.md)"
    by_rule: dict[str, list[OffRule]] = {}
    for rule in off_rules(loaded.policy):
        if rule.value in ("off", "never", "closed", "exact"):
            by_rule.setdefault(rule.words, []).append(rule)
    for words, rules in by_rule.items():
        if rules[0].value != "off":
            continue  # closed, never, exact: not a protection that is missing, but a freedom that is not given
        places = ", ".join(dict.fromkeys(str(rule.path[1]) for rule in rules if rule.path[0] == "outputs"))
        where = f" (for {places})" if places else ""
        yield Sentence(section, f"Off{where}: {words}.", rules[0].rule)
    in_effect = [rule for rule in off_rules(loaded.policy) if not rule.accepted]
    for rule in in_effect:
        yield Sentence(
            "NOT ENFORCED: this policy can't be put in force",
            f"`{'.'.join(map(str, rule.path))}` is in effect: {rule.words}.",
            rule.rule,
        )


def _maximum(section: RowOutput | CellOutput) -> str:
    return "" if section.maximum_rows == "off" else f"; at most {section.maximum_rows} rows"


def _names(names: tuple[str, ...]) -> str:
    ordered = sorted(names)
    if not ordered:
        return "nobody"
    return ordered[0] if len(ordered) == 1 else f"{', '.join(ordered[:-1])} and {ordered[-1]}"


def _who(names: tuple[str, ...]) -> str:
    return _names(tuple(name if "@" in name else f"analysts of {name}" for name in names))


def _day(day: date) -> str:
    return f"{day.day} {day.strftime('%B')} {day.year}"
