"""A member's own result: collect the computers' parts, open them, and keep what they say encrypted."""

from collections.abc import Callable, Mapping

import structlog

from consortia.control.mailbox import Letter
from consortia.control.messages import Part, decode
from consortia.control.parts import PartCollector
from consortia.errors import ProtocolAbort
from consortia.parties.results import encrypt
from consortia.parties.store import SessionMemory
from consortia.parties.tools import Tools
from consortia.plans.model import Plan
from consortia.trust.hpke import KemPrivateKey
from consortia.trust.keys import PublicKey

_LOG = structlog.get_logger("consortia.parties")


def take_result(
    tools: Tools, memory: SessionMemory, plan: Plan, keys: Mapping[str, PublicKey], next_part: Callable[[], Letter]
) -> None:
    """Take letters from ``next_part`` until all parts for this member are here; store the result.

    ``keys`` are the computers' node keys. The parts must be of the very run that this node took part in, by session,
    plan and transcript. Raises ProtocolAbort ``parties/plan-shown`` and ``control/part``.
    """
    if plan.digest() != memory.plan:
        raise ProtocolAbort("parties/plan-shown", "the plan of the results is not the one that this node approved")
    collector = PartCollector(tools.member, memory.outputs, memory.computers)
    while not collector.complete:
        letter = next_part()
        collector.add(letter.sender, decode(Part, letter.body, letter.kind, letter.sender))
    private = KemPrivateKey.load(tools.result_key_path(memory.session))
    parts = collector.open(memory.session, plan.digest(), keys, private, transcript=memory.transcript)
    encrypted = {
        step: encrypt(tools.results_key, memory.session, step, tools.work.open_result(plan, step, of_step))
        for step, of_step in parts.items()
    }
    with tools.store.begin() as transaction:
        tools.store.keep_results(transaction, memory.session, encrypted)
        tools.store.retention.begin(transaction, memory.session, tools.clock())
    _LOG.info("results-stored", session=memory.session, member=tools.member, outputs=len(encrypted))
