"""Three banks answer together what none can answer alone, as separate processes: ``python -m examples.aml.demo``.

Policies are signed, nodes started, then an analyst of one bank asks: who structures cash deposits over several banks
(alerts, each bank gets its own customers), statistics by country (small cells suppressed), a query that is denied,
with the nearest that passes, and where money goes in circles over the banks. Every answer is compared with the plain
one on the pooled files to the last digit. The demo fails if anything differs, or if none of the circles planted over
three banks is one that no bank could see; its numbers go to ``build/demo.json``.
"""

import argparse
import json
import shutil
import signal
import sys
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from consortia.policies.language.parse import read_policy
from examples.aml import oracle, plain
from examples.aml.asked import RUN_SECONDS, TRACING
from examples.aml.circles import Circle, hidden
from examples.aml.consortium import BANKS, CATALOGUE, PURPOSE, Consortium, register_data, set_up, sign_policies
from examples.aml.generate import generate
from examples.aml.generator.parameters import COUNTRY_AT, COUNTRY_BELOW, Parameters
from examples.aml.generator.planted import Truth
from examples.aml.processes import Answer, DemoError, Running, running
from examples.aml.sizes import customers_in_proportion, rows_in_proportion, scaled

QUERIES = Path(__file__).parent / "queries"
ANALYST = "ana@bank-a"
DENIED = 3
Rows = list[list[Any]]


@dataclass(frozen=True)
class Measured:
    """One query's cost, as it was measured where frames are sealed and as it was declared before the run."""

    rounds: int
    bytes_per_party: dict[str, int]
    declared_rounds: int
    declared_bytes_per_party: dict[str, int]
    secure_seconds: float
    seconds: float

    def text(self) -> str:
        """The numbers in one line."""
        sent = ", ".join(f"{bank} {count:,}" for bank, count in self.bytes_per_party.items())
        return (
            f"{self.seconds:.1f} s, of which {self.secure_seconds:.2f} s on shares; {self.rounds} rounds; "
            f"payload bytes sent: {sent}"
        )


