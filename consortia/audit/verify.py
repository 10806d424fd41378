"""``verify_pack``: everything that can be checked of a pack without asking anybody, in the order of the checks.

Nothing but the pack and, if given, the manifest's fingerprint goes in: no network, no home, no clock. Signatures and
validity are judged at the time of the approval as the member's journal has it; policies decide again and the query is
compiled again. What it can't show: that a member's registered rows are true, and what the released numbers were.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from consortia.audit.believed import Believed, Memory, believe, compiled_again, submission_of
from consortia.audit.runs import Run, approvals_of, denials_of, faults_of, hellos_of, reviews_of, seals_of
from consortia.errors import ConsortiaError, ProtocolAbort
from consortia.evidence.pack import Opened, open_pack
from consortia.policies.compiling import Compiled
from consortia.trust.sessions import Submission

_FAULTS = (ConsortiaError, ValueError, ArithmeticError, LookupError, RecursionError, TypeError, AttributeError)
"""What documents that somebody made up may raise: each of them is a failure of that pack, and of no other."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A pack that passed every check. ``digest`` is the SHA-256 of its bytes, ``fingerprint`` the manifest's.

    ``compared`` says whether that fingerprint was one that the caller gave; ``checks`` are the checks in words.
    """

    digest: str
    fingerprint: str
    compared: bool
    opened: Opened
    believed: Believed
    submission: Submission
    compiled: Compiled
    run: Run
    checks: tuple[str, ...]

    @property
    def session(self) -> str:
        """The session's id."""
        return self.opened.pack.session


def verify_pack(data: bytes, fingerprint: str = "", memory: Memory | None = None) -> Verified:
    """The pack in ``data``, verified; ``fingerprint`` is the manifest's, compared out of band ("": none is compared).

    ``memory`` saves work over several packs of one consortium and changes no answer.

    Raises ProtocolAbort ``audit/not-verified`` saying which check failed, and why.
    """
    checks: list[str] = []

    @contextmanager
    def check(what: str) -> Iterator[None]:
        try:
            yield
        except _FAULTS as error:
            raise _failed(what, error) from error
        checks.append(what)

    with check(
        "the pack is whole: every journal entry of the session is under the signed head, every document is named"
    ):
        opened = open_pack(data)
    far = "" if opened.released else ", as far as it came"
    with check("manifest, cards, catalogue and policies are signed and, by their dates, were in force at the approval"):
        believed = believe(opened, fingerprint, memory or Memory())
    with check("an analyst of a member signed the submission, and the session's id is its hash"):
        submission = submission_of(opened, believed)
    with check("the query compiles to this plan, these verdicts and this leakage report, to the last byte"):
        compiled = compiled_again(opened, believed, submission)
    approvals, hellos = {}, {}
    if opened.released or opened.has("approval"):
        with check("every party's node signed its approval of exactly that" + far):
            approvals = approvals_of(opened, believed, compiled, submission)
    with check("officers reviewed the run wherever a policy asks for it, before it was approved" + far):
        reviews, uncounted = reviews_of(opened, believed, compiled, submission)
    if opened.released or opened.has("hello"):
        with check(
            "every party's node signed that it was about to run exactly that, and which journals it had seen" + far
        ):
            hellos = hellos_of(opened, believed, approvals)
    with check("the closing statements are of this run, and every journal continues what others had seen of it" + far):
        seals = seals_of(opened, believed, compiled, submission, hellos)
    with check("denials are signed by the parties that denied"):
        denials, faults = denials_of(opened, believed), faults_of(opened)
    return Verified(
        digest=hashlib.sha256(data).hexdigest(),
        fingerprint=believed.trusted.manifest.digest(),
        compared=bool(fingerprint),
        opened=opened,
        believed=believed,
        submission=submission,
        compiled=compiled,
        run=Run(approvals, hellos, seals, reviews, uncounted, denials, faults),
        checks=tuple(checks),
    )


def _failed(what: str, error: Exception) -> ProtocolAbort:
    why = f"{error.message} [{error.code}]" if isinstance(error, ConsortiaError) else str(error)
    return ProtocolAbort(
        "audit/not-verified",
        f"NOT VERIFIED. This does not hold: {what}. {why}",
        place=error.place if isinstance(error, ConsortiaError) else "",
        remedy=error.remedy if isinstance(error, ConsortiaError) and error.remedy else "do not rely on this pack",
    )
