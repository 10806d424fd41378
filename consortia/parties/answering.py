"""What people of the member ask of its node, and its sealed answers: results to analysts, held runs to officers."""

import structlog
from sqlalchemy import Connection

from consortia.control.answers import sealed_answer
from consortia.control.mailbox import Letter
from consortia.control.messages import Fault, Kind, ResultsAnswer
from consortia.errors import ConsortiaError, RequestError
from consortia.parties.holding import held_runs
from consortia.parties.results import check_request, decrypt
from consortia.parties.tools import Tools
from consortia.trust.documents import instant_text
from consortia.trust.envelope import Envelope
from consortia.trust.sessions import ResultsRequest
from consortia.trust.statements import HeldRequest

_LOG = structlog.get_logger("consortia.parties")
REQUESTS = frozenset({Kind.RESULTS_REQUEST, Kind.HELD_REQUEST})
"""What people ask of the node itself."""


def answer(tools: Tools, letter: Letter) -> None:
    """Hand stored results or held runs to a person of this member; what is wrong is told to the one who asked."""
    try:
        envelope = Envelope.from_bytes(letter.body)
        if letter.kind == Kind.RESULTS_REQUEST:
            answers = _sealed_results(tools, envelope, letter.session)
        else:
            answers = _sealed_holds(tools, envelope)
    except ConsortiaError as error:
        _LOG.warning("request-refused", kind=letter.kind, sender=letter.sender, code=error.code)
        fault = Fault(
            kind=type(error).__name__,
            code=error.code,
            party=tools.member,
            place=error.place,
            message=error.message,
            remedy=error.remedy,
        )
        answers = [ResultsAnswer(fault=fault)]
    kind = Kind.RESULTS_ANSWER if letter.kind == Kind.RESULTS_REQUEST else Kind.HELD_ANSWER
    for answer in answers:
        tools.control.send(kind, answer, letter.session, letter.sender)


def _sealed_results(tools: Tools, envelope: Envelope, session: str) -> list[ResultsAnswer]:
    now = tools.clock()
    request = check_request(envelope, ResultsRequest, "analyst", tools.member, tools.work.documents().trusted, now)
    with tools.store.begin() as transaction:
        stored = tools.store.results(transaction, request.session)
        _refuse_deleted(tools, transaction, request.session)
        if not stored or request.session != session:
            phase = tools.store.phase(transaction, request.session)
            raise RequestError(
                "parties/no-results",
                f"`{tools.member}` holds no result of the session"
                + (f", which is {phase} at its node" if phase is not None else ", of which its node knows nothing"),
                place=f"session {request.session}",
                remedy="a result that was sealed to the analyst's own key is fetched by that analyst's client",
            )
        tools.store.use_request(transaction, envelope.digest())
        tools.store.journal.append(
            transaction, session=request.session, kind="results-read", payload=envelope.to_bytes(), now=now
        )
    results = {step: decrypt(tools.results_key, request.session, step, encrypted) for step, encrypted in stored.items()}
    return sealed_answer(
        envelope,
        request,
        results,
        member=tools.member,
        signer=tools.signer,
        piece_bytes=tools.limits.control.piece_bytes,
    )


def _refuse_deleted(tools: Tools, transaction: Connection, session: str) -> None:
    clocks = [clock for clock in tools.store.retention.clocks(transaction, session) if clock.deleted]
    if clocks:
        raise RequestError(
            "parties/result-deleted",
            f"owners' policies let `{tools.member}` keep the result until {instant_text(clocks[0].until)}, "
            "and its node has deleted it",
            place=f"session {session}",
            remedy="run the analysis again",
        )


def _sealed_holds(tools: Tools, envelope: Envelope) -> list[ResultsAnswer]:
    trusted = tools.work.documents().trusted
    request = check_request(envelope, HeldRequest, "officer", tools.member, trusted, tools.clock())
    with tools.store.begin() as transaction:
        tools.store.use_request(transaction, envelope.digest())
    return sealed_answer(
        envelope,
        request,
        held_runs(tools.store, tools.member, request.session),
        member=tools.member,
        signer=tools.signer,
        piece_bytes=tools.limits.control.piece_bytes,
    )
