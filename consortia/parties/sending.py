"""The parts of a result leave this party: sealed to their recipients, committed to, all in one transaction."""

import secrets
from collections.abc import Sequence

from consortia.control.messages import Kind, Stage
from consortia.control.parts import Output, RunOf, sealed_pieces
from consortia.control.phases import Phase
from consortia.parties.checks import Agreed
from consortia.parties.release import ResultPart
from consortia.parties.store import SessionMemory
from consortia.parties.tools import Tools
from consortia.plans.concerned import outputs_of
from consortia.trust.sessions import StepTraffic


def send_parts(
    tools: Tools, run: RunOf, agreed: Agreed, parts: Sequence[ResultPart], traffic: tuple[StepTraffic, ...]
) -> SessionMemory:
    """Move the session of ``run`` to ``releasing`` and hand its ``parts`` over; what must outlive this process.

    Only after the last word of every party: from here on nobody can call them back.
    """
    commitments: list[str] = []
    with tools.store.begin() as transaction:
        tools.store.move(transaction, run.session, Phase.RELEASING, "control passed", tools.clock())
        stage = Stage(party=tools.member, stage=Phase.RELEASING)
        tools.control.post(transaction, Kind.STAGE, stage, run.session)
        for part in parts:
            person = "@" in part.recipient
            commitment, pieces = sealed_pieces(
                run,
                Output(part.step, part.recipient),
                part.payload,
                signer=tools.signer,
                party=tools.member,
                key=agreed.submission.result_key if person else agreed.approvals[part.recipient].result_key,
                piece_bytes=tools.limits.control.piece_bytes,
                random_bytes=secrets.token_bytes,
            )
            commitments.append(commitment)
            for piece in pieces:
                tools.control.post(transaction, Kind.PART, piece, run.session)
        memory = SessionMemory(
            session=run.session,
            attempt=run.attempt,
            plan=run.plan,
            transcript=run.transcript,
            commitments=tuple(commitments),
            traffic=traffic,
            outputs=tuple(step for step, recipient in outputs_of(agreed.plan) if recipient == tools.member),
            computers=agreed.plan.computers,
        )
        tools.store.remember(transaction, memory)
    tools.control.flush()
    return memory
