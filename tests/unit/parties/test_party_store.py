"""The node's store: legal moves only, what survives a restart, and results that nobody reads without the key."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from consortia.control.mailbox import Letter
from consortia.control.phases import ENDS, MOVES, Phase
from consortia.errors import OperatorError, ProtocolAbort
from consortia.parties.results import decrypt, encrypt, results_key
from consortia.parties.store import SessionMemory, Store

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
SESSION = "0" * 32
WAY = (
    Phase.REVIEWING,
    Phase.APPROVED,
    Phase.SHARING,
    Phase.COMPUTING,
    Phase.CONTROLLING,
    Phase.RELEASING,
    Phase.SEALED,
)


def moved(store: Store, *phases: Phase) -> None:
    with store.begin() as transaction:
        for phase in phases:
            store.move(transaction, SESSION, phase, "test", NOW)


def proposed(path: Path | None = None) -> Store:
    store = Store(path)
    with store.begin() as transaction:
        store.propose(transaction, SESSION, NOW)
    return store


def test_a_session_goes_its_way_and_leaves_a_trace_with_causes(tmp_path: Path) -> None:
    store = proposed(tmp_path / "node.sqlite")
    moved(store, *WAY)
    store.close()
    store = Store(tmp_path / "node.sqlite")
    with store.begin() as transaction:
        assert store.phase(transaction, SESSION) is Phase.SEALED
        assert [phase for _, phase, _ in store.history(transaction, SESSION)] == [Phase.PROPOSED, *WAY]
        assert store.running(transaction) == {}


@pytest.mark.parametrize("target", list(Phase))
@pytest.mark.parametrize("steps", range(len(WAY) + 1))
def test_an_illegal_move_is_refused_naming_both_phases_and_changes_nothing(steps: int, target: Phase) -> None:
    store = proposed()
    moved(store, *WAY[:steps])
    current = (Phase.PROPOSED, *WAY)[steps]
    if target in MOVES[current]:
        moved(store, target)
        return
    with pytest.raises(ProtocolAbort) as refused:
        moved(store, target)
    assert refused.value.code == "control/illegal-move"
    assert f"{current} can't become {target}" in refused.value.message
    with store.begin() as transaction:
        assert store.phase(transaction, SESSION) is current


def test_no_end_can_be_left() -> None:
    assert all(not MOVES[phase] for phase in ENDS)
    assert all(Phase.ABORTED in targets for phase, targets in MOVES.items() if phase not in ENDS)


def test_a_session_id_is_met_once() -> None:
    store = proposed()
    with store.begin() as transaction, pytest.raises(ProtocolAbort) as refused:
        store.propose(transaction, SESSION, NOW)
    assert refused.value.code == "parties/session-used"


def test_messages_are_kept_while_the_session_runs_and_no_longer(tmp_path: Path) -> None:
    store = proposed(tmp_path / "node.sqlite")
    letters = [Letter("part", SESSION, b"sealed", "bank-b"), Letter("released", SESSION, b"{}")]
    with store.begin() as transaction:
        for letter in letters:
            store.keep_letter(transaction, letter)
    store.close()
    store = Store(tmp_path / "node.sqlite")
    with store.begin() as transaction:
        assert store.letters(transaction, SESSION) == letters
    moved(store, Phase.ABORTED)
    with store.begin() as transaction:
        assert store.letters(transaction, SESSION) == []


def test_what_a_session_needs_for_its_seal_is_remembered() -> None:
    store = proposed()
    memory = SessionMemory(session=SESSION, plan="1" * 64, transcript="2" * 64, commitments=("3" * 64,))
    with store.begin() as transaction:
        store.remember(transaction, memory)
        assert store.memory(transaction, SESSION) == memory


def test_the_instance_of_the_mailbox_outlives_restarts_until_it_is_renewed(tmp_path: Path) -> None:
    store = Store(tmp_path / "node.sqlite")
    first = store.mailbox.instance
    store.close()
    store = Store(tmp_path / "node.sqlite")
    assert store.mailbox.instance == first
    store.renew_mailbox()
    renewed = store.mailbox.instance
    store.close()
    assert Store(tmp_path / "node.sqlite").mailbox.instance == renewed != first


def test_results_are_encrypted_and_bound_to_session_and_output(tmp_path: Path) -> None:
    key = results_key(tmp_path / "results.key")
    assert (tmp_path / "results.key").stat().st_mode & 0o777 == 0o600
    assert results_key(tmp_path / "results.key") == key
    stored = encrypt(key, SESSION, "s9", b"forty customers")
    assert b"customers" not in stored
    assert decrypt(key, SESSION, "s9", stored) == b"forty customers"
    for wrong in (
        lambda: decrypt(key, SESSION, "s8", stored),
        lambda: decrypt(key, "1" * 32, "s9", stored),
        lambda: decrypt(bytes(32), SESSION, "s9", stored),
        lambda: decrypt(key, SESSION, "s9", stored[:-1] + bytes([stored[-1] ^ 1])),
    ):
        with pytest.raises(OperatorError) as refused:
            wrong()
        assert refused.value.code == "parties/results-altered"


def test_a_damaged_results_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.key"
    path.write_text("abcd\n")
    path.chmod(0o600)
    with pytest.raises(OperatorError) as refused:
        results_key(path)
    assert refused.value.code == "parties/results-key"


def test_a_request_is_answered_once() -> None:
    store = Store(None)
    with store.begin() as transaction:
        store.use_request(transaction, "1" * 64)
        store.use_request(transaction, "2" * 64)
        with pytest.raises(ProtocolAbort) as refused:
            store.use_request(transaction, "1" * 64)
    assert refused.value.code == "parties/request-used"
