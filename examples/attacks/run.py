"""Every attack twice, and what came of it as JSON: ``build/attacks.json``."""

import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from examples.attacks.attacks import Attack
from examples.attacks.consortium import Consortium, Denied, Protection


@dataclass(frozen=True, slots=True)
class Tried:
    """One attack on one configuration: how many queries it asked, whether it found the truth, and why it ended."""

    queries: int
    success: bool
    ended: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """One line of the file. ``queries_until_success_unprotected`` is None if it did not even succeed without."""

    attack: str
    queries_until_success_unprotected: int | None
    success_protected: bool
    queries_protected: int
    ended_protected: str
    stopped_by: str

    @property
    def is_as_it_must_be(self) -> bool:
        """It succeeds without the protection, and fails with it."""
        return self.queries_until_success_unprotected is not None and not self.success_protected


def attempt(attack: Attack, protection: Protection) -> Tried:
    """Run ``attack`` on a fresh consortium."""
    with tempfile.TemporaryDirectory() as folder:
        consortium = Consortium(Path(folder), attack.rows(), protection)
        try:
            found = attack.run(consortium)
        except Denied as denied:
            return Tried(consortium.queries, success=False, ended=denied.code)
        success = found == attack.truth
        ended = "found" if success else "suppressed" if found is None else "a wrong number"
        return Tried(consortium.queries, success, ended)


def outcome(attack: Attack) -> Outcome:
    """``attack`` without and with the protection that stops it."""
    without, protected = attempt(attack, attack.unprotected), attempt(attack, attack.protected)
    return Outcome(
        attack=attack.name,
        queries_until_success_unprotected=without.queries if without.success else None,
        success_protected=protected.success,
        queries_protected=protected.queries,
        ended_protected=protected.ended,
        stopped_by=attack.stopped_by,
    )


def as_json(outcomes: list[Outcome]) -> list[dict[str, object]]:
    """The lines of the file."""
    return [asdict(each) for each in outcomes]
