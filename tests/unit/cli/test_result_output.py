"""Results in every format, exact; and the exit code that says that all of it was suppressed."""

import json
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
import typer

from consortia.cli.frames import print_results, rows_of, write_frame
from consortia.errors import RequestError
from tests.unit.execution.test_noise_steps import planned

FRAME = pl.DataFrame(
    {
        "key": [b"\x00\xff", None],
        "n": [1 << 60, -1],
        "mean": [Decimal("86116.192053"), None],
        "suppressed": [False, True],
    },
    schema_overrides={"mean": pl.Decimal(38, 6)},
)


def test_integers_from_2_to_the_53_and_decimals_are_text_in_json() -> None:
    assert rows_of(FRAME) == [["00ff", str(1 << 60), "86116.192053", False], [None, -1, None, True]]


@pytest.mark.parametrize("ending", ["csv", "json", "parquet", "arrow", "md"])
def test_every_format_keeps_every_digit(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"result.{ending}"
    write_frame(FRAME, path)
    match ending:
        case "parquet":
            assert pl.read_parquet(path).equals(FRAME)
        case "arrow":
            assert pl.read_ipc(path).equals(FRAME)
        case "json":
            assert json.loads(path.read_text())[0] == {
                "key": "00ff", "n": str(1 << 60), "mean": "86116.192053", "suppressed": False,
            }  # fmt: skip
        case _:
            assert "86116.192053" in path.read_text()
            assert str(1 << 60) in path.read_text()


def test_an_unknown_ending_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"\.xlsx"):
        write_frame(FRAME, tmp_path / "result.xlsx")
    assert not (tmp_path / "result.xlsx").exists()


def test_a_result_of_which_everything_is_suppressed_exits_with_4(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as caught:
        print_results("s", {"s9": FRAME.filter(pl.col("suppressed"))}, {}, None, json=False)
    assert caught.value.exit_code == 4
    assert "too few contributors" in capsys.readouterr().err


def test_results_go_to_stdout_and_everything_else_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    print_results("s", {"s9": FRAME}, {"rounds": 3}, None, json=True)
    captured = capsys.readouterr()
    assert json.loads(captured.out)["rounds"] == 3
    assert "1 of 2 cells are suppressed" in captured.err


def test_a_result_with_noise_says_so_on_the_terminal_in_json_and_beside_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = planned()
    frame = pl.DataFrame({"country": ["DE"], "n": [3], "total": [70], "k": [4]})
    out = tmp_path / "by_country.csv"
    print_results("s", {"s22": frame}, {}, out, json=True, plan=plan)
    captured = capsys.readouterr()
    about = json.loads((tmp_path / "by_country.csv.about.json").read_text())
    assert about["plan"] == plan.digest()
    assert [each["output"] for each in about["noise"]["outputs"]] == ["n", "total", "k"]
    assert json.loads(captured.out)["noise"] == about["noise"]
    assert "noise: n: within" in captured.err
