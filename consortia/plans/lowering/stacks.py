"""UNION ALL on shares: every source brought to the same columns, then one after the other."""

from consortia.plans.lowering.context import Context, in_order
from consortia.plans.lowering.convert import fitted_exactly
from consortia.plans.lowering.made import Made
from consortia.plans.lowering.needs import Column as Wanted
from consortia.plans.lowering.needs import Needs, combined
from consortia.plans.model import Union
from consortia.plans.query import Stacked
from consortia.plans.ranges import Range


def stack(context: Context, node: Stacked, needs: Needs) -> Made:
    """The rows of all sources."""
    types = context.knowledge.types(node)
    asked: Needs = {
        wanted: combined(context.knowledge.fact(node, wanted[0]).range, demanded) for wanted, demanded in needs.items()
    }
    parts = [context.lower(source, asked) for source in node.sources]
    ranges: dict[Wanted, Range] = {}
    for wanted in in_order(needs, types):
        for part in parts:
            column = part.column(*wanted)
            found = combined(ranges.get(wanted), Range(column.bounds, column.nullable))
            ranges[wanted] = found or Range(column.bounds, column.nullable)
    parts = [fitted_exactly(context, part, ranges, types) for part in parts]
    rows, columns = sum(part.rows for part in parts), parts[0].columns
    step = {"rows": rows, "columns": columns, "owners": ()}
    inputs = [part.step for part in parts]
    made = context.builder.add(Union.model_validate({**context.builder.place(inputs, "shared"), **step}))
    return Made(made, rows, columns, parts[0].places)
