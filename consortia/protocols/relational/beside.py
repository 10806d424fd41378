"""How many contributors stand in the other cells of a cell's line: cells that differ from it in one key alone.

Functionality: of each group, the sum of a count over the groups with the same values of all other keys, less its own.
If it is zero, whoever is in the line is known to be in the one cell. Assumption and simulation: those of sorts and
windows; nothing is opened. Rounds: one product for one key, else two sorts of the groups and a window.
"""

from collections.abc import Sequence
from dataclasses import replace

from consortia.errors import InternalError
from consortia.protocols.engine import Engine
from consortia.protocols.relational.carry import spread_number
from consortia.protocols.relational.order import order_by, ordered
from consortia.protocols.relational.table import SharedColumn, SharedTable, cleared
from consortia.protocols.relational.window import Window, windows
from consortia.protocols.shares import Arithmetic

LINE = "/line"


def beside(engine: Engine, groups: SharedTable, keys: Sequence[str], key: str, counted: str, most: int) -> SharedColumn:
    """The count ``counted`` in the other groups of each one's line along ``key``, at most ``most``.

    ``groups`` holds each value of ``keys`` once, in an order of these keys that it keeps.
    """
    others = tuple(name for name in keys if name != key)
    if len(others) == len(keys):
        raise InternalError("relational/column", f"the groups have no key `{key}`")
    near = replace(groups, columns={name: groups.column(name) for name in (*keys, counted)}, members={})
    if not others:
        own = _number(near.column(counted))
        total = own.prefix_sums().rows(near.length - 1, near.length)
        line = SharedColumn(spread_number(engine, total, near.length) - own, 0, most)
        return cleared(engine.narrow("clear"), replace(near, columns={LINE: line}), near.valid).column(LINE)
    lines = windows(
        engine.narrow("line"),
        order_by(engine.narrow("along"), near, others),
        others,
        (),
        [Window(LINE, "sum", counted, "partition")],
    )
    back = ordered(engine.narrow("back"), lines, groups.order)
    return SharedColumn(_number(back.column(LINE)) - _number(back.column(counted)), 0, most)


def _number(column: SharedColumn) -> Arithmetic:
    if not isinstance(column.value, Arithmetic):
        raise InternalError("relational/sum", "a count of contributors is no plain number")
    return column.value
