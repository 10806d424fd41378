"""Who learns what, and what a number must satisfy before it is opened.

``CELLS`` and ``EVERY`` hold one function a rule: from the section of an output to the sentence that states the rule, ""
where it is off (``closing.py`` says so). A rule that comes to be enforced gets its function here.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TypeVar

from consortia.plans.rules import PAIR
from consortia.policies.accounting import READERS_DELTA, Charge, epsilon, grant_of
from consortia.policies.explain.page import KINDS, Sentence, listed, people
from consortia.policies.language.model import CellOutput, Handling, ModelNoise, ModelOutput, Noise, Policy
from consortia.trust.keys import short

OutputT = TypeVar("OutputT", bound=Handling)

SECTION = "Who learns what"
ROWS = {
    "alert": "The keys that a query finds, without numbers",
    "score": "The keys that a query finds, with numbers for each",
}

LOWER_BOUND = (
    " If all owners accept it, each member counts its own, and the most that one of them has stands for all: fewer"
    " cells are opened, and an owner shares one row a cell."
)


def _minimum_entities(cells: CellOutput) -> str:
    if cells.noise != "off":
        return ""
    return (
        f"A cell is opened only if it holds at least {cells.minimum_entities} contributors of members other than the"
        " recipient's; otherwise it is called suppressed, and no more is said."
    ) + (LOWER_BOUND if cells.contributors == "lower-bound" else "")


def _minimum_members(cells: CellOutput) -> str:
    if cells.noise != "off":
        return (
            f"{cells.minimum_members} members or more must hold the table that is asked (the recipient's own counts)."
        )
    if cells.minimum_members == PAIR:
        return (
            "Two members are enough, if no more than two hold the table: either can then subtract its own part of a"
            " number and knows the other's; so many contributors must be in that part."
        )
    return f"At least {cells.minimum_members} members must have contributed to it (the recipient's own counts as one)."


def _dominance(cells: CellOutput) -> str:
    limit = cells.dominance
    if limit == "off" or cells.noise != "off":
        return ""
    return (
        f"A sum or number of rows is suppressed if its {limit.n} largest contributors at other members than the"
        f" recipient's hold more than {limit.percent} % of it; likewise the {limit.n} largest members, the recipient's"
        " counting as one."
    )


def _p_percent(cells: CellOutput) -> str:
    if cells.p_percent == "off" or cells.noise != "off":
        return ""
    return (
        "It is suppressed, too, if the recipient with the second largest contributor could estimate the largest one's"
        f" part within {cells.p_percent} %, or alone the largest other member's."
    )


def _zeros_and_full_cells(cells: CellOutput) -> str:
    if cells.zeros_and_full_cells == "off" or cells.noise != "off":
        return ""
    return "So are sums of nothing but zeros, and cells that hold all contributors of their row or column."


def _rounding(cells: CellOutput) -> str:
    if cells.rounding == "off" or cells.noise != "off":
        return ""
    return f"Numbers are rounded to multiples of {cells.rounding}, or of a larger base, before they are opened."


def _complementary(cells: CellOutput) -> str:
    if cells.complementary_suppression == "off" or cells.noise != "off":
        return ""
    return (
        "No suppressed cell follows from totals: others are hidden with it where cells can be listed beforehand;"
        " elsewhere no total of the same rows is answered."
    )


def _differencing(cells: CellOutput) -> str:
    if cells.differencing == "off" or cells.noise != "off":
        return ""
    return (
        "An answer is denied if it could be subtracted from an earlier one, so that a few contributors are left;"
        f" over newer rows the same question waits {cells.differencing.new_data_days} days, another one"
        f" {cells.differencing.other_rows_days}."
    )


def _noise(cells: CellOutput) -> str:
    noise = cells.noise
    if noise == "off":
        return ""
    at_owners = noise.mechanism == "local-discrete-gaussian"
    where = "of every owner, before anything is shared" if at_owners else "of three computers, added on shares"
    whose = "at each member that holds its rows" if at_owners else "whichever members hold its rows"
    return (
        f"Every number has random noise, {where}, so that nobody can tell from the answers whether one contributor is"
        " among them; every cell is opened, empty ones too, and none is suppressed by exact counts. One contributor,"
        f" {whose}, counts in at most {_number(noise.cells_per_unit, 'cell')}, drawn at random, with at"
        f" most {_number(noise.rows_per_cell, 'row')} in each, and its sums are clipped."
    )


def _budget(cells: CellOutput) -> str:
    return "" if cells.noise == "off" else _granted(cells.noise)


def _granted(noise: Noise | ModelNoise) -> str:
    grant = grant_of(noise)
    release, period = (epsilon(Charge(each.rho), READERS_DELTA) for each in (grant.per_release, grant.per_period))
    shown = ""
    if isinstance(noise, Noise) and "off" not in (noise.delta_per_release, noise.delta_per_period):
        shown = (
            " Groups whose values nobody knows beforehand show from a noisy number of contributors on, which costs a"
            f" delta of at most {noise.delta_per_release} an answer and {noise.delta_per_period} in all of these days."
        )
    return (
        f"One answer may cost a privacy loss of rho {noise.rho_per_release} (epsilon {release:.2f} at delta"
        f" {READERS_DELTA:g}), all answers of {_number(noise.period_days, 'day')} in a row together"
        f" {noise.rho_per_period} (epsilon {period:.2f}); then nothing more is answered.{shown}"
    )


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


CELLS: tuple[tuple[str, Callable[[CellOutput], str]], ...] = (
    ("noise", _noise),
    ("budget", _budget),
    ("minimum-entities", _minimum_entities),
    ("minimum-members", _minimum_members),
    ("dominance", _dominance),
    ("p-percent", _p_percent),
    ("zeros-and-full-cells", _zeros_and_full_cells),
    ("rounding", _rounding),
    ("complementary-suppression", _complementary),
    ("differencing", _differencing),
)
"""Rules on each cell of a count or aggregate."""


def _noise_on_model(model: ModelOutput) -> str:
    del model
    return (
        "Every weight has random noise, of three computers, added on shares, so that nobody can tell from the answers"
        " whether one contributor is among those who taught it; each has one example, whichever members hold its rows."
    )


def _budget_of_model(model: ModelOutput) -> str:
    return _granted(model.noise)


def _members_of_model(model: ModelOutput) -> str:
    return f"{model.minimum_members} members or more must hold what it learns from (the recipient's own counts)."


MODELS: tuple[tuple[str, Callable[[ModelOutput], str]], ...] = (
    ("noise", _noise_on_model),
    ("budget", _budget_of_model),
    ("minimum-members", _members_of_model),
)
"""Rules on the weights of a model."""


def _human_review(output: Handling) -> str:
    if output.human_review == "off":
        return ""
    return (
        "Before anything is shared, a run waits until an officer of the owner has signed it, on its plan, leakage"
        " report, verdicts and cost; it ends if nobody does."
    )


def _retention(output: Handling) -> str:
    if output.retention_days == "off":
        return ""
    return f"The recipients' nodes delete what they have received after {_number(output.retention_days, 'day')}."


EVERY: tuple[tuple[str, Callable[[Handling], str]], ...] = (("human-review", _human_review), ("retention", _retention))
"""Rules on an output of any kind."""


def of_outputs(policy: Policy) -> Iterator[Sentence]:
    """Who receives each kind that is permitted, and under which rules; what several kinds share is said once."""
    for kind, words in ROWS.items():
        rows = policy.row_output(kind)
        if rows is not None:
            text = (
                f"{words}, are opened only to the members that contributed rows to them, and to nobody else;"
                f" there is no smallest group{_maximum(rows)}."
            )
            yield Sentence(SECTION, text, "recipients", _topic([kind]))
    cells = {kind: found for kind in ("count", "aggregate") if (found := policy.cell_output(kind)) is not None}
    yield from _stated((("recipients", _opened), *CELLS), cells)
    if isinstance(policy.outputs.model, ModelOutput):
        yield from _stated((("recipients", _weights), *MODELS), {"model": policy.outputs.model})
    every: dict[str, Handling] = {kind: each for kind in KINDS if (each := policy.output(kind)) is not None}
    yield from _stated(EVERY, every)
    yield from _templates(policy)
    yield Sentence(
        SECTION,
        "Everybody who takes part also learns what the leakage report of each query lists, such as padded sizes and"
        " times; rows themselves leave the owner only as shares that tell nothing.",
        "leaks",
        "Beside",
    )
    if policy.leaks.match_count == "open":
        text = (
            "Where payments are followed, everybody also learns whether more paths are met, before amounts are"
            " compared, than the analysis states as its bounds."
        )
        yield Sentence(SECTION, text, "leaks", "Beside")


def _opened(cells: CellOutput) -> str:
    return f"Opened to the person who asks, if that is {people(cells.recipients)}{_maximum(cells)}."


def _weights(model: ModelOutput) -> str:
    return (
        "Weights of features, and the features' public ranges, opened to the person who asks, if that is"
        f" {people(model.recipients)}{_maximum(model)}."
    )


def _stated(
    rules: tuple[tuple[str, Callable[[OutputT], str]], ...], outputs: Mapping[str, OutputT]
) -> Iterator[Sentence]:
    """What ``rules`` say of ``outputs`` by kind: a paragraph for what several kinds share, and one for each kind."""
    paragraphs: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for rule, words in rules:
        said = {kind: words(output) for kind, output in outputs.items()}
        for text in dict.fromkeys(filter(None, said.values())):
            paragraphs.setdefault(tuple(kind for kind in said if said[kind] == text), []).append((text, rule))
    for kinds in sorted(paragraphs, key=len, reverse=True):
        yield from (Sentence(SECTION, text, rule, _topic(kinds)) for text, rule in paragraphs[kinds])


def _topic(kinds: Iterable[str]) -> str:
    words = listed(KINDS[kind] for kind in kinds)
    return f"{words[0].upper()}{words[1:]}"


def _templates(policy: Policy) -> Iterator[Sentence]:
    templates = policy.rates.templates_without_review
    if templates != "off":
        named = ", ".join(f"{template.name} ({short(template.plan)})" for template in templates)
        yield Sentence(SECTION, f"Reviewed once, and not held again: {named}.", "human-review", "Templates")


def _maximum(section: Handling) -> str:
    return "" if section.maximum_rows == "off" else f"; at most {section.maximum_rows} rows"
