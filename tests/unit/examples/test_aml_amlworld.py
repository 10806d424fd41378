"""AMLworld's attempts over generated background: read, laid over, judged. Those here are written for the test."""

import os
from collections import Counter
from datetime import timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from examples.aml import amlworld, attempts
from examples.aml.attempts import AS_IN_GAINS, BY_TIME, Judged
from examples.aml.attempts_report import ALL, MISSING, Attempts, run
from examples.aml.generate import generate
from examples.aml.generator.parameters import Parameters
from examples.aml.processes import DemoError
from examples.aml.public import VARIABLE

PARAMETERS = Parameters(customers_per_bank=300, transactions_per_bank=2_000, deposits_per_bank=300, rings=0,
                        withdrawals_per_bank=100, transfers_per_pair=150, structuring=4, single_bank=2,
                        one_below=2)  # fmt: skip
BANKS = PARAMETERS.banks


def line(time: str, source: str, target: str, amount: str, currency: str = "Euro") -> str:
    """A payment between BANK/ACCOUNT and BANK/ACCOUNT."""
    ends = [*source.split("/"), *target.split("/")]
    return ",".join((time, *ends, amount, currency, amount, currency, "ACH", "1"))


def block(kind: str, *lines: str) -> str:
    return "\n".join((f"BEGIN LAUNDERING ATTEMPT - {kind}", *lines, f"END LAUNDERING ATTEMPT - {kind}", ""))


def written(folder: Path, *blocks: str) -> list[amlworld.Attempt]:
    file = folder / "patterns.txt"
    file.write_text("\n".join(blocks))
    return amlworld.read(file)


def test_attempts_are_read_with_their_banks_as_text_and_their_amounts_in_euro_cents(tmp_path: Path) -> None:
    fan = block(
        "FAN-OUT:  Max 2-degree Fan-Out",
        line("2022/09/01 00:06", "021174/8007", "012/80A", "2848.96"),
        line("2022/09/02 04:33", "021174/8007", "12/80A", "73.444", "Rupee"),
    ).replace("END LAUNDERING ATTEMPT - FAN-OUT:  Max 2-degree Fan-Out", "END LAUNDERING ATTEMPT - FAN-OUT")
    own, other = written(tmp_path, fan, block("CYCLE", line("2022/09/03 00:00", "1/a", "1/a", "1e12")))
    assert (own.number, own.typology, other.number, other.typology) == (1, "fan-out", 2, "cycle")
    assert [payment.amount for payment in own.payments] == [284_896, 85]
    assert own.ends() == (("021174", "8007"), ("012", "80A"), ("12", "80A"))
    assert other.payments[0].amount == amlworld.LARGEST


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2022/09/01 00:06,1,a,2,b,1,Euro,1,Euro,ACH,1", "line 1: a payment outside"),
        (block("CYCLE"), "line 2: what ends here"),
        (block("CYCLE", "2022/09/01 00:06,1,a"), "line 2: not a payment"),
        (block("CYCLE", line("2022/09/01 00:06", "1/a", "2/b", "5", "Shells")), "line 2: not a payment"),
        (block("CYCLE", line("2022-09-01", "1/a", "2/b", "5")), "line 2: not a payment"),
        ("BEGIN LAUNDERING ATTEMPT - CYCLE\nBEGIN LAUNDERING ATTEMPT - CYCLE", "line 2: an attempt begins within"),
        ("BEGIN LAUNDERING ATTEMPT - CYCLE", "the last attempt does not end"),
    ],
)
def test_what_is_no_pattern_file_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DemoError, match=said):
        written(tmp_path, text)


@given(st.lists(st.text("0123456789", min_size=1, max_size=6), min_size=1, max_size=6, unique=True))
def test_what_lies_over_several_banks_there_lies_over_several_here_and_nothing_else_does(names: list[str]) -> None:
    time = PARAMETERS.start
    moved = tuple(amlworld.Moved(time, (names[0], "a"), (name, "b"), 1) for name in names)
    given_banks = amlworld.banks_of(amlworld.Attempt(1, "fan-out", moved), BANKS)
    assert set(given_banks) == set(names)
    assert (len(set(given_banks.values())) > 1) == (len(names) > 1)


