"""What makes no sense together within one policy: grants that lead nowhere, bounds that bound nothing, names twice."""

from collections import Counter
from collections.abc import Iterator, Mapping
from fractions import Fraction

from consortia.policies.language.model import CellOutput, Clip, Noise, Policy, PolicyColumn
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.language.reader import Path
from consortia.policies.lint.problems import Problem, error, warning
from consortia.policies.rules import ALL
from consortia.trust.manifest import FEWEST_COMPUTERS

CELLS = ("count", "aggregate")
PERSONAL = (*CELLS, "model")
"""Kinds of output that go to the person who asks."""
NEEDS_BOUNDS = frozenset(("sum", "variance", "quantile", "extreme"))
"""Operations that open a number whose size follows from the values: with noise, only bounds make it finite."""
EXACT_RULES = ("dominance", "p-percent", "zeros-and-full-cells", "complementary-suppression")
OPENED_AS: Mapping[str, tuple[str, ...]] = {
    "alert": ("alert", "score"),
    "score": ("score",),
    "group": ("count", "aggregate"),
    "sum": ("aggregate",),
    "extreme": ("aggregate",),
    "quantile": ("aggregate",),
    "variance": ("aggregate",),
}
"""The kinds of output in which an operation can open anything."""
TO_BE_WRITTEN = "TO BE WRITTEN"
DECIDING = frozenset(rule_id for rule in ALL for rule_id in rule.ids) | {"policy"}


def of_sense(loaded: LoadedPolicy) -> Iterator[Problem]:
    """All problems of this kind."""
    yield from _bounds(loaded)
    yield from _noise(loaded)
    yield from _grants(loaded)
    yield from _who(loaded)
    yield from _blanks(loaded)
    yield from _twice(loaded)
    yield from _examples(loaded)


def _columns(policy: Policy) -> Iterator[tuple[Path, PolicyColumn]]:
    for table, entry in policy.data.tables.items():
        for name, column in entry.columns.items():
            yield ("data", "tables", table, "columns", name), column


def _noisy(policy: Policy) -> list[tuple[str, CellOutput, Noise]]:
    sections = [(kind, policy.cell_output(kind)) for kind in CELLS]
    return [(kind, cells, cells.noise) for kind, cells in sections if cells is not None and cells.noise != "off"]


def _bounds(loaded: LoadedPolicy) -> Iterator[Problem]:
    """Bounds that hold no value, and noise without bounds: noise is measured by them."""
    noisy = {kind for kind, _, _ in _noisy(loaded.policy)}
    for path, column in _columns(loaded.policy):
        clip = column.clip
        if isinstance(clip, Clip) and clip.lo >= clip.hi:
            yield error(
                loaded, (*path, "clip"), "bounds",
                f"the bounds {clip.lo} and {clip.hi} leave no two values apart, so that noise would be none",
                "`lo` below `hi`",
            )  # fmt: skip
        opened = sorted(NEEDS_BOUNDS & set(column.operations))
        if "aggregate" in noisy and clip == "off" and opened:
            yield error(
                loaded, path, "bounds",
                f"noise is on for numbers over groups, and `{path[-1]}` may be opened ({', '.join(opened)}) without"
                " bounds, so that no noise would hide a contributor",
                "`clip: {lo: ..., hi: ...}` in carried units",
            )  # fmt: skip


def _noise(loaded: LoadedPolicy) -> Iterator[Problem]:
    """Which rules apply beside noise, and a budget that no release fits in."""
    for kind in PERSONAL:
        granted = loaded.policy.noise(kind)
        if granted is not None and Fraction(granted.rho_per_release) > Fraction(granted.rho_per_period):
            yield error(
                loaded, ("outputs", kind, "noise", "rho-per-release"), "budget",
                f"one release may spend {granted.rho_per_release}, more than the whole period's"
                f" {granted.rho_per_period}",
                f"at most {granted.rho_per_period}",
            )  # fmt: skip
    for kind, cells, _ in _noisy(loaded.policy):
        path: Path = ("outputs", kind)
        if cells.rounding != "off":
            yield error(
                loaded, (*path, "rounding"), "noise-and-exact",
                "numbers with noise are not rounded, so that every query would be denied", "`rounding: off`",
            )  # fmt: skip
        written = cells.model_dump(by_alias=True)
        exact = [rule for rule in EXACT_RULES if written[rule] != "off"]
        if exact:
            yield warning(
                loaded, path, "noise-and-exact",
                f"noise is on, so that every cell is released with noise and these do not apply: {', '.join(exact)}",
                "`off` for them, so that the file says what holds",
            )  # fmt: skip


