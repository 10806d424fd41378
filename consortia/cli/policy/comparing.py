"""What ``diff`` and ``simulate`` share: the documents that a home believes, and how flips are shown."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from consortia.cli.output import table
from consortia.plans.catalogue import Catalogue
from consortia.policies.changes.flips import PASSING, Comparison, Flip
from consortia.policies.signed import world_of
from consortia.policies.world import PolicyWorld
from consortia.trust.exchange import Believer
from consortia.trust.notices import standing

MOST_SHOWN = 20
"""Flips shown to people; ``--json`` has them all."""


def believed(reader: Believer, at: datetime) -> PolicyWorld:
    """Manifest, catalogue, cards and the policies in force at ``at``, as ``reader`` accepted them."""
    trusted = reader.trusted()
    trusted.require_catalogue()
    catalogue = Catalogue.parse(reader.trust.catalogue().payload_bytes())
    envelopes = [reader.trust.policy(owner, purpose) for owner, purpose in reader.trust.policies()]
    world, _ = world_of(trusted, catalogue, envelopes, at, standing(reader.trust, trusted.manifest).revoked)
    return world


def flips_value(found: Comparison) -> dict[str, Any]:
    """The comparison as JSON."""
    return {
        "queries": found.compared,
        "other_plan": found.other_plan,
        "flips": [
            {
                "query": flip.asked.question.sql,
                "submitter": flip.asked.question.submitter,
                "source": flip.asked.source,
                "before": flip.before.verdict,
                "after": flip.after.verdict,
                "rule": flip.stricter.rule,
                "reason": flip.stricter.text,
                "all_permit": flip.after.all_permit,
            }
            for flip in found.flips
        ],
    }


def flips_text(found: Comparison) -> Iterator[RenderableType]:
    """How many verdicts flip, in one sentence, and the first of them."""
    more = sum(flip.before.verdict not in PASSING and flip.after.verdict in PASSING for flip in found.flips)
    fewer = sum(flip.before.verdict in PASSING and flip.after.verdict not in PASSING for flip in found.flips)
    held = sum(flip.after.verdict == "hold" for flip in found.flips)
    counts = [f"{more} permitted that were not", f"{fewer} no longer permitted that were"]
    counts += [f"{held} held for review"] if held else []
    counts += [f"{found.other_plan} permitted under other conditions"] if found.other_plan else []
    yield Text(f"{found.compared} queries tried: {', '.join(counts)}")
    if found.flips:
        yield table(("verdict", "query", "asked by", "from", "why not"), map(_row, found.flips[:MOST_SHOWN]))
    if len(found.flips) > MOST_SHOWN:
        yield Text(f"... and {len(found.flips) - MOST_SHOWN} more, all in --json")


def _row(flip: Flip) -> tuple[str, ...]:
    why = flip.stricter
    return (
        f"{flip.before.verdict} -> {flip.after.verdict}",
        " ".join(flip.asked.question.sql.split()),
        flip.asked.question.submitter,
        flip.asked.source,
        f"{why.text} (rule {why.rule})" if why.rule else why.text,
    )
