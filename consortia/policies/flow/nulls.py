"""Which columns hold no NULL in the rows that a condition has let through.

An owner computes parts of a condition early, as columns of TRUE and FALSE; such a column *proves* what its expression
would prove, wherever it is filtered by.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from consortia.plans.columns import Column
from consortia.plans.expressions import Call, Const, Expr, Ref
from consortia.plans.model import Filter, Named
from consortia.plans.narrowing import narrowed
from consortia.plans.trees import conjuncts

Names = frozenset[str]


@dataclass(frozen=True, slots=True)
class Nulls:
    """``whole`` columns hold no NULL; where the column ``name`` is TRUE, those of ``proofs[name]`` hold none either."""

    whole: Names = frozenset()
    proofs: Mapping[str, Names] = field(default_factory=dict)

    def filtered(self, step: Filter) -> Names:
        """Columns that hold no NULL where the predicate of ``step`` is TRUE."""
        return self._proved(step.predicate, step.columns)

    def projected(self, expressions: Sequence[Named], columns: Sequence[Column]) -> "Nulls":
        """The same of ``expressions`` over ``columns``."""
        whole = self.whole | {column.name for column in columns if not column.nullable}
        proofs = {}
        for named in expressions:
            proved = self._proved(named.expression, columns)
            if proved:
                proofs[named.name] = _whole_of(expressions, whole | proved)
        return Nulls(_whole_of(expressions, whole), proofs)

    def of_all(self, others: "Iterable[Nulls]") -> "Nulls":
        """What holds in the rows of each of several relations."""
        found = self
        for other in others:
            names = found.proofs.keys() & other.proofs.keys()
            found = Nulls(found.whole & other.whole, {name: found.proofs[name] & other.proofs[name] for name in names})
        return found

    def beside(self, other: "Nulls", names: Names) -> "Nulls":
        """What holds in rows put together of two relations' columns, of which ``names`` are kept."""
        whole, proofs = self.whole | other.whole, {**other.proofs, **self.proofs}
        return Nulls(whole & names, {name: proved & names for name, proved in proofs.items() if name in names})

    def _proved(self, condition: Expr, columns: Sequence[Column]) -> Names:
        open_to_null = {column.name: column.model_copy(update={"nullable": True}) for column in columns}
        found = {name for name, column in narrowed(open_to_null, condition).items() if not column.nullable}
        for part in conjuncts(condition):
            if isinstance(part, Ref):
                found |= self.proofs.get(part.column, Names())
        return frozenset(found)


NOTHING = Nulls()


def _whole_of(expressions: Sequence[Named], whole: Names) -> Names:
    return frozenset(named.name for named in expressions if is_whole(named.expression, whole))


def is_whole(expression: Expr, whole: Names) -> bool:
    """Whether ``expression`` is arithmetic of columns without NULL; other expressions may be NULL all the same."""
    match expression:
        case Ref(column=column):
            return column in whole
        case Const(integer=integer):
            return integer is not None
        case Call(op="add" | "subtract" | "multiply" | "negate" | "cast", args=args):
            return all(is_whole(arg, whole) for arg in args)
        case _:
            return False
