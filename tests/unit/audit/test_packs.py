"""Evidence packs of real sessions: exported twice alike, verified offline, shown as a page, and no change passes."""

import json
import random
import re
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from typer.testing import CliRunner

from consortia.audit.batch import packs_in, verify_files
from consortia.audit.believed import Memory
from consortia.audit.html import page_html
from consortia.audit.page import Page, Section, page_of, page_text
from consortia.audit.verify import verify_pack
from consortia.cli.main import app
from consortia.control.phases import ENDS
from consortia.errors import ConsortiaError, OperatorError, ProtocolAbort
from consortia.parties.node import PartyNode
from consortia.policies.signed import POLICY_TYPE
from consortia.trust.envelope import seal_envelope
from tests.e2e_cluster import PURPOSE, Cluster, prepare
from tests.packs import SQL, nodes, pack_of, sealed_sessions

SECOND = "SELECT flag, SUM(amount) AS total FROM visits GROUP BY flag"
POSITIVE = "SELECT country, SUM(amount) AS total FROM visits WHERE amount > 0 GROUP BY country"


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> tuple[Cluster, list[str]]:
    """Three sessions; before the last one bank-c registers other data."""
    return sealed_sessions(tmp_path_factory.mktemp("evidence"), (SQL, SECOND, POSITIVE), changing="bank-c")


@pytest.fixture(scope="module")
def pack(evidence: tuple[Cluster, list[str]]) -> bytes:
    cluster, sessions = evidence
    return pack_of(cluster, "bank-a", sessions[1])


def fingerprint(cluster: Cluster) -> str:
    return cluster.world.manifest.digest()


def test_every_member_exports_its_own_pack_of_every_session_and_each_verifies(
    evidence: tuple[Cluster, list[str]],
) -> None:
    cluster, sessions = evidence
    memory = Memory()
    for session in sessions:
        for member in cluster.world.members:
            data = pack_of(cluster, member, session)
            assert data == pack_of(cluster, member, session[:8])
            verified = verify_pack(data, fingerprint(cluster), memory)
            assert (verified.session, verified.opened.pack.member) == (session, member)
            assert set(verified.run.seals) == set(verified.run.approvals) == set(cluster.world.members)
            assert len(verified.checks) == 9


def test_a_pack_holds_no_value_of_the_data(evidence: tuple[Cluster, list[str]], pack: bytes) -> None:
    cluster, _ = evidence
    people = {person for _, (person, *_) in cluster.pooled}
    text = pack.decode()
    assert len(people) > 50
    assert not [person for person in people if re.search(rf"(?<![0-9a-z]){person}(?![0-9a-z])", text)]


def test_the_page_says_who_asked_what_of_whom_who_consented_and_how_it_ended(
    evidence: tuple[Cluster, list[str]], pack: bytes
) -> None:
    cluster, sessions = evidence
    text = re.sub(" +", " ", page_text(page_of(verify_pack(pack, fingerprint(cluster)))))
    for said in (
        sessions[1],
        "VERIFIED: 9 checks passed",
        "the one that was given",
        "ana@bank-a",
        SECOND,
        "legal basis: consent",
        "signed by otto@bank-b, petra@bank-b",
        "visits, committed as ",
        "bank-c released: 1 result part,",
        "It does not show that a member's registered rows are true",
    ):
        assert said in text, said


def test_the_html_page_says_the_same_and_fetches_nothing(evidence: tuple[Cluster, list[str]], pack: bytes) -> None:
    page = page_of(verify_pack(pack))
    html = page_html(page)
    assert html.count("<section>") == len(page.sections)
    assert "compare it with the one you were given" in html
    assert not re.search(r"<script|<link|<img|src=|https?://|url\(", html)


def test_a_query_with_markup_stays_text() -> None:
    page = Page("<b>", "<i>", (Section("<u>", (("<s>", ("<script>alert(1)</script>", "a & b")),)),))
    html = page_html(page)
    assert "<script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_another_manifest_is_refused(pack: bytes) -> None:
    with pytest.raises(ProtocolAbort) as refused:
        verify_pack(pack, "ab" * 32)
    assert refused.value.code == "audit/not-verified"
    assert "trust/fingerprint" in refused.value.message


def test_memory_is_used_between_two_instants_only(pack: bytes) -> None:
    memory = Memory()
    believed = verify_pack(pack, memory=memory).believed
    ((key, held),) = memory._held.items()
    later = believed.at + timedelta(minutes=5)
    assert memory.recall(key, later) is None
    assert memory.recall(key, believed.at) == believed
    memory.keep(key, held[0].__class__(later, *[getattr(believed, name) for name in held[0].__slots__[1:]]))
    between = memory.recall(key, believed.at + timedelta(minutes=2))
    assert between is not None
    assert between.at == believed.at + timedelta(minutes=2)


