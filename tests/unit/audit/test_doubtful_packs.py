"""Packs that somebody made up, cut, or that hold words of officers that do not count: what passes, and what is said."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import rfc8785
from typer.testing import CliRunner

from consortia.audit.believed import Believed, Memory, believe, submission_of
from consortia.audit.compare import compare, compare_page
from consortia.audit.html import page_html
from consortia.audit.page import LIMITS, Page, Section, page_of, page_text
from consortia.audit.runs import reviews_of
from consortia.audit.verify import Verified, verify_pack
from consortia.cli.main import app
from consortia.errors import ProtocolAbort
from consortia.evidence.basis import Basis
from consortia.evidence.leaf import leaf_of
from consortia.evidence.pack import Opened, Pack, PackEntry, _files, open_pack
from consortia.parties.agreement import session_of
from consortia.trust.envelope import Envelope, seal_document
from consortia.trust.exchange import collect_member
from consortia.trust.manifest import Deputy
from consortia.trust.sessions import Submission
from consortia.trust.setup import deputise, make_card
from consortia.trust.statements import ReviewDecision
from tests.consortium import NOW, PEOPLE, Consortium, make_consortium
from tests.e2e_cluster import Cluster
from tests.fixtures_catalogue import CATALOGUE
from tests.packs import pack_of, sealed_sessions
from tests.session_world import LEAKAGE, token_plan

# --- officers' words ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Consortium:
    """Otto of bank-a is analyst and officer, and olga his deputy."""
    people = {**PEOPLE, "otto": ("analyst", "officer")}
    made = make_consortium(
        tmp_path_factory.mktemp("words"), people=people, catalogue=CATALOGUE, suite="ecdsa-p256", now=NOW
    )
    home = made.home("bank-a")
    deputise(home, "olga", Deputy(officer="otto@bank-a", until=NOW + timedelta(days=9), reason="on leave"))
    make_card(home, "", NOW)
    collect_member(made.exchange, home.path / "public")
    return made


class Journal:
    """The journal entries of one session that ``submitter`` asked for, as a pack holds them."""

    def __init__(self, world: Consortium, submitter: str = "ana@bank-a") -> None:
        self._world, self._plan = world, token_plan(world, ("bank-a", "bank-b"))
        self.submission = Submission(
            consortium="test-aml", submitter=submitter, purpose=self._plan.purpose, sql="SELECT 1",
            plan=self._plan.digest(), leakage=LEAKAGE, manifest=self._plan.manifest, catalogue=self._plan.catalogue,
            as_of=NOW, nonce="00", result_key="00",
        )  # fmt: skip
        self.asked = self._signed(self.submission, submitter)
        self._entries: list[tuple[str, bytes]] = []

    def _signed(self, document: Any, person: str) -> Envelope:
        return seal_document(document, (self._world.profile(person).signing_key(),))

    def word(self, person: str, key_of: str = "", **changes: str) -> None:
        fields: dict[str, Any] = {
            "session": session_of(self.asked), "member": person.partition("@")[2], "person": person,
            "submission": self.asked.digest(), "plan": self._plan.digest(), "leakage": LEAKAGE, "decision": "approve",
            "at": NOW, **changes,
        }  # fmt: skip
        self._entries.append(("review", self._signed(ReviewDecision(**fields), key_of or person).to_bytes()))

    def approve(self) -> None:
        self._entries += [("submission", self.asked.to_bytes()), ("approval", b"{}")]

    def reviews(self, monkeypatch: pytest.MonkeyPatch, due: Sequence[str] = ("bank-a",)) -> tuple[list[str], list[str]]:
        """Whose words count, and why others do not."""
        monkeypatch.setattr("consortia.audit.runs.reviewers", lambda *_: tuple(due))
        session = session_of(self.asked)
        entries = tuple(
            PackEntry(
                leaf=leaf_of(index, time=NOW, session=session, kind=kind, payload=payload),
                document=payload.decode(),
                proof=(),
            )
            for index, (kind, payload) in enumerate(self._entries)
        )
        opened = Opened(Pack.model_construct(session=session, entries=entries), SimpleNamespace(), {})  # type: ignore[arg-type]
        home = self._world.home("bank-b")
        trusted = home.trusted().with_card(self._world.exchange.card("bank-a"), NOW)
        believed = Believed(NOW, trusted, CATALOGUE, {}, {})
        words, others = reviews_of(opened, believed, SimpleNamespace(plan=self._plan), self.submission)  # type: ignore[arg-type]
        return [word.person for word in words], list(others)


def test_the_deputy_of_the_submitter_does_not_review_the_run(
    world: Consortium, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(world, "otto@bank-a")
    journal.word("olga@bank-a")
    journal.approve()
    with pytest.raises(ProtocolAbort, match="no officer of bank-a"):
        journal.reviews(monkeypatch)
    journal = Journal(world)
    journal.word("olga@bank-a")
    journal.approve()
    assert journal.reviews(monkeypatch) == (["olga@bank-a"], [])


def test_a_word_after_the_approval_does_not_count(world: Consortium, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = Journal(world)
    journal.approve()
    journal.word("petra@bank-a")
    with pytest.raises(ProtocolAbort, match="no officer of bank-a"):
        journal.reviews(monkeypatch)
    _, [why] = journal.reviews(monkeypatch, due=())
    assert "entry 2" in why


@pytest.mark.parametrize(
    ("person", "changes"),
    [
        ("petra@bank-a", {"submission": "7" * 64}),
        ("petra@bank-b", {}),  # nobody asked
        ("omar@bank-a", {"key_of": "petra@bank-a"}),  # who is in no card any more
    ],
)
def test_words_that_nodes_ignore_are_listed_and_refuse_no_pack(
    world: Consortium, monkeypatch: pytest.MonkeyPatch, person: str, changes: dict[str, str]
) -> None:
    journal = Journal(world)
    journal.word(person, **changes)
    journal.word("petra@bank-a")
    journal.approve()
    counted, others = journal.reviews(monkeypatch)
    assert counted == ["petra@bank-a"]
    assert [why.partition(":")[0] for why in others] == ["entry 0"]


# --- real packs --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cluster, str, bytes]:
    cluster, sessions = sealed_sessions(tmp_path_factory.mktemp("doubt"), small=True)
    return cluster, sessions[0], pack_of(cluster, "bank-a", sessions[0])


@pytest.fixture(scope="module")
def verified(evidence: tuple[Cluster, str, bytes]) -> Verified:
    return verify_pack(evidence[2])


def refusal(opened: Opened) -> str:
    with pytest.raises(ProtocolAbort) as caught:
        believe(opened, "", Memory())
    assert caught.value.code == "evidence/pack"
    return caught.value.message


def test_a_catalogue_that_no_operator_signed_is_refused_and_the_page_names_who_did(verified: Verified) -> None:
    opened = verified.opened
    bare = Envelope.from_bytes(opened.file("catalogue")).model_copy(update={"signatures": ()})
    files = {**opened.files, ("catalogue", ""): bare.to_bytes()}
    assert "signed the catalogue" in refusal(replace(opened, files=files))
    facts = page_of(verified).as_dict()["sections"][0]["facts"]
    assert "olga@bank-a" in facts["catalogue"][1]


def test_a_policy_counts_for_its_owner_alone(verified: Verified) -> None:
    opened = verified.opened
    files = {**opened.files, ("policy", "bank-a"): opened.file("policy", "bank-b")}
    assert "the policy is one of `bank-b`" in refusal(replace(opened, files=files))


def test_manifest_and_catalogue_are_those_that_the_submission_names(verified: Verified) -> None:
    other = verified.believed.catalogue.model_copy(update={"version": 9})
    with pytest.raises(ProtocolAbort, match="the submission names"):
        submission_of(verified.opened, replace(verified.believed, catalogue=other))


def test_a_basis_that_names_two_documents_by_one_name_is_refused(evidence: tuple[Cluster, str, bytes]) -> None:
    pack = open_pack(evidence[2]).pack
    entries = []
    for one in pack.entries:
        document = one.document
        if one.leaf.kind == "basis":
            held = Basis.parse(document.encode()).entries
            names = [(entry.part, entry.name) for entry in held]
            place = names.index(("card", "bank-b"))
            twice = held[place].model_copy(update={"name": "bank-a"})
            document = Basis(entries=(*held[:place], twice, *held[place + 1 :])).canonical().decode()
        entries.append(one.model_copy(update={"document": document}))
    with pytest.raises(ProtocolAbort, match="two documents by one name"):
        _files(pack.model_copy(update={"entries": tuple(entries)}))


def test_statements_of_others_that_were_left_out_are_said_to_be_missing(evidence: tuple[Cluster, str, bytes]) -> None:
    value = json.loads(evidence[2])
    value["seals"] = []
    text = page_text(page_of(verify_pack(rfc8785.dumps(value))))
    assert "bank-b, bank-c" in text
    assert "its closing statement is not in this pack" in text
    assert any("closing statements out" in line for line in LIMITS)
    assert any("Revocations" in line for line in LIMITS)


@pytest.mark.parametrize("fault", [OverflowError, IndexError, RecursionError, TypeError, AttributeError])
def test_whatever_a_document_raises_is_a_failure_of_that_pack(
    evidence: tuple[Cluster, str, bytes], monkeypatch: pytest.MonkeyPatch, fault: type[Exception]
) -> None:
    def fail(*_: object) -> None:
        raise fault("made up")

    monkeypatch.setattr("consortia.audit.verify.approvals_of", fail)
    with pytest.raises(ProtocolAbort) as caught:
        verify_pack(evidence[2])
    assert caught.value.code == "audit/not-verified"


def test_what_one_run_alone_used_and_data_of_a_run_without_approvals_are_shown_apart(verified: Verified) -> None:
    later = replace(verified.believed, at=verified.believed.at + timedelta(hours=1))
    other = replace(verified, believed=later, run=replace(verified.run, approvals={}, hellos={}))
    found = {(one.part, one.of): one for one in compare(verified, other)}
    assert found["software", "bank-a"].once
    assert found["software", "bank-a"].changed
    assert not found["data", "bank-a, visits"].comparable
    page = compare_page(verified, other)
    facts = {section.title: [label for label, _ in section.facts] for section in page.sections}
    assert "software: bank-a" in facts["In one run only"]
    assert "data: bank-a, visits" in facts["Not comparable"]
    assert "not comparable: bank-a, visits" in page.verdict


# --- the page ----------------------------------------------------------------------------------------------------


def test_no_text_of_others_passes_for_a_section_of_the_page() -> None:
    forged = "fine\n\nWHO CONSENTED\n  bank-b  permit"
    lines = page_text(Page("t", "v", (Section("s", (("a\nWHO LEARNS", (forged,)),)),))).splitlines()
    assert lines[:4] == ["t", "v", "", "S"]
    assert all(line.startswith("      ") or not line for line in lines[5:])


def test_what_turns_a_line_around_is_written_out_in_html() -> None:
    html = page_html(Page("t\u202e", "v", (Section("s", (("a", ("x\u202ey\u2066<b>",)),)),)))
    assert "\u202e" not in html
    assert r"x\u202ey\u2066&lt;b&gt;" in html


# --- commands ----------------------------------------------------------------------------------------------------


def run(*words: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["audit", *words])
    assert result.exit_code == code, result.output
    return result


def test_without_a_fingerprint_the_verdict_says_that_nothing_was_compared(
    evidence: tuple[Cluster, str, bytes], tmp_path: Path
) -> None:
    cluster, _, data = evidence
    file, print_ = tmp_path / "a.pack", cluster.world.manifest.digest()
    file.write_bytes(data)
    for words, compared in (((), False), (("--fingerprint", print_), True)):
        one = json.loads(run("verify", str(file), *words, "--json").stdout)
        assert (one["verified"], one["compared"], one["fingerprint"]) == (True, compared, print_)
        many = run("verify", str(tmp_path), *words, "--json")
        assert (json.loads(many.stdout)["compared"], json.loads(many.stdout)["fingerprints"]) == (compared, [print_])
        both = run("compare", str(file), str(file), *words)
        assert print_ in many.stderr
        assert print_ in both.stderr
        for shown in (run("verify", str(file), *words), run("verify", str(tmp_path), *words), both):
            assert ("manifest not compared" in shown.stdout) is not compared


def test_a_file_that_can_not_be_written_is_an_error_with_a_code(
    evidence: tuple[Cluster, str, bytes], tmp_path: Path
) -> None:
    cluster, session, data = evidence
    (tmp_path / "a.pack").write_bytes(data)
    nowhere, home = str(tmp_path / "no" / "x"), str(cluster.world.home("bank-a").path)
    assert "cli/write" in run("export", session, "--out", nowhere, "--home", home, code=2).stderr
    assert "audit/file" in run("export", session, "--out", str(tmp_path), "--home", home, code=2).stderr
    assert "cli/write" in run("verify", str(tmp_path / "a.pack"), "--html", nowhere, code=2).stderr
