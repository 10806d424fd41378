"""A bound query to its plan: passes in one order, each a pure function from draft to draft."""

from collections.abc import Callable

from consortia.plans.allocation import unprotected
from consortia.plans.draft import Draft, Environment
from consortia.plans.engines import choose_engine
from consortia.plans.model import Plan, Share
from consortia.plans.obligations import NO_OBLIGATIONS, Obligations
from consortia.plans.passes.add_noise import add_noise
from consortia.plans.passes.check_entities import check_entities
from consortia.plans.passes.check_environment import check_environment
from consortia.plans.passes.check_having import check_having
from consortia.plans.passes.check_keys import check_keys
from consortia.plans.passes.check_limit import check_limit
from consortia.plans.passes.check_units import check_units
from consortia.plans.passes.choose_counts import choose_counts
from consortia.plans.passes.choose_domains import choose_domains
from consortia.plans.passes.choose_unique_side import choose_unique_side
from consortia.plans.passes.classify_output import classify_output
from consortia.plans.passes.combine_shares import combine_shares
from consortia.plans.passes.compute_early import compute_early
from consortia.plans.passes.count_in_bins import count_in_bins
from consortia.plans.passes.count_rows import count_rows
from consortia.plans.passes.expand_moments import expand_moments
from consortia.plans.passes.infer_ranges import infer_ranges
from consortia.plans.passes.keep_units import keep_units
from consortia.plans.passes.lower_relation import lower_relation
from consortia.plans.passes.mark_visibility import mark_visibility
from consortia.plans.passes.match_once import match_once
from consortia.plans.passes.move_key_conditions import move_key_conditions
from consortia.plans.passes.name_arguments import name_arguments
from consortia.plans.passes.order_keys import order_keys
from consortia.plans.passes.push_conditions import push_conditions
from consortia.plans.passes.read_as_relation import read_as_relation
from consortia.plans.passes.release_results import release_results
from consortia.plans.passes.settle_rows import settle_rows
from consortia.plans.passes.split_locally import split_locally
from consortia.plans.query import Query
from consortia.plans.steps_of_noise import Noise

Pass = Callable[[Draft], Draft]

ORDER: tuple[Pass, ...] = (
    check_environment,
    # the query
    check_units,
    check_keys,
    move_key_conditions,
    expand_moments,
    count_in_bins,
    choose_counts,
    read_as_relation,
    classify_output,
    check_limit,
    # the relation
    settle_rows,
    name_arguments,
    push_conditions,
    match_once,
    choose_unique_side,
    compute_early,
    keep_units,
    order_keys,
    # the steps
    split_locally,
    combine_shares,
    lower_relation,
    release_results,
    # what is proved of them
    count_rows,
    infer_ranges,
    add_noise,
    check_entities,
    choose_domains,
    check_having,
    mark_visibility,
)
"""The one place where the order of passes stands."""


def build_plan(query: Query, environment: Environment, obligations: Obligations = NO_OBLIGATIONS) -> Plan:
    """The plan of ``query`` under ``obligations``; a draft (without any) has no rule in its control step.

    Depends on its arguments alone: equal arguments give equal bytes at every party. Raises RequestError:
    ``plans/capacity``, ``plans/no-bounds``, ``plans/units``, ``plans/key-ids``, ``plans/key-collisions``,
    ``plans/wide-comparison``, ``plans/null-entity``, ``plans/unsupported``, ``plans/unknown-purpose``,
    ``plans/submitter``, ``plans/noise``.
    """
    draft = Draft(query=query, environment=environment, obligations=obligations)
    for change in ORDER:
        draft = change(draft)
    choice = choose_engine(environment, [step.owner for step in draft.steps if isinstance(step, Share)])
    if choice.engine == "shamir" and any(isinstance(step, Noise) and step.at == "shared" for step in draft.steps):
        raise unprotected("a plan whose computers may collude")
    return Plan(
        catalogue=environment.catalogue_digest,
        manifest=environment.manifest,
        purpose=environment.purpose,
        as_of=environment.as_of,
        submitter=environment.submitter,
        computers=choice.computers,
        engine=choice.engine,
        collusion=choice.collusion,
        steps=draft.steps,
        complete_domain=draft.complete_domain,
    )
