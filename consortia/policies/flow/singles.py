"""Which numbers are made of one column alone, so that rules on what contributors hold of them are about that column.

SUM(x + 100000) passes a rule that SUM(x) misses, and a number of rows takes the constants away again; so does SUM(y)
with SUM(x + y). What is not seen to be of one column, possibly multiplied by constants, is taken to be of several.
"""

from collections.abc import Mapping

from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.model import Aggregate, AggregateStep, Join, Plan, Project, Scan, Step, Union, Window
from consortia.plans.steps_of_models import Fit, Score, Weights
from consortia.plans.steps_of_networks import Match, Propagate
from consortia.plans.steps_of_noise import Quantiles

Origins = Mapping[str, str]
"""What each column of a step is made of, by its name; a column that is not among them is made of several."""
ROWS = "rows"
"""What a number of rows is made of, and a constant in each row."""
_OF_VALUES = ("sum", "min", "max", "quantile", "median")
_COUNTING = ("count", "count-rows", "count-distinct", "count-entities", "count-members", "has-member")


def origins(plan: Plan) -> Mapping[str, Origins]:
    """The origins of the columns of every step, by the step's id."""
    found: dict[str, Origins] = {}
    for step in plan.steps:
        found[step.id] = _after(step, [found[name] for name in step.inputs])
    return found


def is_single(made: Aggregate, rows: Origins) -> bool:
    """Whether an aggregate over rows of these origins is a number made of one column."""
    return bool(_made(made, rows))


def _after(step: Step, inputs: list[Origins]) -> Origins:
    match step:
        case Scan():
            return {column.name: f"{step.table}.{column.name}" for column in step.columns}
        case Project():
            return _known({each.name: _of(each.expression, inputs[0]) for each in step.expressions})
        case AggregateStep():
            keys = {key: inputs[0].get(key, "") for key in step.keys}
            return _known(keys | {each.name: _made(each, inputs[0]) for each in step.aggregates})
        case Union():
            return {name: of for name, of in inputs[0].items() if all(other.get(name) == of for other in inputs)}
        case Join():
            names = {column.name for column in step.columns}
            return {name: of for name, of in {**inputs[1], **inputs[0]}.items() if name in names}
        case Fit() | Weights():
            return {}
        case Window() | Propagate() | Match() | Score() | Quantiles():
            kept = {column.name for column in step.columns} - _new(step)
            return {name: of for name, of in inputs[0].items() if name in kept}
        case _:
            return inputs[0]


def _new(step: Window | Propagate | Match | Score | Quantiles) -> set[str]:
    """Columns that a step makes of several rows."""
    if isinstance(step, Window):
        return {each.name for each in step.functions}
    return {step.made} if isinstance(step, Propagate | Score) else set()


def _known(found: Mapping[str, str]) -> Origins:
    return {name: of for name, of in found.items() if of}


def _made(made: Aggregate, rows: Origins) -> str:
    if made.function in _COUNTING:
        return ROWS
    return rows.get(made.column, "") if made.function in _OF_VALUES else ""


def _of(expression: Expr, rows: Origins) -> str:
    """The one column that ``expression`` is a multiple or the square of, "" if it is anything else."""
    match expression:
        case Ref(column=column):
            return rows.get(column, "")
        case Const():
            return ROWS
        case Call(op="cast" | "negate", args=[value]):
            return _of(value, rows)
        case Call(op="multiply", args=[Const(), value] | [value, Const()]):
            return _of(value, rows)
        case Call(op="multiply", args=[left, right]) if left == right and (of := _of(left, rows)):
            return f"square of {of}"
    return ""
