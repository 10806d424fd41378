"""``consortia policy test``: the example decisions of a policy, decided."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from consortia.cli.options import HomeOption, ProfileOption, believer, now
from consortia.cli.output import JsonOption, emit
from consortia.cli.policy.arguments import FileArgument
from consortia.cli.policy.comparing import believed
from consortia.errors import OperatorError
from consortia.plans.catalogue_file import read_catalogue
from consortia.policies.coverage import Item, percent
from consortia.policies.coverage import coverage as coverage_of
from consortia.policies.examples import Decided, decide_examples
from consortia.policies.language.parse import LoadedPolicy, read_policy
from consortia.policies.questions import supposed
from consortia.policies.world import PolicyWorld
from consortia.trust.folder import read_policy_file

EXAMPLES = (
    "consortia policy test bank-a.aml-detection.yaml --home ./bank-a",
    "consortia policy test bank-a.aml-detection.yaml --catalogue catalogue.yaml --threshold 80 --json",
)


def command(
    file: FileArgument,
    catalogue: Annotated[
        Path | None,
        typer.Option(help="A catalogue in YAML: decide in a consortium that fits it, instead of the home's."),
    ] = None,
    coverage: Annotated[
        bool, typer.Option("--coverage", help="Also list which rules and grants the examples exercise.")
    ] = False,
    threshold: Annotated[
        int | None, typer.Option(min=0, max=100, help="Fail if fewer percent of them are exercised.")
    ] = None,
    home: HomeOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Decide the examples that stand in a policy's file and compare with what they expect; exit code 1 if one fails.

    Each example is decided by this policy alone, as if every owner held the same, on the day that it names, or else on
    the policy's first. It touches no data.
    """
    loaded = read_policy(read_policy_file(file).payload_bytes())
    world = _world(loaded, catalogue, home, profile)
    decided = decide_examples(loaded, world)
    items = coverage_of(loaded, decided, world) if coverage or threshold is not None else ()
    failed = sum(not one.passed for one in decided)
    short = threshold is not None and percent(items) < threshold
    emit(
        {
            "policy": loaded.policy.identity.id,
            "fingerprint": loaded.digest,
            "passed": len(decided) - failed,
            "failed": failed,
            "examples": [
                {
                    "name": one.example.name,
                    "place": one.place,
                    "passed": one.passed,
                    "expected": one.expected,
                    "said": one.said,
                }
                for one in decided
            ],
            **({"coverage": _coverage_value(items, threshold)} if items else {}),
        },
        "\n".join((*_results(decided), *(_exercised(items) if coverage else ()), *_share(items, threshold))),
        json=json,
    )
    if failed or short or not decided:
        raise typer.Exit(1)


def _world(loaded: LoadedPolicy, catalogue: Path | None, home: Path | None, profile: Path | None) -> PolicyWorld:
    if catalogue is None:
        return believed(believer(home, profile, None), now())
    try:
        text = catalogue.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(
            "cli/file",
            f"the file can't be read: {error}",
            place=str(catalogue),
            remedy="check the path; write it in UTF-8",
        ) from error
    people = [example.submitter for example in loaded.policy.examples]
    return supposed([loaded.policy], read_catalogue(text, keyless=True), people)


def _results(decided: tuple[Decided, ...]) -> Iterator[str]:
    for one in decided:
        if one.passed:
            yield f"PASS  {one.example.name}: {one.said}"
        else:
            yield f"FAIL  {one.example.name} ({one.place}): expected {one.expected}, the policy says {one.said}"
    failed = sum(not one.passed for one in decided)
    yield f"{len(decided)} examples, {len(decided) - failed} passed, {failed} failed"
    if not decided:
        yield "the file has no section `examples`: nothing was tested"


def _exercised(items: tuple[Item, ...]) -> Iterator[str]:
    """A line for each rule and grant."""
    yield ""
    for item in items:
        what = "decides" if item.kind == "rule" else "used by"
        missing = "no example is denied or held by it" if item.kind == "rule" else "no permitted example uses it"
        yield f"{item.kind:5}  {item.name}: {f'{what} {item.example!r}' if item.example else f'MISSING, {missing}'}"


def _share(items: tuple[Item, ...], threshold: int | None) -> Iterator[str]:
    """How much is exercised, and what is asked for."""
    if items:
        least = "" if threshold is None else f", {threshold} % are asked for"
        yield f"coverage {percent(items)} %: {_count(items)} of {len(items)} rules and grants{least}"


def _coverage_value(items: tuple[Item, ...], threshold: int | None) -> dict[str, object]:
    return {
        "percent": percent(items),
        "threshold": threshold,
        "items": [{"kind": item.kind, "name": item.name, "example": item.example or None} for item in items],
    }


def _count(items: Iterable[Item]) -> int:
    return sum(bool(item.example) for item in items)
