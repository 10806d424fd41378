"""The shape of bound relations: the old way for one table, the unique side, where conditions stand, names and units."""

import random

import pytest

from consortia.plans.expressions import Call, Ref, columns_of
from consortia.plans.lowering.nodes import walk
from consortia.plans.model import JoinKey, SortKey, WindowFunction
from consortia.plans.names import is_legal
from consortia.plans.query import (
    Computed,
    Filtered,
    Grouped,
    Joined,
    Limited,
    Query,
    Relation,
    Stacked,
    TableRows,
    Windowed,
)
from consortia.plans.relations import fixed_columns, relation_types
from consortia.plans.sql import bind
from tests.fixtures_catalogue import AS_OF, CATALOGUE, INT
from tests.naive_relations import ManyToMany, World, answer
from tests.random_relations import relation_query


def bound(sql: str) -> Query:
    return bind(sql, CATALOGUE, AS_OF)


def relation(sql: str) -> Relation:
    found = bound(sql).relation
    assert found is not None
    return found


def inside(sql: str) -> Relation:
    """The relation of a nested query."""
    return relation(f"SELECT COUNT(*) FROM ({sql}) AS q")


def keys_of(made: Joined) -> list[tuple[str, str]]:
    return [(key.left, key.right) for key in made.on]


def renames(made: Relation) -> dict[str, str]:
    assert isinstance(made, Computed)
    return {n.name: n.expression.column for n in made.expressions if isinstance(n.expression, Ref)}


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT country, COUNT(*) AS k FROM numbers WHERE a > 1 GROUP BY country",
        'SELECT MEDIAN(a) AS m, STDDEV(price) AS s FROM "bank-a".numbers AS n WHERE SQRT(n.a) > 1 LIMIT 3',
        "SELECT DISTINCT country FROM numbers",
        "WITH unused AS (SELECT a FROM numbers) SELECT COUNT(*) AS k FROM numbers",
    ],
)
def test_a_query_over_one_table_has_no_relation(sql: str) -> None:
    query = bound(sql)
    assert query.relation is None
    assert query.table == "numbers"
    assert query.owner == ("bank-a" if "bank-a" in sql else "")


def test_a_join_keeps_the_order_of_the_text_and_names_the_right_side_apart() -> None:
    made = relation("SELECT COUNT(*) FROM deposits AS d JOIN accounts AS a ON a.customer_key = d.customer_key")
    assert isinstance(made, Joined)
    assert made.how == "inner"
    assert made.left == TableRows(table="deposits")
    assert keys_of(made) == [("customer_key", "a_customer_key")]
    names = renames(made.right)
    assert names["a_customer_key"] == "customer_key"
    assert names["a_country"] == "country"
    assert names["risk_score"] == "risk_score"


def test_conditions_of_an_inner_join_follow_it_and_those_of_a_left_join_stand_before_its_right_side() -> None:
    on = "ON n.person = a.customer_key AND a.risk_score > 3"
    inner = relation(f"SELECT COUNT(*) FROM numbers AS n JOIN accounts AS a {on} AND n.a > a.risk_score")
    assert isinstance(inner, Filtered)
    assert isinstance(inner.source, Joined)
    assert columns_of(inner.predicate) == {"a", "risk_score"}
    left = relation(f"SELECT COUNT(*) FROM numbers AS n LEFT JOIN accounts AS a {on} WHERE n.flag")
    assert isinstance(left, Filtered)
    assert left.predicate == Ref(column="flag")
    assert isinstance(left.source, Joined)
    assert left.source.how == "left"
    assert isinstance(left.source.right, Filtered)


def test_keys_that_are_no_columns_or_of_other_scales_become_columns_of_one_type() -> None:
    made = relation("SELECT COUNT(*) FROM numbers AS x JOIN numbers AS y ON x.a + 1 = y.c AND x.price = y.b")
    assert isinstance(made, Joined)
    left, right = relation_types(made.left, CATALOGUE), relation_types(made.right, CATALOGUE)
    for one, two in keys_of(made):
        assert left[one] == right[two]
    assert keys_of(made) == [("key", "y_c"), ("price", "key_2")]