class Demo:
    """The acts of the demo; each says what it shows and notes its numbers."""

    def __init__(self, data: Path, truth: Truth, run: Running) -> None:
        self._data = data
        self._truth = truth
        self._run = run
        self._plain = oracle.pooled(data)
        self.numbers: dict[str, Any] = {}
        self.queries: dict[str, Measured] = {}
        self.differences: list[str] = []

    def structuring(self) -> None:
        """Alerts: every bank gets the keys of its own customers, and nothing else is opened."""
        title("3. Who splits cash deposits over several banks, so that no bank sees the whole?")
        file = QUERIES / "structuring.sql"
        sql = file.read_text()
        quote(sql)
        session = self._explain_and_run("structuring", ("-f", str(file)))
        expected = oracle.alerts(self._plain, sql)
        alone = oracle.found_alone(self._plain, sql)
        planted = set(self._truth.structuring)
        hits, found = {}, {}
        for bank in BANKS:
            found[bank] = self._alerts(bank, session, "customer_key.identifier")
            hits[bank] = len(found[bank])
            self._compare(f"alerts of {bank}", found[bank], sorted(expected.get(bank, [])))
        every = {customer for customers in found.values() for customer in customers}
        self._compare("customers found by all banks together", sorted(every), sorted(planted))
        shown = ", ".join(found["bank-a"][:4])
        say(f"{len(every)} customers found together: {', '.join(f'{bank} gets {hits[bank]}' for bank in BANKS)}")
        say(f"planted: {len(planted)} over two or three banks; bank-a reads its own customer numbers: {shown}, ...")
        single = {bank: len(planted & set(customers)) for bank, customers in alone.items()}
        say(f"with the same threshold on its own data alone: {', '.join(f'{b} finds {single[b]}' for b in BANKS)}")
        self.numbers |= {"hits": hits, "hits_of_single_banks": single}

    def by_country(self) -> None:
        """Statistics for the asking analyst; cells with too few contributors stay closed."""
        title("4. Cash deposits by country, shown only where enough customers of other banks stand behind a number")
        file = QUERIES / "by_country.sql"
        quote(file.read_text())
        session = self._explain_and_run("by_country", ("-f", str(file)))
        rows = self._table(session, file.read_text())
        suppressed = sorted(row[0] for row in rows if row[-1])
        open_cells = {row[0] for row in rows if not row[-1]}
        self._compare("suppressed countries", suppressed, [COUNTRY_BELOW])
        if COUNTRY_AT not in open_cells:
            self.differences.append(f"{COUNTRY_AT} has exactly enough contributors and is not shown")
        for row in rows[:3] + [row for row in rows if row[0] in (COUNTRY_BELOW, COUNTRY_AT)]:
            say("   ".join(f"{'suppressed' if cell is None else cell!s:>14}" for cell in row[:-1]))
        minimum = _minimum(self._run.consortium)
        say(
            f"{COUNTRY_AT} has exactly {minimum} customers at the other banks and is shown, "
            f"{COUNTRY_BELOW} has one less"
        )
        self.numbers["suppressed_cells"] = suppressed

    def denied(self) -> None:
        """A query that no policy permits, and the nearest one that all do."""
        title("5. A query that goes too far: amounts beside customers")
        file = QUERIES / "denied.sql"
        quote(file.read_text())
        answer = self._run.ask(ANALYST, "explain", "-f", str(file), "--purpose", PURPOSE, network=False)
        refused = self._run.ask(ANALYST, "query", "-f", str(file), "--purpose", PURPOSE, network=False)
        if (answer.code, refused.code) != (DENIED, DENIED):
            raise DemoError(f"a query that must be denied exits with {answer.code} and {refused.code}")
        reason = answer.value["verdicts"][0]["reasons"][0]
        text = f"{reason['text']} (rule {reason['rule']}, {reason['place']})"
        suggestion = answer.value["suggestion"]
        say(f"denied by {', '.join(v['owner'] for v in answer.value['verdicts'] if v['verdict'] == 'deny')}: {text}")
        say("nearest query that passes:")
        quote(suggestion)
        session = self._explain_and_run("suggestion", (suggestion,))
        self._table(session, suggestion)
        self.numbers |= {"denied_reason": text, "suggestion": suggestion, "suggestion_permitted": True}

    def circles(self, spec: str) -> Circle:
        """Where money goes in circles; one that no bank sees in its own books, and that every bank is told."""
        title("6. Where does money come back to where it began, over several banks?")
        quote(spec.partition("analysis: ")[2].partition("\n")[2])
        file = self._run.consortium.root / "cycles.yaml"
        file.write_text(spec)
        session = self._explain_and_run("cycles", ("-f", str(file)), TRACING)
        rule = plain.Spec.read("cycles")
        pooled = plain.held(self._data)
        expected = plain.cycles(plain.payments(pooled, rule), rule)
        told = {}
        for bank in BANKS:
            own = set(plain.accounts(plain.held(self._data, bank), rule))
            told[bank] = self._alerts(bank, session, "account.identifier")
            self._compare(f"accounts on circles, {bank}", told[bank], sorted(expected & own))
        counts = ", ".join(f"{bank} of {len(told[bank])}" for bank in BANKS)
        say(f"each bank is told of its own accounts on circles: {counts}")
        circles = hidden(self._data, self._truth, tuple(BANKS), rule)
        if not circles:
            raise DemoError("no circle was planted that no bank could see: other sizes, or another seed")
        for circle in circles:
            for bank, accounts in circle.accounts.items():
                if not set(accounts) <= set(told[bank]):
                    self.differences.append(f"{bank} was not told all of {', '.join(accounts)}")
        self.numbers |= {
            "accounts_on_circles": {bank: len(accounts) for bank, accounts in told.items()},
            "circles_that_no_bank_sees": len(circles),
            "circle": vars(circles[0]),
        }
        return circles[0]

    def _alerts(self, bank: str, session: str, name: str) -> list[Any]:
        """The identifiers that a bank reads from its own part."""
        person = f"ana@{bank}"
        answer = self._run.ask(person, "session", "results", session, *(() if person == ANALYST else ("--member",)))
        return sorted(column(answer, name))

    def _explain_and_run(self, name: str, query: tuple[str, ...], purpose: str = PURPOSE) -> str:
        """Explain, save the plan, run exactly that plan; the session id."""
        plan = self._run.consortium.root / f"{name}.plan"
        say(f"$ consortia explain ... --purpose {purpose} --out {plan.name}; consortia run {plan.name}")
        explained = self._run.ask(ANALYST, "explain", *query, "--purpose", purpose, "--out", str(plan), network=False)
        if explained.code:
            raise DemoError(f"{name}: every owner should permit this query: {explained.value.get('verdicts')}")
        verdicts = {verdict["owner"]: verdict["verdict"] for verdict in explained.value["verdicts"]}
        say(f"verdicts: {', '.join(f'{owner} {verdict}s' for owner, verdict in verdicts.items())}")
        answer = self._run.ask(ANALYST, "run", str(plan), within=RUN_SECONDS)
        if answer.code:
            raise DemoError(f"{name}: the run exited with {answer.code}")
        session = str(answer.value["session"])
        self.queries[name] = measured = self._measure(session, explained, answer.seconds)
        self._compare(f"{name}: rounds", measured.rounds, measured.declared_rounds)
        self._compare(f"{name}: bytes", measured.bytes_per_party, measured.declared_bytes_per_party)
        say(measured.text())
        return session

    def _measure(self, session: str, explained: Answer, seconds: float) -> Measured:
        seals, cost = self._run.seals(session), explained.value["cost"]
        rounds = {sum(int(step.rounds) for step in seal.traffic) for seal in seals.values()}
        if len(rounds) != 1:
            raise DemoError(f"the nodes counted different rounds: {sorted(rounds)}")
        return Measured(
            rounds=rounds.pop(),
            bytes_per_party={bank: sum(int(step.bytes) for step in seal.traffic) for bank, seal in seals.items()},
            # steps that overlap share rounds on the wire; what each took is compared with what each declared
            declared_rounds=sum(int(step["rounds"]) for step in cost["steps"]),
            declared_bytes_per_party=cost["bytes_by_party"],
            secure_seconds=self._run.secure_seconds(session),
            seconds=seconds,
        )

    def _table(self, session: str, sql: str) -> Rows:
        """The analyst's result of ``sql``, compared with the plain answer; its last column says what is suppressed."""
        answer = self._run.ask(ANALYST, "session", "results", session)
        result = only_result(answer)
        minimum = _minimum(self._run.consortium)
        passing, hidden = oracle.shown(self._plain, sql, "bank-a", minimum, len(BANKS))
        rows: Rows = result["rows"]
        self._compare(
            "rows", [row[:-1] for row in rows if not row[-1]], [[_json(cell) for cell in row] for row in passing]
        )
        self._compare("suppressed cells", sum(bool(row[-1]) for row in rows), hidden)
        return rows

    def _compare(self, what: str, secure: object, plain: object) -> None:
        if secure != plain:
            self.differences.append(f"{what}: {secure} is not {plain}")


