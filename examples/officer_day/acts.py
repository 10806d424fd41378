"""The acts of the day: each runs what it shows, checks it, and notes what it saw."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from consortia.control.phases import Phase
from examples.aml.consortium import BANKS, PURPOSE
from examples.aml.processes import COMMAND, Running
from examples.aml.render import policy_bytes
from examples.officer_day.background import ANALYST, PATIENCE, BackgroundRun, halted
from examples.officer_day.desk import DayError, Desk, say, title
from examples.officer_day.drafts import edited, fingerprint_of, flipped, moved, without_table

QUERIES = Path(__file__).parents[1] / "aml" / "queries"
DENIED = 3


@dataclass
class Day:
    """The acts in their order; each adds what it saw to ``seen``."""

    desk: Desk
    servers: Running
    seen: dict[str, Any] = field(default_factory=dict)
    versions: list[Path] = field(default_factory=list)

    # --- version 1 ---------------------------------------------------------------------------------------------------

    def first_version(self) -> None:
        """Read, check and sign the first version; its author may not."""
        title("1. Version 1: read, checked, signed by two officers, neither of them its author")
        file = self._write("v1", policy_bytes("bank-a", datetime.now(UTC).date(), PURPOSE, "example-aml").decode())
        problems = self.desk.run("policy", "lint", file, *self.desk.home("bank-a"))
        page = self.desk.run("policy", "explain", file)
        say(f"{len(page['sentences'])} sentences; fingerprint {page['fingerprint']}")
        author = self._approve(file, "dora", refused=True)
        self._sign(file)
        for bank in ("bank-b", "bank-c"):
            other = self.desk.consortium.root / f"{bank}.yaml"
            other.write_bytes(policy_bytes(bank, datetime.now(UTC).date(), PURPOSE, "example-aml"))
            for officer in ("petra", "otto"):
                self.desk.run("policy", "approve", other, "--fingerprint", fingerprint_of(other),
                              *self.desk.profile(f"{officer}@{bank}"))  # fmt: skip
            self._publish(bank, other)
        self._accept()
        self.seen["first_version"] = {
            "lint_errors": problems["errors"],
            "sentences": len(page["sentences"]),
            "author_refused": author,
        }

    def denial(self) -> None:
        """A question that goes too far, and the nearest that passes."""
        title("2. An analyst asks for amounts beside customers: denied, with the rule, the line and what would pass")
        file = QUERIES / "denied.sql"
        explained = self.desk.run("explain", "-f", file, "--purpose", PURPOSE, *self._ana(), code=DENIED)
        code = self.desk.refused("query", "-f", file, "--purpose", PURPOSE, *self._ana(), code=DENIED)
        reason = explained["verdicts"][0]["reasons"][0]
        say(f"{reason['text']} (rule {reason['rule']}, {reason['place']})")
        suggestion = explained["suggestion"]
        say(f"what would pass: {suggestion}")
        answer = self.desk.run("query", suggestion, "--purpose", PURPOSE, *self._ana())
        self.seen["denial"] = {
            "code": code,
            "rule": reason["rule"],
            "place": reason["place"],
            "suggestion": suggestion,
            "suggestion_ran": bool(answer["results"]),
        }

    # --- version 2 ---------------------------------------------------------------------------------------------------

    def second_version(self) -> None:
        """A wider word among moved lines is found by the comparison; what is signed is narrower."""
        title("3. Version 2: a smaller minimum, hidden among moved lines, is found by the comparison")
        before = self.versions[-1]
        text = self._amended("v2")
        text = edited(text, "human-review: off\n    retention-days: off\n    onward-sharing: off\n  model",
                      "human-review: required\n    retention-days: off\n    onward-sharing: off\n  model")  # fmt: skip
        text = without_table(text, "transactions")
        hidden = self._write("v2-draft", moved(edited(text, "minimum-entities: 10", "minimum-entities: 8")))
        first = self._diff(before, hidden)
        widened = [change["field"] for change in first["changes"] if change["effect"] == "widened"]
        say(f"the officers do not sign: {first['widened']} widened, {widened[0]}")
        file = self._write("v2", text)
        second = self._diff(before, file, *self.desk.home("bank-a"))
        simulated = self.desk.run("policy", "simulate", file, "--history", *self.desk.home("bank-a"))
        say(f"of {simulated['queries']} past queries {len(simulated['flips'])} would be answered otherwise: "
            + ", ".join(f"{flip['before']} -> {flip['after']}" for flip in simulated["flips"]))  # fmt: skip
        self._sign(file, before)
        self._accept()
        self.seen["diff"] = {
            "hidden_draft": {"widened": first["widened"], "field": widened[0]},
            "signed": {effect: second[effect] for effect in ("widened", "narrowed", "neutral")},
            "queries": second["queries"],
            "flips": len(second["flips"]),
        }
        self.seen["simulation"] = {
            "queries": simulated["queries"],
            "flips": [f"{flip['before']} -> {flip['after']}" for flip in simulated["flips"]],
        }

    def hold(self) -> None:
        """A run waits for an officer, who sees plan and leakage report and never values."""
        title("4. A run is held until an officer of bank-a has reviewed it")
        waiting = self._ask_in_background("by_country.sql")
        try:
            held = self._until("the run is held", self._held)
            session = held["session"]
            review = self.desk.run("session", "review", session, *self.desk.profile("petra@bank-a"))
            plan, rounds = review["plan_hash"][:16], review["cost"]["rounds"]
            say(f"petra reads plan {plan} of {review['submitter']}: {rounds} rounds, who learns what, and no value")
            analyst = self.desk.refused("session", "approve", session, *self._ana(), code=2)
            self.desk.run("session", "approve", session, "--reason", "as agreed", *self.desk.profile("petra@bank-a"))
            out, err = waiting.communicate(timeout=PATIENCE)
        finally:
            waiting.kill()
        if waiting.returncode:
            raise DayError(f"the reviewed run ends with {waiting.returncode}:\n{err}")
        answer = json.loads(out)
        (result,) = answer["results"].values()
        say(f"it goes on: {len(result['rows'])} rows for the analyst")
        totals = {str(cell) for row in result["rows"] for cell in row if len(str(cell)) > 6}
        self.seen["hold"] = {
            "session": session,
            "values_shown": sorted(total for total in totals if total in json.dumps(review)),
            "values_released": len(totals),
            "analyst_refused": analyst,
            "approved_by": "petra@bank-a",
            "rows": len(result["rows"]),
        }

    # --- evidence ----------------------------------------------------------------------------------------------------

    def evidence(self) -> None:
        """One file for a supervisor, the same bytes twice, verified without a node; one changed byte is found."""
        title("5. Evidence of that run: verified offline, and refused once a byte is changed")
        session, root = self.seen["hold"]["session"], self.desk.consortium.root
        packs = [root / "evidence.pack", root / "again.pack"]
        for pack in packs:
            made = self.desk.run("audit", "export", session, "--out", pack, *self.desk.home("bank-a"))
        manifest = self.desk.consortium.homes["bank-a"].trusted().manifest.digest()
        page = root / "evidence.html"
        started = time.monotonic()
        verified = self.desk.run("audit", "verify", packs[0], "--fingerprint", manifest, "--html", page)
        seconds = time.monotonic() - started
        tampered = root / "tampered.pack"
        tampered.write_bytes(flipped(packs[0].read_bytes()))
        code = self.desk.refused("audit", "verify", tampered, "--fingerprint", manifest, code=1)
        self.seen["pack"] = {
            "bytes": made["bytes"],
            "second_export_identical": packs[0].read_bytes() == packs[1].read_bytes(),
            "verified": verified["verified"],
            "seconds": round(seconds, 2),
            "page_bytes": page.stat().st_size,
        }
        self.seen["tampered_pack"] = {"refused": True, "code": code}

    # --- revocation, and version 3 -----------------------------------------------------------------------------------

    def revocation(self) -> None:
        """One officer revokes the policy while three computers compute; nothing is opened."""
        title("6. One officer revokes the policy in the middle of a run")
        run = BackgroundRun(self.desk.consortium, (QUERIES / "structuring.sql").read_text())
        run.start()
        self._until("the run computes", lambda: run.computing.is_set() or run.ended)
        with halted(self.servers, "bank-c"):
            started = time.monotonic()
            self.desk.run("policy", "revoke", PURPOSE, "--reason", "the legal basis is being reviewed",
                          *self.desk.profile("otto@bank-a"))  # fmt: skip
        run.join(PATIENCE)
        seconds = time.monotonic() - started
        if run.error is None:
            raise DayError(f"the run was not stopped: {run.session} has {len(run.phases)} phases: {run.phases}")
        say(f"ended {seconds:.1f} s later: {run.error.message} [{run.error.code}]")
        (status,) = self.desk.run("session", "show", run.session, *self._ana())["sessions"]
        after = self.desk.refused(
            "query", "-f", QUERIES / "by_country.sql", "--purpose", PURPOSE, *self._ana(), code=DENIED
        )
        kinds = {entry["kind"] for bank in BANKS for entry in self.desk.run(
            "audit", "log", "--session", run.session, *self.desk.home(bank))["entries"]}  # fmt: skip
        self.seen["revocation"] = {
            "session": run.session,
            "phase_when_revoked": str(Phase.COMPUTING),
            "journals": sorted(kinds),
            "phase": status["phase"],
            "code": run.error.code,
            "seconds_until_ended": round(seconds, 2),
            "released": run.released,
            "next_query": after,
        }

    def third_version(self) -> None:
        """One key stops, two let it run again: by the next version."""
        title("7. Version 3, signed by two officers: questions are answered again, alerts no more")
        before = self.versions[-1]
        text = self._amended("v3")
        begin, end = text.index("  alert:"), text.index("  score:")
        file = self._write("v3", f"{text[:begin]}  alert: never\n{text[end:]}")
        changes = self._diff(before, file)
        one = self._approve(file, "petra", before)
        still = self._explain("by_country.sql", code=DENIED)
        self._approve(file, "otto", before)
        self._publish("bank-a", file)
        self._accept()
        again = self._explain("by_country.sql")
        never = self._explain("structuring.sql", code=DENIED)
        denial = next(verdict for verdict in never["verdicts"] if verdict["owner"] == "bank-a")
        say(f"alerts: {denial['reasons'][0]['text']} (rule {denial['reasons'][0]['rule']})")
        self.seen["third_version"] = {
            "widened": changes["widened"],
            "narrowed": changes["narrowed"],
            "missing_after_one": one["missing"],
            "permitted_after_one": still["permitted"],
            "permitted_after_two": again["permitted"],
            "alerts": denial["reasons"][0]["rule"],
        }

    # --- what the acts share -----------------------------------------------------------------------------------------

    def _write(self, name: str, text: str) -> Path:
        file = self.desk.consortium.root / f"bank-a.{name}.yaml"
        file.write_text(text)
        return file

    def _amended(self, name: str) -> str:
        """The next version as dora begins it: the text in force with version, hash of the one before and author."""
        file = self.desk.consortium.root / f"bank-a.{name}.yaml"
        self.desk.run("policy", "amend", PURPOSE, "--out", file, *self.desk.profile("dora@bank-a"))
        return file.read_text()

    def _approve(self, file: Path, officer: str, before: Path | None = None, *, refused: bool = False) -> Any:
        arguments = ["policy", "approve", file, "--fingerprint", fingerprint_of(file)[:16]]
        arguments += ["--previous", before] if before is not None else []
        arguments += [*self.desk.profile(f"{officer}@bank-a")]
        return self.desk.refused(*arguments, code=DENIED) if refused else self.desk.run(*arguments)

    def _sign(self, file: Path, before: Path | None = None) -> None:
        for officer in ("petra", "otto"):
            self._approve(file, officer, before)
        self._publish("bank-a", file)

    def _publish(self, bank: str, file: Path) -> None:
        """Put policy and signatures into the folder that the members exchange."""
        target = self.desk.consortium.exchange.path / "policies" / bank / f"{PURPOSE}.yaml"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
        shutil.copy(file.with_name(f"{file.stem}.signatures.json"), target.with_name(f"{PURPOSE}.signatures.json"))
        if bank == "bank-a":
            self.versions.append(file)

    def _accept(self) -> None:
        for bank in BANKS:
            self.desk.run("policy", "accept", self.desk.consortium.exchange.path, *self.desk.home(bank))

    def _diff(self, before: Path, after: Path, *home: object) -> dict[str, Any]:
        """The changes; with a home also the queries that flip."""
        found = self.desk.run("policy", "diff", before, after, "--exit-code", *home, code=2)
        for change in found["changes"]:
            if change["effect"] != "neutral":
                say(f"{change['sign']} {change['effect']}: {change['field']} ({change['meaning']}, {change['place']})")
        counts = ", ".join(f"{found[effect]} {effect}" for effect in ("widened", "narrowed", "neutral"))
        say(f"{counts}; {len(found['flips'])} of {found['queries']} queries flip" if home else counts)
        return found

    def _explain(self, query: str, code: int = 0) -> dict[str, Any]:
        return self.desk.run("explain", "-f", QUERIES / query, "--purpose", PURPOSE, *self._ana(), code=code)

    def _ana(self) -> tuple[str, Path]:
        return self.desk.profile(ANALYST)

    def _held(self) -> dict[str, Any] | None:
        listed = self.desk.run("session", "review", *self.desk.profile("petra@bank-a"))["held"]
        return dict(listed[0]) if listed else None

    def _ask_in_background(self, query: str) -> subprocess.Popen[str]:
        words = ["query", "-f", str(QUERIES / query), "--purpose", PURPOSE, *map(str, self._ana())]
        shown = f"query -f {query} --purpose {PURPOSE}"
        say(f"$ consortia {shown} (in another window)")
        self.seen.setdefault("in_another_window", []).append(shown)
        return subprocess.Popen([*COMMAND, *words, "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def _until(self, what: str, happened: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + PATIENCE
        while not (found := happened()):
            if time.monotonic() > deadline:
                raise DayError(f"after {PATIENCE:.0f} s it is not so that {what}")
            time.sleep(0.05)
        return found