def test_using_gives_one_column_for_both_sides() -> None:
    query = bound("SELECT customer_key, COUNT(*) AS k FROM deposits JOIN accounts USING (customer_key) GROUP BY 1")
    assert isinstance(query.relation, Joined)
    assert query.relation.on == (JoinKey(left="customer_key", right="accounts_customer_key"),)
    assert [key.name for key in query.keys] == ["customer_key"]


def test_conditions_over_subqueries_are_joins_that_read_their_keys_alone() -> None:
    made = relation(
        "SELECT COUNT(*) FROM numbers AS n WHERE c > 2 AND NOT EXISTS (SELECT 1 FROM accounts AS a"
        " WHERE a.customer_key = n.person AND a.country = n.country AND risk_score > 3) AND a NOT IN (SELECT b"
        " FROM numbers)"
    )
    assert isinstance(made, Joined)
    assert made.how == "not-in"
    assert list(relation_types(made.right, CATALOGUE)) == ["in_b"]
    anti = made.left
    assert isinstance(anti, Joined)
    assert anti.how == "anti"
    assert keys_of(anti) == [("person", "customer_key"), ("country", "in_country")]
    assert list(relation_types(anti.right, CATALOGUE)) == ["customer_key", "in_country"]
    assert isinstance(anti.left, Filtered)
    assert columns_of(anti.left.predicate) == {"c"}


def test_set_operations_at_the_top_are_groups_of_their_stacked_sides() -> None:
    union = bound("SELECT a AS x FROM numbers UNION SELECT price FROM numbers UNION SELECT c FROM numbers LIMIT 3")
    assert isinstance(union.relation, Stacked)
    assert len(union.relation.sources) == 3
    assert [(key.name, key.expression) for key in union.keys] == [("x", Ref(column="x"))]
    assert union.limit == 3
    assert {relation_types(side, CATALOGUE)["x"].scale for side in union.relation.sources} == {2}
    both = bound("SELECT a FROM numbers INTERSECT SELECT c FROM numbers INTERSECT SELECT b FROM numbers")
    assert [made.name for made in both.aggregates] == ["sum_side_1", "sum_side_2", "sum_side_3"]
    assert isinstance(both.having, Call)
    assert [part.op for part in both.having.args if isinstance(part, Call)] == ["gt", "gt", "gt"]
    one = bound("SELECT a FROM numbers EXCEPT SELECT c FROM numbers EXCEPT SELECT b FROM numbers")
    assert isinstance(one.relation, Stacked)
    assert len(one.relation.sources) == 3
    assert isinstance(one.having, Call)
    assert [part.op for part in one.having.args if isinstance(part, Call)] == ["gt", "eq"]


def test_nested_groups_windows_and_limits_stand_in_the_order_of_their_evaluation() -> None:
    made = inside(
        "SELECT country, RANK() OVER (PARTITION BY country ORDER BY SUM(a) DESC) AS r, COUNT(*) AS k FROM numbers"
        " WHERE flag GROUP BY country, c HAVING COUNT(*) > 1 ORDER BY MAX(b), k DESC LIMIT 5"
    )
    assert [type(node) for node in walk(made)] == [
        Computed, Limited, Computed, Windowed, Filtered, Grouped, Filtered, TableRows,
    ]  # fmt: skip
    nodes = list(walk(made))
    limited, windowed, grouped = nodes[1], nodes[3], nodes[5]
    assert isinstance(limited, Limited)
    assert limited.rows == 5
    assert limited.order == (SortKey(column="order"), SortKey(column="k", descending=True))
    assert isinstance(windowed, Windowed)
    assert windowed.partition == ("country",)
    assert windowed.order == (SortKey(column="sum_a", descending=True),)
    assert windowed.functions == (WindowFunction(name="rank", function="rank"),)
    assert windowed.types == (INT,)
    assert isinstance(grouped, Grouped)
    assert grouped.keys == ("country", "c")
    assert [aggregate.name for aggregate in grouped.aggregates] == ["sum_a", "rows", "max_b"]


