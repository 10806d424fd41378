"""What one party did, by step path: rounds, payload bytes by receiver, and every value it saw opened."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Opened:
    """One opening: what kind of value, how many elements, and to whom (member ids, or ``recipient``)."""

    step: str
    what: str
    elements: int
    to: tuple[str, ...]


@dataclass(slots=True)
class Transcript:
    """Filled by the contexts of one run; sizes and names only, never a value."""

    rounds: Counter[str] = field(default_factory=Counter)
    sent: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Payload bytes by (step path, receiver)."""
    opened: list[Opened] = field(default_factory=list)

    def total_rounds(self, under: str = "") -> int:
        """Rounds of all steps at or below ``under``."""
        return sum(count for step, count in self.rounds.items() if _is_under(step, under))

    def total_sent(self, under: str = "") -> int:
        """Payload bytes sent by all steps at or below ``under``."""
        return sum(count for (step, _), count in self.sent.items() if _is_under(step, under))


def _is_under(step: str, root: str) -> bool:
    return not root or step == root or step.startswith(f"{root}/")
