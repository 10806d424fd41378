"""Seconds to verify many evidence packs: ``python -m benchmarks.packs``, behind ``make packs``.

The sessions are made without nodes or data, by the functions that nodes call: the example's three banks compile,
approve, greet and seal each one in journals of their own; snapshot roots and commitments are random, as they would
look. Every session has a query, a time and a plan of its own, so nothing is verified once for all but the documents
in force. Prints and writes ``build/packs.json``.
"""

import argparse
import json
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks import machine
from benchmarks.cluster import ROOT
from consortia.audit.export import export_pack
from consortia.client.compiling import Belief, believe
from consortia.control.phases import Phase
from consortia.errors import InternalError
from consortia.evidence.cosigning import earlier_sizes
from consortia.execution.estimate import estimate
from consortia.parties.agreement import greet, session_of
from consortia.parties.approval import Terms, build_approval
from consortia.parties.basis import gather, keep_basis
from consortia.parties.checks import concerned_cards
from consortia.parties.store import Store
from consortia.parties.work import Documents
from consortia.plans.concerned import outputs_of, parties_of
from consortia.policies.compiling import Compiled, compile_analysis
from consortia.policies.own import tables_needed
from consortia.trust.envelope import Envelope, seal_document
from consortia.trust.home import Home, Profile
from consortia.trust.sessions import (
    Approval,
    Consistency,
    Hello,
    MemberDigest,
    MemberHead,
    Reservation,
    Seal,
    SnapshotRoot,
    Submission,
)
from consortia.version import __version__
from examples.aml.consortium import PURPOSE, set_up, sign_policies

BY_COUNTRY = (
    "SELECT country, COUNT(*) AS deposits, SUM(amount_minor) AS total FROM deposits "
    "WHERE currency = 'EUR' AND amount_minor > {limit} GROUP BY country ORDER BY country"
)
STRUCTURING = (
    "SELECT customer_key FROM deposits WHERE currency = 'EUR' AND amount_minor < {limit} "
    "GROUP BY customer_key HAVING COUNT(DISTINCT member()) >= 2 ORDER BY customer_key"
)
QUERIES = (BY_COUNTRY, STRUCTURING)
"""Of a number that is another one in every session."""
WAY = (
    Phase.REVIEWING,
    Phase.APPROVED,
    Phase.SHARING,
    Phase.COMPUTING,
    Phase.CONTROLLING,
    Phase.RELEASING,
    Phase.SEALED,
)


@dataclass(frozen=True)
class Bank:
    """One party: its home and its journal."""

    home: Home
    store: Store

    def record(self, session: str, documents: Sequence[tuple[str, Envelope]], now: datetime) -> None:
        """Append documents of a session to the journal."""
        with self.store.begin() as transaction:
            for kind, envelope in documents:
                self.store.journal.append(transaction, session=session, kind=kind, payload=envelope.to_bytes(), now=now)

    def held(self) -> tuple[MemberHead, ...]:
        """The heads seen of the others' journals."""
        with self.store.begin() as transaction:
            return self.store.heads.held(transaction)


def sealed_sessions(homes: Mapping[str, Home], profile: Profile, count: int) -> Iterator[bytes]:
    """The packs that the first home exports of ``count`` sessions, each in the journals of all parties."""
    banks = {member: Bank(home, Store(None)) for member, home in homes.items()}
    begin = datetime.now(UTC).replace(microsecond=0)
    belief = believe(profile, begin)
    for number in range(count):
        now = begin + timedelta(milliseconds=250 * number)
        sql = QUERIES[number % len(QUERIES)].format(limit=1_000 + number)
        compiled, submission = _asked(belief, profile.person, sql, now)
        asked = seal_document(submission, (profile.signing_key(),))
        approvals = _approve(banks, belief, compiled, submission, asked, now)
        hellos = _greet(banks, approvals, session_of(asked), asked, now)
        _close(banks, approvals, hellos, compiled, now)
        yield export_pack(next(iter(banks.values())).store, session_of(asked)).data


def _asked(belief: Belief, person: str, sql: str, now: datetime) -> tuple[Compiled, Submission]:
    compiled = compile_analysis(sql, PURPOSE, person, now, belief.world, estimate, now)
    if compiled.leakage is None:
        raise InternalError("benchmarks/denied", f"the example's policies deny: {sql}")
    submission = Submission(
        consortium=belief.trusted.manifest.consortium,
        submitter=person,
        purpose=PURPOSE,
        sql=sql,
        plan=compiled.plan.digest(),
        leakage=compiled.leakage.digest(),
        manifest=belief.trusted.manifest.digest(),
        catalogue=belief.world.catalogue.digest(),
        as_of=now,
        nonce=secrets.token_hex(32),
        result_key="00",
    )
    return compiled, submission


def _approve(
    banks: Mapping[str, Bank],
    belief: Belief,
    compiled: Compiled,
    submission: Submission,
    asked: Envelope,
    now: datetime,
) -> dict[str, Approval]:
    """Every bank's approval; each bank journals its own and the documents on which it rests."""
    approvals, plan = {}, compiled.plan
    for party in parties_of(plan):
        bank = banks[party]
        terms = Terms(
            session=session_of(asked),
            submission=asked.digest(),
            plan=plan,
            leakage=submission.leakage,
            manifest=submission.manifest,
            catalogue=submission.catalogue,
            cards=concerned_cards(Documents(belief.trusted, submission.catalogue, ()), plan, submission),
            policies=tuple(
                MemberDigest(member=owner, digest=digest)
                for owner, digest in belief.world.digests(plan.owners(), PURPOSE).items()
            ),
        )
        needed = tables_needed(plan, party, belief.world.catalogue)
        approvals[party] = build_approval(
            terms,
            party=party,
            not_after=now + timedelta(minutes=30),
            snapshots=[SnapshotRoot(table=table, root=secrets.token_hex(32)) for table in needed],
            result_key="00",
            reservation=Reservation(number=1),
        )
        with bank.store.begin() as transaction:
            bank.store.propose(transaction, terms.session, now)
            kept = gather(bank.home.trust, belief.world, compiled)
            keep_basis(bank.store, transaction, terms.session, kept, now)
    return approvals