def test_windows_of_one_partition_and_order_are_one_step_with_their_frames() -> None:
    over = "OVER (PARTITION BY c ORDER BY a"
    made = inside(
        f"SELECT SUM(b) {over}) AS s, SUM(b) {over} ROWS UNBOUNDED PRECEDING) AS t, COUNT(*) OVER (PARTITION BY"
        f" c) AS n,"
        f" ROW_NUMBER() {over}) AS r, SUM(b) {over} RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS u"
        f" FROM numbers"
    )
    windows = [node for node in walk(made) if isinstance(node, Windowed)]
    assert [[(f.function, f.column, f.frame) for f in window.functions] for window in windows] == [
        [("count", "", "partition")],
        [("sum", "b", "range"), ("sum", "b", "rows"), ("row-number", "", "range")],
    ]
    assert isinstance(made, Computed)
    assert [named.name for named in made.expressions] == ["s", "t", "n", "r", "u"]


def test_a_query_of_with_stands_wherever_it_is_used_and_hides_a_table_of_its_name() -> None:
    made = relation(
        "WITH numbers (k, v) AS (SELECT country, SUM(a) FROM numbers GROUP BY country)"
        " SELECT COUNT(*) FROM numbers AS x JOIN numbers AS y ON x.k = y.k"
    )
    assert isinstance(made, Joined)
    assert renames(made.left) == {"k": "country", "v": "sum_a"}
    assert renames(made.right) == {"y_k": "country", "y_v": "sum_a"}
    assert isinstance(made.left, Computed)
    assert isinstance(made.right, Computed)
    assert made.left.source == made.right.source


def test_a_unit_follows_its_amount_through_names_groups_and_joins() -> None:
    made = relation(
        "SELECT c, SUM(t) AS t FROM (SELECT currency AS c, customer_key AS k, SUM(amount_minor) AS t FROM deposits"
        " GROUP BY currency, customer_key) AS x JOIN (SELECT customer_key AS k, currency AS d, amount_minor AS u"
        " FROM deposits) AS y ON x.k = y.k AND x.c = y.d GROUP BY c"
    )
    assert isinstance(made, Joined)
    types = relation_types(made, CATALOGUE)
    assert (types["t"].unit, types["u"].unit) == ("c", "c")
    assert relation_types(made.right, CATALOGUE)["u"].unit == "d"


def test_an_amount_whose_unit_is_fixed_may_leave_it_behind_and_is_a_plain_number_then() -> None:
    query = bound(
        "SELECT SUM(t) AS t FROM (SELECT customer_key, SUM(amount_minor) AS t FROM deposits WHERE currency = 'EUR'"
        " GROUP BY customer_key) AS q"
    )
    assert [made.type.unit for made in query.aggregates] == [""]


def test_columns_of_one_value_are_known_through_the_tree() -> None:
    made = relation(
        "SELECT COUNT(*) FROM (SELECT currency AS c, 3 AS three, country FROM deposits WHERE currency = 'EUR') AS x"
        " JOIN (SELECT currency AS d, country AS k FROM deposits) AS y ON x.c = y.d"
    )
    assert fixed_columns(made) == {"c", "three", "d"}


def test_quantiles_are_fractions_and_medians_have_one_more_place() -> None:
    query = bound(
        "SELECT PERCENTILE_DISC(0.250) WITHIN GROUP (ORDER BY price) AS q, MEDIAN(price) AS m,"
        " PERCENTILE_CONT(0.5) WITHIN GROUP (ORDER BY price) AS n, VARIANCE(price) AS v, STDDEV_POP(price) AS d"
        " FROM numbers"
    )
    assert [(m.function, m.numerator, m.denominator, m.type.scale) for m in query.aggregates] == [
        ("quantile", 1, 4, 2),
        ("median", 0, 1, 3),
        ("variance", 0, 1, 10),
        ("deviation-pop", 0, 1, 6),
    ]
    assert query.outputs[1].expression == query.outputs[2].expression