def _grants(loaded: LoadedPolicy) -> Iterator[Problem]:
    """Operations that no permitted kind of output can open."""
    policy = loaded.policy
    written = {kind for kind in (*PERSONAL, "alert", "score") if policy.output(kind) is not None}
    for path, column in _columns(policy):
        for place, operation in enumerate(column.operations):
            kinds = OPENED_AS.get(operation)
            if kinds is not None and not written & set(kinds):
                yield warning(
                    loaded, (*path, "operations", place), "unused",
                    f"`{operation}` opens nothing: no output of the kind {' or '.join(kinds)} is permitted",
                    "take it away, or permit such an output",
                )  # fmt: skip
    granted: set[str] = {operation for _, column in _columns(policy) for operation in column.operations}
    granted |= {operation for entry in policy.data.tables.values() for operation in entry.operations}
    for kind, operation in (("alert", "alert"), ("score", "score"), ("model", "train")):
        if policy.output(kind) is not None and operation not in granted:
            yield warning(
                loaded, ("outputs", kind), "unused",
                f"{kind}s are permitted, and nothing has the operation `{operation}`",
                f"`{kind}: never`, or the operation where it is meant",
            )  # fmt: skip


def _who(loaded: LoadedPolicy) -> Iterator[Problem]:
    """People and computers without which nothing can be asked, run or received."""
    policy = loaded.policy
    parties = policy.parties
    if len(set(parties.compute)) < FEWEST_COMPUTERS:
        yield error(
            loaded, ("parties", "compute"), "parties",
            f"{len(set(parties.compute))} members may compute: nothing can run", f"at least {FEWEST_COMPUTERS} members",
        )  # fmt: skip
    if not parties.submit:
        yield warning(loaded, ("parties", "submit"), "parties", "nobody may ask", "members or persons")
    if parties.threat_model == "malicious":
        yield error(
            loaded, ("parties", "threat-model"), "parties",
            "no plan of this version is secure against computers that break the protocol: nothing can run",
            "`semi-honest`",
        )  # fmt: skip
    asking = set(parties.submit)
    for kind in PERSONAL:
        output = policy.personal_output(kind)
        for place, who in enumerate(output.recipients if output else ()):
            if who not in asking and who.partition("@")[2] not in asking and not _has_person(asking, who):
                yield warning(
                    loaded, ("outputs", kind, "recipients", place), "parties",
                    f"`{who}` may receive what it asks for, and may not ask", "a name of `parties.submit`",
                )  # fmt: skip


def _has_person(asking: set[str], member: str) -> bool:
    return any(who.partition("@")[2] == member for who in asking)


def _blanks(loaded: LoadedPolicy) -> Iterator[Problem]:
    """What a template leaves to be written."""
    purpose = loaded.policy.purpose
    for key, text in (("dpia", purpose.dpia), ("register-entry", purpose.register_entry)):
        if text == TO_BE_WRITTEN:
            yield warning(loaded, ("purpose", key), "blank", "it is still to be written", "the owner's own reference")


def _twice(loaded: LoadedPolicy) -> Iterator[Problem]:
    """Names that stand twice in a list."""
    lists: dict[Path, tuple[str, ...]] = {
        ("parties", "compute"): loaded.policy.parties.compute,
        ("parties", "submit"): loaded.policy.parties.submit,
    }
    for kind in PERSONAL:
        output = loaded.policy.personal_output(kind)
        if output is not None:
            lists["outputs", kind, "recipients"] = output.recipients
    for path, column in _columns(loaded.policy):
        lists[(*path, "operations")] = column.operations
    for path, names in lists.items():
        counts = Counter(names)
        for place, name in enumerate(names):
            if counts[name] > 1 and name in names[:place]:
                yield warning(loaded, (*path, place), "twice", f"`{name}` stands twice", "once")


def _examples(loaded: LoadedPolicy) -> Iterator[Problem]:
    """No examples, or one that expects a rule which does not exist."""
    if not loaded.policy.examples:
        yield warning(
            loaded, ("examples",), "examples", "there are no example decisions, so `policy test` has nothing to test",
            "at least one query that is permitted and one that is denied",
        )  # fmt: skip
    for place, example in enumerate(loaded.policy.examples):
        if example.rule is not None and example.rule not in DECIDING:
            yield error(
                loaded, ("examples", place, "rule"), "examples", f"no rule has the id `{example.rule}`",
                f"one of {', '.join(sorted(DECIDING))}",
            )  # fmt: skip
