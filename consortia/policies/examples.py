"""The example decisions of a policy, decided: whether it says to each query what its author expects.

An example tests this policy alone: every owner is taken to hold the same. Pure: the same file gives the same results
on any day, since each example says on which day it is asked, or is asked on the policy's first.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time

from consortia.policies.language.model import Example
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.questions import Answer, Question, answer, mirrored
from consortia.policies.review import reviewed_outputs
from consortia.policies.world import PolicyWorld


@dataclass(frozen=True, slots=True)
class Decided:
    """An example, what the policy says to it, and where it stands in the file."""

    example: Example
    place: str
    answer: Answer
    asked: bool
    """Whether the query asks anything of the policy's owner at all."""
    denied_by: tuple[str, ...]
    held: bool
    """Whether it is permitted and an officer reviews it first."""

    @property
    def passed(self) -> bool:
        """Whether the policy says what is expected. A query that asks nothing of the owner tests nothing."""
        right_rule = self.example.rule is None or self.example.rule in self.denied_by
        return self.asked and self._verdict == self.example.expect and right_rule

    @property
    def _verdict(self) -> str:
        return "deny" if self.denied_by else "hold" if self.held else "permit"

    @property
    def said(self) -> str:
        """What the policy says, in a few words."""
        if self.answer.fault:
            return f"that it can't be planned: {self.answer.fault}"
        if not self.asked:
            return "nothing: the query asks nothing of its owner"
        return f"deny ({', '.join(self.denied_by)})" if self.denied_by else self._verdict

    @property
    def expected(self) -> str:
        """What the author expects, in the same words."""
        return f"deny ({self.example.rule})" if self.example.rule else self.example.expect


def decide_examples(loaded: LoadedPolicy, world: PolicyWorld) -> tuple[Decided, ...]:
    """All examples of the policy in the consortium of ``world`` (its policies are not read), in file order."""
    own = mirrored(loaded, world)
    return tuple(
        _decided(loaded, own, place, question)
        for place, question in enumerate(zip(loaded.policy.examples, questions(loaded), strict=True))
    )


def questions(loaded: LoadedPolicy) -> tuple[Question, ...]:
    """The questions that the policy's examples ask, in file order."""
    policy = loaded.policy
    return tuple(
        Question(
            example.query,
            example.purpose or policy.purpose.code,
            example.submitter,
            datetime.combine(example.day or policy.validity.not_before, time(), tzinfo=UTC),
        )
        for example in policy.examples
    )


def _decided(loaded: LoadedPolicy, own: PolicyWorld, place: int, asked: tuple[Example, Question]) -> Decided:
    example, question = asked
    given = answer(question, own)
    owner = loaded.policy.identity.owner
    denied_by = tuple(sorted(given.denied_by(owner)))
    asked_owner = given.decision is not None and any(verdict.owner == owner for verdict in given.decision.verdicts)
    reviewed = () if given.plan is None else reviewed_outputs(loaded.policy, given.plan, own.catalogue)
    held = not denied_by and bool(reviewed)
    return Decided(example, loaded.place(("examples", place)), given, asked_owner, denied_by, held)