def _minimum(consortium: Consortium) -> int:
    """The fewest entities behind a number, the strictest of the signed policies."""
    texts = [consortium.exchange.policy(bank, PURPOSE).payload_bytes() for bank in BANKS]
    found = [read_policy(text).policy.outputs.aggregate for text in texts]
    return max(aggregate.minimum_entities for aggregate in found if not isinstance(aggregate, str))


def only_result(answer: Answer) -> dict[str, Any]:
    """The one result in what ``session results --json`` printed."""
    (result,) = answer.value["results"].values()
    return dict(result)


def column(answer: Answer, name: str) -> list[Any]:
    """One column of the one result."""
    result = only_result(answer)
    place = result["columns"].index(name)
    return [row[place] for row in result["rows"]]


def _json(cell: oracle.Cell) -> Any:
    return format(cell, "f") if isinstance(cell, Decimal) else cell


def title(text: str) -> None:
    """The heading of one act."""
    print(f"\n{text}", flush=True)


def say(text: str) -> None:
    """One line of what happens."""
    print(f"  {text}", flush=True)


def quote(sql: str) -> None:
    """A query."""
    for line in sql.strip().splitlines():
        print(f"      {line}", flush=True)


def main() -> None:
    """Run the demo; exits with 1 if an answer differs from the plain one."""
    given = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    started = time.monotonic()
    root = given.out / "demo"
    shutil.rmtree(root, ignore_errors=True)
    (given.out / "demo.json").unlink(missing_ok=True)
    data = root / "data"
    parameters = Parameters.of_size(given.customers, given.transactions, seed=given.seed)
    try:
        numbers = run(root, data, parameters, started)
    except DemoError as error:
        print(f"\nthe demo failed: {error}", file=sys.stderr)
        sys.exit(1)
    (given.out / "demo.json").write_text(json.dumps(numbers, indent=1) + "\n")
    print(f"\nhomes, logs and data stay in {root}; numbers in {given.out / 'demo.json'}")
    if numbers["differences"]:
        print("THE ANSWERS DIFFER:\n" + "\n".join(numbers["differences"]), file=sys.stderr)
        sys.exit(1)


