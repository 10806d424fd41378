"""Results as people and programs read them: a table on a terminal, or a file in CSV, JSON, Parquet, Arrow or Markdown.

Keys are shown in hexadecimal. A cell that was not released is empty and its row says ``suppressed``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import typer

from consortia.cli.output import emit, json_text, note, table
from consortia.client.noise import noise_dict, noise_lines
from consortia.errors import OperatorError, RequestError
from consortia.plans.model import Plan

ALL_SUPPRESSED = 4
"""Exit code when a result is here and every cell of it was suppressed."""
_SUPPRESSED = "suppressed"


def print_results(
    session: str,
    results: Mapping[str, pl.DataFrame],
    extra: Mapping[str, Any],
    out: Path | None,
    *,
    json: bool,
    plan: Plan | None = None,
) -> None:
    """Print every result of a session, or write the only one to ``out``; exits with 4 if all is suppressed.

    Of a known ``plan`` it says what noise its numbers have, and writes that beside ``out``, as OUT.about.json.
    """
    noise = noise_dict(plan) if plan is not None else None
    if out is not None:
        if len(results) != 1:
            raise RequestError(
                "cli/out",
                f"there are {len(results)} results and one file to write",
                remedy="leave --out away and look at them with --json",
            )
        write_frame(next(iter(results.values())), out)
        note(f"written to {out}")
        if plan is not None:
            write_about(out, {"session": session, "plan": plan.digest(), "purpose": plan.purpose, "noise": noise})
    if json:
        content = {step: {"columns": frame.columns, "rows": rows_of(frame)} for step, frame in results.items()}
        emit({"session": session, "results": content, "noise": noise, **extra}, "", json=True)
    elif out is None:
        for frame in results.values():
            emit({}, table(frame.columns, [[_text(cell) for cell in row] for row in rows_of(frame)]), json=False)
    for frame in results.values():
        _explain_gaps(frame)
    for line in noise_lines(plan) if plan is not None else ():
        note(f"noise: {line}")
    if results and all(_all_suppressed(frame) for frame in results.values()):
        raise typer.Exit(ALL_SUPPRESSED)


def write_about(out: Path, about: Mapping[str, Any]) -> None:
    """Write what is to be known of the result in ``out`` beside it; OperatorError ``cli/write`` if that fails."""
    path = out.with_name(f"{out.name}.about.json")
    try:
        path.write_text(json_text(about) + "\n")
    except OSError as error:
        raise OperatorError("cli/write", f"the file can't be written: {error.strerror}", place=str(path)) from error
    note(f"what it is, and its noise: {path}")


def rows_of(frame: pl.DataFrame) -> list[list[Any]]:
    """Rows of JSON values; decimals, dates and integers from 2^53 on are text, so that nothing is rounded."""
    return [[_json_value(cell) for cell in row] for row in frame.iter_rows()]


def write_frame(frame: pl.DataFrame, path: Path) -> None:
    """Write ``frame`` in the format of the file's ending.

    Raises RequestError ``cli/format`` for another ending, OperatorError ``cli/write`` if the file can't be written.
    """
    shown = frame.with_columns(pl.col(pl.Binary).bin.encode("hex"))
    try:
        match path.suffix:
            case ".csv":
                shown.write_csv(path)
            case ".json":
                path.write_text(pl.DataFrame(rows_of(frame), schema=frame.columns, orient="row").write_json() + "\n")
            case ".parquet":
                frame.write_parquet(path)
            case ".arrow":
                frame.write_ipc(path)
            case ".md":
                path.write_text(_markdown(shown))
            case _:
                raise RequestError(
                    "cli/format",
                    f"`{path.suffix}` is not a format that results are written in",
                    remedy="end the file's name in .csv, .json, .parquet, .arrow or .md",
                )
    except OSError as error:
        raise OperatorError("cli/write", f"the file can't be written: {error.strerror}", place=str(path)) from error


def _json_value(cell: Any) -> Any:
    if cell is None or isinstance(cell, bool | str):
        return cell
    if isinstance(cell, int):
        return cell if abs(cell) < 1 << 53 else str(cell)
    if isinstance(cell, bytes):
        return cell.hex()
    return cell.isoformat() if hasattr(cell, "isoformat") else str(cell)


def _text(cell: Any) -> str:
    if cell is None:
        return ""
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def _markdown(frame: pl.DataFrame) -> str:
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + "---|" * frame.width]
    lines += ["| " + " | ".join(_text(cell) for cell in row) + " |" for row in rows_of(frame)]
    return "\n".join(lines) + "\n"


def _all_suppressed(frame: pl.DataFrame) -> bool:
    return _SUPPRESSED in frame.columns and frame.height > 0 and bool(frame[_SUPPRESSED].all())


def _explain_gaps(frame: pl.DataFrame) -> None:
    """Users read an empty result as a defect: say why nothing is shown."""
    if _SUPPRESSED in frame.columns and frame[_SUPPRESSED].any():
        hidden = int(frame[_SUPPRESSED].sum())
        note(f"{hidden} of {frame.height} cells are suppressed: too few contributors, or none")
    elif frame.height == 0:
        note("no rows: none fulfils the query, or all are suppressed (which of the two is not told)")
