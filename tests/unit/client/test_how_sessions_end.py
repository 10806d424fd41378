"""What the analyst is told when a session ended without a result."""

import pytest

from consortia.client.session import _ended
from consortia.control.messages import End, Fault
from consortia.control.phases import Phase
from consortia.errors import BudgetExhausted, ConsortiaError
from consortia.trust.envelope import Envelope
from consortia.trust.sessions import Denial

SESSION = "ab" * 16


def denied(*codes: str) -> ConsortiaError:
    envelopes = []
    for number, code in enumerate(codes):
        denial = Denial(session=SESSION, party=f"bank-{number}", plan="0" * 64, code=code, reasons=(f"because {code}",))
        envelopes.append(Envelope(payload_type=denial.type, payload=denial.canonical().hex(), signatures=()))
    fault = Fault(kind="PolicyRefusal", code=codes[0], party="bank-0")
    return _ended(SESSION, End(phase=Phase.DENIED, fault=fault, denials=tuple(envelopes)))


@pytest.mark.parametrize(
    ("code", "words"), [("policies/rates", "quota of queries"), ("policies/budget", "privacy budget")]
)
def test_an_owner_without_room_is_named_with_an_exit_code_of_its_own(code: str, words: str) -> None:
    error = denied(code)
    assert isinstance(error, BudgetExhausted)
    assert (error.code, error.exit_code) == ("client/no-room", 6)
    assert "bank-0" in error.message
    assert words in error.message


def test_a_denial_by_a_rule_counts_before_a_lack_of_room() -> None:
    error = denied("policies/rates", "policies/denied")
    assert (error.code, error.exit_code) == ("client/denied-by", 3)
    assert "because policies/denied" in error.message


def test_without_denials_the_fault_is_raised() -> None:
    fault = Fault(kind="PeerError", code="parties/restarted", party="bank-b", message="gone")
    assert _ended(SESSION, End(phase=Phase.ABORTED, fault=fault)).code == "parties/restarted"
    assert _ended(SESSION, None).code == "client/ended"
