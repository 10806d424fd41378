"""Steps of plans that follow payments from account to account, at ``shared``."""

from typing import Literal

from consortia.plans.columns import StepBase
from consortia.plans.networks import Carrying, Pattern
from consortia.trust.documents import Frozen, Integer


class Paid(Frozen):
    """Columns of payments: keys of both ends, and the amount."""

    source: str
    target: str
    amount: str


class Propagate(StepBase):
    """The accounts (first input), each with a number made of what reaches it along payments (second); at ``shared``.

    ``key`` names the accounts' column, ``source`` and ``target`` the payments', all keys of one domain; ``score`` is
    the number that risk starts from ("" for ranks), ``made`` the new column. No account stands in two rows. Payments
    with an account that none of the rows names count for nothing. ``total`` bounds the sum of all amounts of a period.
    ``later`` are the payments of further periods (third input, ...): each begins with the scores of the one before.
    """

    kind: Literal["propagate"] = "propagate"
    key: str
    score: str = ""
    source: str
    target: str
    amount: str
    later: tuple[Paid, ...] = ()
    made: str
    total: Integer
    method: Carrying

    @property
    def periods(self) -> tuple[Paid, ...]:
        """The columns of the second input, and of those after it."""
        return (Paid(source=self.source, target=self.target, amount=self.amount), *self.later)


class Match(StepBase):
    """The accounts (first input) that stand in a pattern of payments (second); others lose their valid bit.

    A taint begins at the accounts of a third input, which its column ``seed`` names ("" for other patterns).
    """

    kind: Literal["match"] = "match"
    key: str
    source: str
    target: str
    amount: str
    time: str
    seed: str = ""
    method: Pattern