def run(root: Path, data: Path, parameters: Parameters, started: float) -> dict[str, Any]:
    """All acts in order; the numbers for ``demo.json``."""
    title(f"1. Three banks with {parameters.transactions_per_bank:,} transactions each agree on a consortium")
    truth = generate(parameters, data)
    size = max(rows_in_proportion(parameters), customers_in_proportion(parameters))
    consortium = set_up(root, say, scaled(CATALOGUE.read_text(), size, size))
    rows = register_data(consortium, data, say)
    say(f"registered: {', '.join(f'{table} {count:,}' for table, count in rows.items())}; nothing has left a bank")
    title("2. Two officers of each bank sign its policies; then a coordinator and three nodes start")
    for purpose in (PURPOSE, TRACING):
        sign_policies(consortium, say, purpose)
    with running(consortium) as servers:
        say(f"running: {', '.join(f'{name} (process {pid})' for name, pid in servers.pids.items())}")
        demo = Demo(data, truth, servers)
        demo.structuring()
        demo.by_country()
        demo.denied()
        circle = demo.circles(scaled(plain.Spec.read("cycles").file.read_text(), size, size))
        memory = servers.peak_memory()
        if any(process.poll() is not None for process in servers.servers.values()):
            raise DemoError("a server ended before the demo did")
    main_query = demo.queries["structuring"]
    numbers = {
        "seconds": round(time.monotonic() - started, 2),
        "secure_seconds": main_query.secure_seconds,
        "rounds": main_query.rounds,
        "bytes_per_party": main_query.bytes_per_party,
        "declared_bytes_per_party": main_query.declared_bytes_per_party,
        "equal_to_plaintext": not demo.differences,
        **demo.numbers,
        "processes": len(set(servers.pids.values())),
        "pids": servers.pids,
        "peak_memory_bytes": memory,
        "queries": {name: vars(measured) for name, measured in demo.queries.items()},
        "differences": demo.differences,
    }
    title("7. The same questions on the pooled files, in plain DuckDB and Python integers")
    verdict = "equal to the last digit" if not demo.differences else "DIFFERENT"
    say(f"{verdict}; {numbers['seconds']} s in all, {numbers['processes']} processes over the network,")
    say(f"a node used at most {memory / 2**20:.0f} MiB; bytes and rounds exactly as declared before the run")
    show(circle)
    return numbers


def show(circle: Circle) -> None:
    """The closing lines: what each bank keeps, holds and was told of one circle."""
    title(f"8. One circle of {circle.payments} payments over three banks, found together, which none could see alone")
    for bank, accounts in circle.accounts.items():
        own = f"account{'s' if len(accounts) > 1 else ''} {', '.join(accounts)}"
        say(
            f"{bank} is told of its {own}; its book has {circle.booked[bank]} of the {circle.payments} payments, "
            "where the same rule finds nothing of it"
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="three banks answer one question together")
    parser.add_argument("--out", type=Path, default=Path("build"))
    parser.add_argument("--customers", type=int, default=Parameters.customers_per_bank, help="a bank")
    parser.add_argument("--transactions", type=int, default=Parameters.transactions_per_bank, help="a bank")
    parser.add_argument("--seed", type=int, default=Parameters.seed)
    return parser.parse_args()


if __name__ == "__main__":
    main()