def _greet(
    banks: Mapping[str, Bank], approvals: Mapping[str, Approval], session: str, asked: Envelope, now: datetime
) -> dict[str, Hello]:
    """Every bank's hello; each bank journals all approvals and hellos."""
    signed = {party: seal_document(approval, (banks[party].home.node_key(),)) for party, approval in approvals.items()}
    greetings = {
        party: greet(
            approval,
            signed,
            attempt=1,
            software=__version__,
            heads=banks[party].held(),
            reserved=(),
            signer=banks[party].home.node_key(),
            random_bytes=secrets.token_bytes,
        )
        for party, approval in approvals.items()
    }
    verified = [("verified-approval", envelope) for envelope in signed.values()]
    verified += [("hello", greeting.envelope) for greeting in greetings.values()]
    for party in approvals:
        banks[party].record(session, [("submission", asked), ("approval", signed[party]), *verified], now)
    return {party: greeting.hello for party, greeting in greetings.items()}


def _close(
    banks: Mapping[str, Bank],
    approvals: Mapping[str, Approval],
    hellos: Mapping[str, Hello],
    compiled: Compiled,
    now: datetime,
) -> None:
    """Every bank's closing statement, journalled by all; each bank holds the heads in the others'."""
    transcript = secrets.token_hex(32)
    outputs = len(outputs_of(compiled.plan))
    seals = {party: _seal(banks[party], approvals[party], hellos, transcript, outputs) for party in approvals}
    signed = {party: seal_document(seal, (banks[party].home.node_key(),)) for party, seal in seals.items()}
    for party, own in seals.items():
        others = [other for other in seals if other != party]
        closing = [("seal", signed[party]), *(("verified-seal", signed[other]) for other in others)]
        banks[party].record(own.session, closing, now)
        store = banks[party].store
        with store.begin() as transaction:
            for other in others:
                before = tuple(entry for entry in store.heads.held(transaction) if entry.member == other)
                store.heads.see(transaction, MemberHead(member=other, head=seals[other].head), before)
            for phase in WAY:
                store.move(transaction, own.session, phase, "sealed", now)


def _seal(bank: Bank, approval: Approval, hellos: Mapping[str, Hello], transcript: str, outputs: int) -> Seal:
    journal = bank.store.journal
    with bank.store.begin() as transaction:
        head = journal.head(transaction)
        sizes = earlier_sizes(approval.party, head.log, hellos.values())
        proofs = {size: journal.consistency(transaction, size, head.size) for size in sizes}
        entries = len(journal.entries(transaction, approval.session))
    return Seal(
        session=approval.session,
        attempt=1,
        party=approval.party,
        plan=approval.plan,
        transcript=transcript,
        outcome="released",
        commitments=tuple(secrets.token_hex(32) for _ in range(outputs)),
        head=head,
        entries=entries,
        earlier=tuple(
            Consistency(size=size, hashes=tuple(one.hex() for one in proof)) for size, proof in proofs.items()
        ),
    )


def main() -> None:
    """Make the packs, verify them by the command, print and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--packs", type=int, default=1_000)
    parser.add_argument("--folder", type=Path, help="make packs there and keep them, or use those that lie there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="consortia-packs-") as scratch:
        folder = arguments.folder or Path(scratch) / "packs"
        if not list(folder.glob("*.pack")):
            make(folder, Path(scratch) / "homes", arguments.packs)
        answer = verified(folder)
    sizes = [file.stat().st_size for file in folder.glob("*.pack")] if arguments.folder else []
    figures = {"machine": machine.described(), "packs": answer["packs"], "verified": answer["verified"]}
    figures |= {"seconds": answer["whole_seconds"], "largest_bytes": max(sizes, default=0)}
    build = ROOT / "build" / "packs.json"
    build.parent.mkdir(exist_ok=True)
    build.write_text(json.dumps(figures, indent=2) + "\n")
    print(f"{answer['verified']} of {answer['packs']} packs verified in {answer['whole_seconds']} s; {build}")


def make(folder: Path, homes: Path, count: int) -> None:
    """Write ``count`` packs into ``folder``."""
    consortium = set_up(homes, lambda _: None)
    sign_policies(consortium, lambda _: None)
    folder.mkdir(parents=True, exist_ok=True)
    profile = Profile(consortium.profile("ana@bank-a"))
    for number, data in enumerate(sealed_sessions(consortium.homes, profile, count)):
        (folder / f"{number:05d}.pack").write_bytes(data)


def verified(folder: Path) -> dict[str, object]:
    """What ``consortia audit verify FOLDER --json`` says, and the seconds of the whole process."""
    command = [sys.executable, "-m", "consortia.cli", "audit", "verify", str(folder), "--json"]
    begin = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer | {"whole_seconds": round(time.monotonic() - begin, 1)}


if __name__ == "__main__":
    main()