# --- changes -----------------------------------------------------------------------------------------------------


def refused(data: bytes, memory: Memory | None = None) -> bool:
    try:
        verify_pack(data, memory=memory)
    except ConsortiaError as error:
        return error.code == "audit/not-verified"
    return False


def flipped(data: bytes, place: int) -> bytes:
    """``data`` with one byte changed, a letter or digit to another one so that it stays well-formed text."""
    byte = data[place]
    other = byte ^ 1 if chr(byte).isalnum() and chr(byte ^ 1).isalnum() else byte ^ 0x20 if byte != 0x20 else 0x21
    return data[:place] + bytes([other]) + data[place + 1 :]


def places_by_class(data: bytes) -> dict[str, list[int]]:
    """Positions by what stands there: for each path, numbers of lists left out, first, middle and last ones."""
    text = data.decode()
    found: dict[str, list[int]] = {}

    def note(path: str, begin: int, end: int) -> None:
        found.setdefault(path, []).extend(dict.fromkeys((begin, (begin + end) // 2, end - 1)))

    def value(path: str, place: int) -> int:
        if text[place] == "{":
            place += 1
            while text[place - 1] != "}":
                name, after = json.decoder.scanstring(text, place + 1)
                note(f"{path} name", place, after)
                place = value(f"{path}.{name}", after + 1) + 1
            return place
        if text[place] == "[":
            note(f"{path} list", place, place + 1)
            place += 1
            if text[place] == "]":
                return place + 1
            while text[place - 1] != "]":
                place = value(f"{path}[]", place) + 1
            return place
        if text[place] == '"':
            _, after = json.decoder.scanstring(text, place + 1)
            note(path, place + 1 if after > place + 2 else place, after - 1 if after > place + 2 else after)
            return after
        match = re.compile(r"-?\d+|true|false|null").match(text, place)
        assert match is not None
        note(path, place, match.end())
        return match.end()

    assert value("", 0) == len(text)
    return found


def test_a_changed_byte_of_every_kind_is_detected(pack: bytes) -> None:
    classes = places_by_class(pack)
    assert len(classes) > 30
    chance, memory, tried = random.Random(5), Memory(), 0
    for path, places in classes.items():
        for place in chance.sample(places, min(5, len(places))):
            assert refused(flipped(pack, place), memory), (path, place)
            tried += 1
    assert tried > 120


@pytest.fixture(scope="module")
def small_pack(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    cluster, sessions = sealed_sessions(tmp_path_factory.mktemp("small"), small=True)
    return pack_of(cluster, "bank-a", sessions[0])


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_every_changed_byte_is_detected(small_pack: bytes, part: int) -> None:
    memory = Memory()
    for place in range(part, len(small_pack), 4):
        assert refused(flipped(small_pack, place), memory), place


def changed(pack: bytes, change: Callable[[Any], None]) -> bytes:
    """The pack after ``change`` to its JSON, canonical again: what somebody would make who knows the format."""
    value = json.loads(pack)
    change(value)
    return rfc8785.dumps(value)


def entry(value: Any, kind: str) -> Any:
    return next(one for one in value["entries"] if one["leaf"]["kind"] == kind)


def swap_seals(value: Any) -> None:
    value["seals"] = value["seals"][::-1]


def other_head(value: Any) -> None:
    value["seal"] = value["seals"][0]


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value["entries"].remove(entry(value, "submission")),
        lambda value: value["entries"].reverse(),
        lambda value: value["entries"].append(value["entries"][0]),
        lambda value: entry(value, "approval").update(document=entry(value, "submission")["document"]),
        lambda value: value["files"].pop(),
        lambda value: value["files"].append({"digest": "0" * 64, "content": "more"}),
        lambda value: value.update(session="0" * 32),
        lambda value: value.update(member="bank-b"),
        lambda value: value["seals"].append(value["seals"][0]),
        lambda value: value["seals"].append(value["seal"]),
        lambda value: value.update(more="1"),
        swap_seals,
        other_head,
    ],
)
def test_what_somebody_who_knows_the_format_would_change_is_detected(
    pack: bytes, change: Callable[[Any], None]
) -> None:
    assert refused(changed(pack, change))


def test_parts_of_another_session_do_not_fit(evidence: tuple[Cluster, list[str]], pack: bytes) -> None:
    cluster, sessions = evidence
    other = json.loads(pack_of(cluster, "bank-a", sessions[0]))

    def take(part: str) -> Callable[[Any], None]:
        return lambda value: value.update({part: other[part]})

    assert all(refused(changed(pack, take(part))) for part in ("entries", "seal", "seals", "files"))


# --- sessions from which nothing left ------------------------------------------------------------------------------


def out_of_memory(*_: object) -> None:
    raise OperatorError("local/memory", "the local stage needs more memory than it may use")


def test_denied_and_aborted_sessions_have_packs_that_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = prepare(tmp_path, count=40)
    with nodes(cluster) as running:
        analyst = cluster.client()
        query = analyst.sql(SQL, purpose=PURPOSE).saved()
        text = cluster.world.home("bank-b").trust.policy("bank-b", PURPOSE).payload_bytes()
        stricter = text.replace(b"minimum-entities: 5", b"minimum-entities: 50").replace(b"group]}", b"filter]}")
        officers = [cluster.world.profile(f"{name}@bank-b").signing_key() for name in ("petra", "otto")]
        for home in cluster.world.homes.values():
            home.trust.write_policy("bank-b", PURPOSE, seal_envelope(POLICY_TYPE, stricter, officers))
        denied = refused_session(lambda: analyst.run(query), running)
        permitted = seal_envelope(POLICY_TYPE, text, officers)
        for home in cluster.world.homes.values():
            home.trust.write_policy("bank-b", PURPOSE, permitted)
        monkeypatch.setattr("consortia.parties.workshop.encode", out_of_memory)
        aborted = refused_session(lambda: analyst.run(query), running)
    for session, outcome, said in (
        (denied, "denied", "denied [policies/denied]"),
        (aborted, "aborted", "local/memory"),
    ):
        verified = verify_pack(pack_of(cluster, "bank-b", session), fingerprint(cluster))
        assert verified.opened.seal.outcome == outcome
        text_of = page_text(page_of(verified))
        assert f"Session {session}, {outcome}" in text_of
        assert said in text_of, text_of
        assert page_html(page_of(verified)).count("<section>") == len(page_of(verified).sections)
    data = pack_of(cluster, "bank-b", denied)
    chance = random.Random(6)
    assert all(refused(flipped(data, chance.randrange(len(data)))) for _ in range(60))


def refused_session(action: Callable[[], object], running: dict[str, PartyNode]) -> str:
    """The session that ``action`` began and that was refused, once it has ended at all nodes that know it."""
    before = {session for node in running.values() for session in node.phases()}
    with pytest.raises(ConsortiaError):
        action()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        known = [set(node.phases().items()) for node in running.values()]
        fresh = {session for phases in known for session, _ in phases} - before
        if fresh and all(phase in ENDS for phases in known for session, phase in phases if session in fresh):
            return fresh.pop()
        time.sleep(0.05)
    raise TimeoutError("the session has not ended everywhere")


# --- commands ----------------------------------------------------------------------------------------------------


@pytest.fixture
def run(evidence: tuple[Cluster, list[str]]) -> Iterator[Callable[..., Any]]:
    cluster, _ = evidence
    home = str(cluster.world.home("bank-b").path)

    def invoke(*arguments: str, code: int = 0) -> Any:
        result = CliRunner().invoke(app, ["audit", *arguments], env={"CONSORTIA_HOME": home})
        assert result.exit_code == code, result.output
        return result

    return invoke


def test_export_and_verify_by_command(
    evidence: tuple[Cluster, list[str]], run: Callable[..., Any], tmp_path: Path
) -> None:
    cluster, sessions = evidence
    file, page = tmp_path / "a.pack", tmp_path / "a.html"
    exported = json.loads(run("export", sessions[0], "--out", str(file), "--json").stdout)
    run("export", sessions[0], "--out", str(file))
    assert exported["bytes"] == file.stat().st_size
    shown = run("verify", str(file), "--fingerprint", fingerprint(cluster), "--html", str(page))
    assert f"Session {sessions[0]}, released" in shown.stdout
    assert page.read_text().startswith("<!DOCTYPE html>")
    answer = json.loads(run("verify", str(file), "--json").stdout)
    assert (answer["verified"], answer["sha256"]) == (True, exported["sha256"])
    file.write_bytes(flipped(file.read_bytes(), 1000))
    error = json.loads(run("verify", str(file), "--json", code=1).stderr)["error"]
    assert error["code"] == "audit/not-verified"
    assert run("export", sessions[0], "--out", str(file), code=2)


def test_many_packs_are_verified_on_all_processors_with_a_line_each(
    evidence: tuple[Cluster, list[str]], run: Callable[..., Any], tmp_path: Path
) -> None:
    cluster, sessions = evidence
    for session in sessions:
        for member in cluster.world.members:
            (tmp_path / f"{member}-{session}.pack").write_bytes(pack_of(cluster, member, session))
    answer = json.loads(run("verify", str(tmp_path), "--fingerprint", fingerprint(cluster), "--json").stdout)
    assert (answer["packs"], answer["verified"]) == (9, 9)
    assert {(one["session"], one["member"]) for one in answer["outcomes"]} == {
        (session, member) for session in sessions for member in cluster.world.members
    }
    files = packs_in([tmp_path])
    assert verify_files(files, fingerprint(cluster), processes=2) == verify_files(files, fingerprint(cluster))
    broken = tmp_path / f"bank-b-{sessions[0]}.pack"
    broken.write_bytes(flipped(broken.read_bytes(), 2000))
    result = run("verify", str(tmp_path), str(broken), "--json", code=1)
    answer = json.loads(result.stdout)
    assert (answer["packs"], answer["verified"]) == (10, 8)
    assert {one["file"] for one in answer["outcomes"] if not one["verified"]} == {str(broken)}
    assert run("verify", str(tmp_path), "--html", str(tmp_path / "page.html"), code=2)


def test_the_log_lists_entries_and_checks_every_hash(
    evidence: tuple[Cluster, list[str]], run: Callable[..., Any]
) -> None:
    _, sessions = evidence
    found = json.loads(run("log", "--session", sessions[0], "--check", "--json").stdout)
    kinds = [leaf["kind"] for leaf in found["entries"]]
    assert kinds[:3] == ["submission", "approval", "basis"]
    assert kinds.count("verified-seal") == 2
    assert {leaf["session"] for leaf in found["entries"]} == {sessions[0]}
    assert "every hash is right" in run("log", "--check").stderr


def test_data_that_a_member_changed_between_two_runs_shows_in_both_packs(
    evidence: tuple[Cluster, list[str]], run: Callable[..., Any], tmp_path: Path
) -> None:
    cluster, sessions = evidence
    files = [tmp_path / f"{number}.pack" for number in range(3)]
    for file, member, session in zip(files, ("bank-a", "bank-b", "bank-a"), sessions, strict=True):
        file.write_bytes(pack_of(cluster, member, session))

    def changed(first: Path, second: Path) -> set[tuple[str, str]]:
        found = json.loads(run("compare", str(first), str(second), "--json").stdout)["compared"]
        return {(one["part"], one["of"]) for one in found if one["changed"]}

    assert changed(files[0], files[1]) == {("run", "query")}
    assert changed(files[1], files[2]) == {("run", "query"), ("data", "bank-c, visits")}
    text = run("compare", str(files[2]), str(files[0]), "--fingerprint", fingerprint(cluster)).stdout
    assert "BOTH VERIFIED. Data registered anew in between: bank-c, visits" in text


def test_an_owner_learns_in_which_sessions_a_customers_rows_were_used(
    evidence: tuple[Cluster, list[str]], run: Callable[..., Any]
) -> None:
    cluster, sessions = evidence
    amounts: dict[str, list[int]] = {}
    for person, amount, *_ in cluster.rows["bank-b"]:
        amounts.setdefault(person, []).append(amount)
    both = next(person for person, all_ in amounts.items() if any(x > 0 for x in all_) and any(x <= 0 for x in all_))
    none = next(person for person, all_ in amounts.items() if all(x <= 0 for x in all_))

    def uses(person: str) -> dict[str, int]:
        found = json.loads(run("subject", person, "--domain", "person", "--json").stdout)["uses"]
        assert {(use["table"], use["phase"], use["submitter"]) for use in found} == {("visits", "sealed", "ana@bank-a")}
        return {use["session"]: use["rows"] for use in found}

    positive = sum(amount > 0 for amount in amounts[both])
    assert uses(both) == dict(zip(sessions, (len(amounts[both]), len(amounts[both]), positive), strict=True))
    assert uses(none) == dict.fromkeys(sessions[:2], len(amounts[none]))
    answer = run("subject", "nobody", "--domain", "person", "--json")
    assert json.loads(answer.stdout) == {"uses": []}
    assert "only in those that are `releasing` or `sealed`" in answer.stderr
    assert "parties/domain" in run("subject", "x", "--domain", "nothing", code=2).stderr


def test_what_was_never_sealed_has_no_pack(run: Callable[..., Any]) -> None:
    assert "audit/session" in run("export", "zz", code=2).stderr