def test_every_column_of_random_trees_has_a_legal_name_and_every_reference_is_known() -> None:
    for seed in range(150):
        query = bound(relation_query(random.Random(seed)))
        for node in walk(query.relation) if query.relation is not None else ():
            types = relation_types(node, CATALOGUE)
            assert all(is_legal(name) for name in types)
            match node:
                case Filtered():
                    assert columns_of(node.predicate) <= relation_types(node.source, CATALOGUE).keys()
                case Computed():
                    read = {name for named in node.expressions for name in columns_of(named.expression)}
                    assert read <= relation_types(node.source, CATALOGUE).keys()
                    assert len({named.name for named in node.expressions}) == len(node.expressions)
                case Joined():
                    left, right = relation_types(node.left, CATALOGUE), relation_types(node.right, CATALOGUE)
                    assert not left.keys() & right.keys()
                    assert all(left[key.left].kind == right[key.right].kind for key in node.on)
                case Stacked():
                    assert len({tuple(relation_types(side, CATALOGUE).items()) for side in node.sources}) == 1


def test_a_key_twice_and_three_times_is_once_in_an_intersect_and_refused_by_a_strict_join() -> None:
    people = {"bank-a": [{"a": 7, "b": None}] * 2, "bank-b": [{"a": None, "b": 7}] * 3}
    world = World({"numbers": people}, strict=True)
    both = "SELECT a FROM numbers WHERE a IS NOT NULL INTERSECT SELECT b FROM numbers WHERE b IS NOT NULL"
    assert answer(bound(both), world) == [{"a": 7}]
    join = bound("SELECT COUNT(*) AS k FROM numbers AS x JOIN numbers AS y ON x.a = y.b")
    assert answer(join, World({"numbers": people})) == [{"k": 6}]
    with pytest.raises(ManyToMany):
        answer(join, world)


def test_not_in_a_stack_with_null_keeps_nothing_and_not_flag_keeps_the_false_row() -> None:
    rows = [{"a": a, "b": b, "c": c, "flag": flag} for a, b, c, flag in
            ((1, 1, 2, 1), (2, None, 3, 0), (3, None, 3, None), (4, None, 3, None))]  # fmt: skip
    world = World({"numbers": {"bank-a": rows}})
    stack = "SELECT b FROM numbers UNION ALL SELECT c FROM numbers"
    assert answer(bound(f"SELECT DISTINCT a FROM numbers WHERE a NOT IN ({stack})"), world) == []
    stack = "SELECT b FROM numbers WHERE b IS NOT NULL UNION ALL SELECT c FROM numbers"
    assert answer(bound(f"SELECT DISTINCT a FROM numbers WHERE a NOT IN ({stack})"), world) == [{"a": 4}]
    assert answer(bound("SELECT DISTINCT a FROM numbers WHERE NOT flag"), world) == [{"a": 2}]


def test_members_are_counted_over_joined_and_nested_rows_by_whose_data_they_hold() -> None:
    query = bound(
        "SELECT n.country, COUNT(DISTINCT member()) AS m FROM numbers AS n JOIN accounts AS a"
        " ON n.person = a.customer_key GROUP BY n.country"
    )
    assert [made.function for made in query.aggregates] == ["count-members"]
    data = {
        "numbers": {"bank-a": [{"person": 1, "country": 0}], "bank-b": [{"person": 2, "country": 0}]},
        "accounts": {"bank-c": [{"customer_key": 1}], "bank-b": [{"customer_key": 2}]},
    }
    assert answer(query, World(data)) == [{"country": 0, "m": 3}]


def test_intersect_binds_before_union_and_except() -> None:
    sides = [f"SELECT {name} FROM numbers" for name in ("a", "b", "c")]
    plain = bound("{} UNION {} INTERSECT {}".format(*sides))
    grouped = bound("{} UNION ({} INTERSECT {})".format(*sides))
    other = bound("({} UNION {}) INTERSECT {}".format(*sides))
    assert plain.relation == grouped.relation
    assert plain.relation != other.relation