@pytest.fixture(scope="module")
def background(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("background")
    generate(PARAMETERS, folder)
    return folder


def test_attempts_become_rows_of_registered_accounts_in_the_books_of_both_banks(
    background: Path, tmp_path: Path
) -> None:
    made = written(
        tmp_path,
        block(
            "CYCLE",
            line("2022/09/01 00:30", "1/a", "2/b", "5000"),
            line("2022/09/02 09:00", "2/b", "3/c", "4900"),
            line("2022/09/03 09:00", "3/c", "1/a", "4800"),
        ),
        block("RANDOM", line("2022/09/05 00:00", "1/a", "9/z", "70")),
    )
    truth = amlworld.lay_over(background, made, PARAMETERS, tmp_path)
    books = {bank: pl.read_parquet(tmp_path / bank / "transactions.parquet") for bank in BANKS}
    accounts = {bank: set(pl.read_parquet(tmp_path / bank / "accounts.parquet")["account_id"]) for bank in BANKS}
    everybody = [(bank, account) for ring in truth for bank, account, _ in ring.accounts]
    assert len(everybody) == len(set(everybody)) == 5, "an account of two attempts is one of each here"
    assert all(account in accounts[bank] for bank, account in everybody)
    for attempt, ring in zip(made, truth, strict=True):
        for payment, number in zip(attempt.payments, ring.transactions, strict=True):
            rows = {bank: book.filter(pl.col("tx_id") == number) for bank, book in books.items()}
            (row, *others) = (frame.row(0, named=True) for frame in rows.values() if frame.height)
            assert all(row == other for other in others)
            assert {bank for bank, frame in rows.items() if frame.height} == {row["from_bank"], row["to_bank"]}
            assert (row["amount_minor"], row["currency"]) == (payment.amount, "EUR")
            assert row["ts"] == payment.time + (PARAMETERS.start + timedelta(days=1) - made[0].payments[0].time.replace(
                minute=0))  # fmt: skip
            ends = dict(zip(attempt.ends(), ring.accounts, strict=True))
            assert (row["from_bank"], row["from_account"]) == ends[payment.source][:2]
            assert (row["to_bank"], row["to_account"]) == ends[payment.target][:2]
    known = {account for bank in BANKS for account in _suspects(tmp_path / bank) - _suspects(background / bank)}
    assert len(known) == round(PARAMETERS.suspects * 5)


def _suspects(folder: Path) -> set[str]:
    return set(pl.read_parquet(folder / "accounts.parquet").filter("sar_flag")["account_id"])


def test_attempts_of_more_accounts_than_a_bank_has_are_refused(background: Path, tmp_path: Path) -> None:
    wide = block("FAN-OUT", *(line("2022/09/01 00:30", "1/a", f"1/{number}", "5") for number in range(400)))
    with pytest.raises(DemoError, match="more customers"):
        amlworld.lay_over(background, written(tmp_path, wide), PARAMETERS, tmp_path)


def _names(bank: int) -> str:
    """A bank of AMLworld's whose hash gives the bank of that place."""
    made = (str(number) for number in range(100))
    return next(name for name in made if amlworld.banks_of(_one(name), BANKS)[name] == BANKS[bank])


def _one(name: str) -> amlworld.Attempt:
    return amlworld.Attempt(1, "cycle", (amlworld.Moved(PARAMETERS.start, (name, "a"), (name, "b"), 1),))


def test_a_circle_over_three_banks_is_found_together_one_within_two_alone_and_uneven_amounts_by_times(
    background: Path, tmp_path: Path
) -> None:
    a, b, c = (_names(place) for place in range(3))

    def circle(*banks: str, amounts: tuple[int, ...]) -> str:
        ends = [f"{bank}/{place}" for place, bank in enumerate(banks)]
        moves = zip(ends, [*ends[1:], ends[0]], amounts, strict=True)
        return block(
            "CYCLE",
            *(line(f"2022/09/0{day} 10:00", *ends, f"{amount}") for day, (*ends, amount) in enumerate(moves, start=1)),
        )

    made = written(
        tmp_path,
        circle(a, b, c, a, amounts=(9_000, 8_900, 8_800, 8_700)),
        circle(a, b, a, amounts=(9_000, 8_900, 8_800)),
        circle(b, c, a, b, amounts=(9_000, 20_000, 3_000, 8_700)),
        block("FAN-IN", *(line("2022/09/02 10:00", f"{a}/{n}", f"{b}/hub", "50") for n in range(3))),
    )
    truth = amlworld.lay_over(background, made, Parameters(**{**vars(PARAMETERS), "suspects": 0.0}), tmp_path)
    whole, within, uneven, fan = attempts.judge(tmp_path, truth, BANKS, 0.05)
    assert (whole.alone[AS_IN_GAINS], whole.together[AS_IN_GAINS]) == (frozenset(), True)
    assert within.alone[AS_IN_GAINS] == {"bank-a"}
    assert [one.seen_whole for one in (whole, within, uneven, fan)] == [False, True, False, True]
    assert (uneven.together[AS_IN_GAINS], uneven.together[BY_TIME], uneven.alone[BY_TIME]) == (False, True, frozenset())
    assert fan.typology == "fan-in"
    rows = attempts.counted([whole, within, uneven, fan], BANKS)
    assert rows[AS_IN_GAINS]["cycle"].only_together == (1,)
    assert rows[BY_TIME]["cycle"].only_together == (1, 3)
    total = attempts.all_of(rows[AS_IN_GAINS])
    assert (total.attempts, total.seen_whole, total.any_bank) == (4, 2, rows[AS_IN_GAINS]["cycle"].any_bank)


def test_an_attempt_of_suspects_only_is_not_counted(background: Path, tmp_path: Path) -> None:
    made = written(tmp_path, block("CYCLE", line("2022/09/01 10:00", "1/a", "2/b", "9000")))
    truth = amlworld.lay_over(background, made, Parameters(**{**vars(PARAMETERS), "suspects": 1.0}), tmp_path)
    assert attempts.judge(tmp_path, truth, BANKS, 0.05) == []


def test_half_of_the_accounts_are_enough_and_less_is_not() -> None:
    assert attempts.found({"a", "b"}, {"a", "x"})
    assert not attempts.found({"a", "b", "c"}, {"a", "x"})


def test_the_section_shows_what_was_counted_and_the_numbers_say_the_same() -> None:
    one = Judged(7, "cycle", False, dict.fromkeys(attempts.RULES, frozenset({"bank-b"})),
                 dict.fromkeys(attempts.RULES, True))  # fmt: skip
    two = Judged(9, "stack", True, dict.fromkeys(attempts.RULES, frozenset()), dict.fromkeys(attempts.RULES, True))
    report = Attempts({"HI-Small": attempts.counted([one, two], BANKS)}, {}, "as was said", 0.01)
    text = "\n".join(report.section())
    assert text.count("| cycle | 1 | 0 | 1 | 1 | 1 | 0 |") == text.count("| stack | 1 | 1 | 0 | 0 | 1 | 1 |") == 2
    assert text.count(f"| {ALL} | 2 | 1 | 1 | 1 | 2 | 1 |") == 2
    numbers = report.numbers()["data_sets"]
    assert isinstance(numbers, dict)
    assert numbers["HI-Small"][AS_IN_GAINS]["stack"]["only_consortium_attempts"] == [9]
    assert "As was said." in text


def test_without_the_data_nothing_is_laid_over_and_the_report_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    # no consortium is looked at where no data is
    report = run(None, tmp_path, 0.01)  # type: ignore[arg-type]
    assert report == Attempts()
    assert MISSING in "\n".join(report.section())


def test_the_published_files_have_as_many_attempts_as_their_authors_say() -> None:
    folder = Path(os.environ.get(VARIABLE, ""))
    if not os.environ.get(VARIABLE) or not (folder / amlworld.FILES["HI-Small"]).is_file():
        pytest.skip(f"{VARIABLE} names no folder that holds AMLworld's pattern files")
    every = amlworld.read(folder / amlworld.FILES["HI-Small"])
    assert Counter(attempt.typology for attempt in every) == {
        "bipartite": 49, "cycle": 54, "fan-in": 40, "fan-out": 48, "gather-scatter": 51, "random": 41,
        "scatter-gather": 44, "stack": 43,
    }  # fmt: skip
    assert sum(len(attempt.payments) for attempt in every) == 3_209
    assert len(amlworld.read(folder / amlworld.FILES["HI-Medium"])) == 2_756


def test_the_best_bank_of_all_patterns_is_one_bank_and_not_the_best_of_each() -> None:
    row = attempts.Row
    rows = {"x": row(5, 0, {"a": 3, "b": 0}, 3, 3, ()), "y": row(5, 0, {"a": 0, "b": 2}, 2, 4, (8, 2))}
    total = attempts.all_of(rows)
    assert (total.best_bank, total.consortium, total.only_together) == (3, 7, (2, 8))
