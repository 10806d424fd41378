"""A saved plan: what ``explain --out`` writes and ``run`` submits, so that exactly what was reviewed is what runs."""

from pathlib import Path
from typing import Literal

from consortia.errors import OperatorError, RequestError
from consortia.plans.leakage import LeakageReport
from consortia.plans.model import Plan
from consortia.policies.compiling import Compiled
from consortia.trust.documents import Document


class SavedPlan(Document):
    """The query text and everything it was compiled to. It holds no data and no key."""

    type: Literal["consortia/saved-plan/v1"] = "consortia/saved-plan/v1"
    sql: str
    plan: Plan
    leakage: LeakageReport

    @classmethod
    def of(cls, compiled: Compiled) -> "SavedPlan":
        """A permitted query as it can be saved; raises RequestError ``client/denied`` for a denied one."""
        if compiled.leakage is None:
            raise RequestError(
                "client/denied",
                "a denied query has no plan that could be saved",
                remedy="change the query as `explain` suggests",
            )
        return cls(sql=compiled.sql, plan=compiled.plan, leakage=compiled.leakage)


def write_plan(saved: SavedPlan, path: Path) -> None:
    """Write ``saved`` to ``path``; raises OperatorError ``client/plan-file`` if that is not possible."""
    try:
        path.write_bytes(saved.canonical() + b"\n")
    except OSError as error:
        raise _unreadable(path, error) from error


def read_plan(path: Path) -> SavedPlan:
    """The plan saved in ``path``; raises OperatorError ``client/plan-file``, RequestError ``trust/document``."""
    try:
        return SavedPlan.parse(path.read_bytes().removesuffix(b"\n"))
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> OperatorError:
    return OperatorError(
        "client/plan-file",
        f"the plan file can't be used: {error.strerror}",
        place=str(path),
        remedy="write one with `consortia explain SQL --purpose PURPOSE --out FILE`",
    )
