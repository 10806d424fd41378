"""Move what is computed from one table's columns below joins, to the owners of that table, who compute it in clear.

Of ``SUM(a.price * a.pieces + b.fee)`` over a join the owners of ``a`` make the product; shares add the fee. Below the
right side of a left join go operators that give NULL for a NULL alone: without a match the result is the same.
"""

from dataclasses import dataclass

from consortia.plans.catalogue import Catalogue
from consortia.plans.draft import Draft
from consortia.plans.expressions import Call, Expr, Ref, columns_of
from consortia.plans.lowering.flat import flattened
from consortia.plans.lowering.nodes import rewritten, types_of, with_children
from consortia.plans.model import Named
from consortia.plans.names import NamePool
from consortia.plans.query import Computed, Filtered, Joined, Relation, Windowed
from consortia.plans.trees import substitute, walk
from consortia.plans.variants import with_query

STRICT: frozenset[str] = frozenset(
    {
        "add", "subtract", "multiply", "negate", "divide", "modulo", "cast", "abs", "round", "floor", "ceil",
        "eq", "ne", "lt", "le", "gt", "ge", "sqrt", "ln", "exp", "sigmoid", "power",
    }
)  # fmt: skip
"""Operators that are NULL as soon as one operand is."""


def compute_early(draft: Draft) -> Draft:
    """The draft whose shared steps compute only what several tables, or groups, take part in."""
    if draft.query.relation is None:
        return draft
    movement = _Movement(draft.catalogue, draft.names())
    return with_query(draft, relation=rewritten(draft.query.relation, movement.moved))


@dataclass
class _Movement:
    catalogue: Catalogue
    names: NamePool

    def __post_init__(self) -> None:
        self._next = self.names.fresh("early")

    def moved(self, node: Relation) -> Relation:
        """A projection or condition on shares that reads columns in place of what owners compute."""
        if not isinstance(node, Computed | Filtered) or flattened(node, self.catalogue) is not None:
            return node
        source, conditional = node.source, isinstance(node, Filtered)
        known: list[tuple[Expr, Expr]] = []

        def replaced(expression: Expr) -> Expr:
            nonlocal source
            if not isinstance(expression, Call):
                return expression
            for before, after in known:
                if before == expression:
                    return after
            # a condition keeps its comparisons: what it proves of columns is read from them
            movable = columns_of(expression) and not (conditional and expression.type.kind == "bool")
            name = self._next
            below = self._with_column(source, expression, name) if movable else None
            if below is None:
                return expression.model_copy(update={"args": tuple(replaced(arg) for arg in expression.args)})
            source = below
            self._next = self.names.fresh("early")
            known.append((expression, Ref(column=name)))
            return Ref(column=name)

        if isinstance(node, Filtered):
            predicate = replaced(node.predicate)
            if not known:
                return node
            # the columns of a condition are those of its source, so what was added stays inside
            columns = tuple(Named(name=name, expression=Ref(column=name)) for name in types_of(node, self.catalogue))
            return Computed(source=Filtered(source=source, predicate=predicate), expressions=columns)
        expressions = tuple(Named(name=named.name, expression=replaced(named.expression)) for named in node.expressions)
        return Computed(source=source, expressions=expressions)

    def _with_column(self, node: Relation, expression: Expr, name: str) -> Relation | None:
        """``node`` with the column ``name``, computed by the owners of one table; None if they can't."""
        if flattened(node, self.catalogue) is not None:
            columns = [Named(name=each, expression=Ref(column=each)) for each in types_of(node, self.catalogue)]
            return Computed(source=node, expressions=(*columns, Named(name=name, expression=expression)))
        match node:
            case Computed():
                below = substitute(expression, {named.name: named.expression for named in node.expressions})
                source = self._with_column(node.source, below, name) if columns_of(below) else None
                if source is None:
                    return None
                kept = Named(name=name, expression=Ref(column=name))
                return Computed(source=source, expressions=(*node.expressions, kept))
            case Filtered() | Windowed() if columns_of(expression) <= types_of(node.source, self.catalogue).keys():
                source = self._with_column(node.source, expression, name)
                return None if source is None else with_children(node, (source,))
            case Joined():
                return self._beside(node, expression, name)
        return None

    def _beside(self, node: Joined, expression: Expr, name: str) -> Relation | None:
        read = columns_of(expression)
        if read <= types_of(node.left, self.catalogue).keys():
            left = self._with_column(node.left, expression, name)
            return None if left is None else with_children(node, (left, node.right))
        from_right = node.how == "inner" or (node.how == "left" and _is_strict(expression))
        if from_right and read <= types_of(node.right, self.catalogue).keys():
            right = self._with_column(node.right, expression, name)
            return None if right is None else with_children(node, (node.left, right))
        return None


def _is_strict(expression: Expr) -> bool:
    return all(part.op in STRICT for part in walk(expression) if isinstance(part, Call))
