"""Choose the order of keys in nested groups and partitions so that one sort serves what comes above them.

Groups stand in the order of their keys, so a group by (country, customer) below a group by country needs one sort, and
a group by (customer, country) two. What an order is worth ends at conditions and joins, which clear rows in place; the
left side of a left join keeps it.
"""

from consortia.plans.catalogue import Catalogue
from consortia.plans.draft import Draft
from consortia.plans.expressions import Ref
from consortia.plans.local import counts_entities
from consortia.plans.lowering.nodes import passed, rewritten, types_of, with_children
from consortia.plans.model import Named
from consortia.plans.query import Computed, Grouped, Joined, Relation, Windowed
from consortia.plans.variants import with_query

Keys = tuple[str, ...]


def order_keys(draft: Draft) -> Draft:
    """The draft with these orders."""
    query = draft.query
    if query.relation is None:
        return draft
    last = [key.name for key in query.keys]
    if counts_entities(draft) and draft.entity not in last:
        last.append(draft.entity)
    catalogue = draft.catalogue
    relation = rewritten(query.relation, lambda node: _served(node, catalogue))
    return with_query(draft, relation=_ordered(relation, tuple(last), catalogue))


def _served(node: Relation, catalogue: Catalogue) -> Relation:
    """A group or window over rows that come in its order where they can."""
    match node:
        case Grouped():
            return with_children(node, (_ordered(node.source, node.keys, catalogue),))
        case Windowed() if not any(key.descending for key in node.order):
            wanted = (*node.partition, *(key.column for key in node.order if key.column not in node.partition))
            return with_children(node, (_ordered(node.source, wanted, catalogue),))
        case _:
            return node


def _ordered(node: Relation, wanted: Keys, catalogue: Catalogue) -> Relation:
    """``node``, its rows in the order of ``wanted`` if its groups or partitions can give it."""
    match node:
        case Computed():
            names = passed(node.expressions)
            if not all(name in names for name in wanted):
                return node
            below = tuple(names[name] for name in wanted)
            return with_children(node, (_ordered(node.source, below, catalogue),))
        case Joined(how="left") if set(wanted) <= types_of(node.left, catalogue).keys():
            return with_children(node, (_ordered(node.left, wanted, catalogue), node.right))
        case Grouped() if set(wanted) <= set(node.keys):
            keys = _first(wanted, node.keys)
            below_node = _ordered(node.source, keys, catalogue)
            changed = node.model_copy(update={"keys": keys, "source": below_node})
            return _with_columns_of(node, changed, catalogue)
        case Windowed() if set(wanted) <= set(node.partition):
            partition = _first(wanted, node.partition)
            return node.model_copy(update={"partition": partition})
        case _:
            return node


def _first(wanted: Keys, keys: Keys) -> Keys:
    """``keys`` beginning with those ``wanted``, in their order."""
    lead = tuple(dict.fromkeys(wanted))
    return (*lead, *(key for key in keys if key not in lead))


def _with_columns_of(before: Grouped, after: Grouped, catalogue: Catalogue) -> Relation:
    """``after`` with its columns in the order that they had, which a limit above may read."""
    if before.keys == after.keys:
        return after
    columns = tuple(Named(name=name, expression=Ref(column=name)) for name in types_of(before, catalogue))
    return Computed(source=after, expressions=columns)
