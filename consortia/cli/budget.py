"""``consortia budget``: what the node's ledger says of quotas and privacy budgets, and how it is reconciled."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from consortia.cli.audit.home_store import node_store
from consortia.cli.options import HomeOption, PassphraseOption, now, open_home
from consortia.cli.output import JsonOption, emit, examples, note, table
from consortia.client.saved_plan import read_plan
from consortia.errors import RequestError
from consortia.parties.account import Account, Budget, WhatIf, account_of, what_if
from consortia.parties.ledger import Entry
from consortia.parties.reconcile import (
    by_holder,
    copies_for,
    own_approvals,
    read_copies,
    require_holders,
    verified_copies,
)
from consortia.parties.reconcile import reconcile as raise_ledger
from consortia.plans.catalogue import Catalogue
from consortia.policies.accounting import Charge
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.own.budget import shown
from consortia.policies.signed import world_of
from consortia.trust.documents import instant_text
from consortia.trust.home import Home
from consortia.trust.keyfiles import write_new
from consortia.trust.notices import standing

app = typer.Typer(
    help="Quotas and privacy budgets of this member's policies, from its node's ledger.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(
    epilog=examples(
        "consortia budget show --home ./bank-a",
        "consortia budget show --home ./bank-a --plan q.plan",
        "consortia budget show --home ./bank-a --json",
    )
)
def show(
    plan: Annotated[
        Path | None,
        typer.Option("--plan", help="A saved plan: also show what it would cost and whether it fits.", metavar="PLAN"),
    ] = None,
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Show what is used and left, by purpose: queries counted, and privacy loss by unit and kind of output.

    What is reserved belongs to sessions that run now; it counts like what is spent.
    """
    member = open_home(home)
    with node_store(home) as store, store.begin() as transaction:
        rows = store.ledger.rows(transaction)
        behind = store.behind.found(transaction)
    catalogue, policies = _policies(member)
    accounts = [account_of(loaded.policy, catalogue, rows, now()) for loaded in policies]
    value: dict[str, Any] = {
        "member": member.member,
        "read_only": None if behind is None else {"since": instant_text(behind[0]), "why": behind[1]},
        "purposes": [_account_dict(account) for account in accounts],
    }
    lines = [line for account in accounts for line in _account_rows(account)]
    if plan is not None:
        saved = read_plan(plan).plan
        loaded = next((each for each in policies if each.policy.purpose.code == saved.purpose), None)
        if loaded is None or member.member not in saved.owners():
            raise RequestError(
                "cli/not-concerned",
                f"the plan needs no data of `{member.member}`, or no policy of it for `{saved.purpose}` is in force",
                place=str(plan),
                remedy="ask for a plan over this member's tables",
            )
        found = what_if(loaded, saved, catalogue, rows, now())
        value["plan"] = _what_if_dict(found)
        lines += _what_if_rows(found)
    emit(value, table(("purpose", "what", "used", "limit", "left", "room again"), lines), json=json)
    if behind is not None:
        note(f"READ-ONLY since {instant_text(behind[0])}: {behind[1]}; next: consortia budget reconcile")


@app.command(
    epilog=examples(
        "consortia budget copies bank-a --out bank-b.copies --home ./bank-b",
        "consortia budget copies bank-a --out bank-b.copies --home ./bank-b --json",
    )
)
def copies(
    owner: Annotated[str, typer.Argument(help="The member whose ledger is behind.", metavar="OWNER")],
    out: Annotated[Path, typer.Option("--out", help="Write the copies to this new file.", metavar="FILE")],
    home: HomeOption = None,
    passphrase_file: PassphraseOption = None,
    json: JsonOption = False,
) -> None:
    """Write what this node has seen OWNER reserve, signed, for OWNER's operator to reconcile its ledger with.

    The file holds OWNER's own approvals and the plans that it approved; no values and no results.
    """
    member = open_home(home, passphrase_file)
    consortium = member.trusted().manifest.consortium
    with node_store(home) as store:
        file = copies_for(store, owner, member.member, consortium, member.node_key(), now())
    write_new(out, file.to_bytes(), 0o644)
    emit(
        {"owner": owner, "holder": member.member, "sessions": len(file.approvals), "file": str(out)},
        f"{len(file.approvals)} reservations of {owner} as {member.member} has seen them: {out}",
        json=json,
    )
    note(f"next: {owner} runs consortia budget reconcile with the files of all other computers")


@app.command(
    epilog=examples(
        "consortia budget reconcile bank-b.copies bank-c.copies --home ./bank-a",
        "consortia budget reconcile bank-b.copies bank-c.copies --home ./bank-a --json",
    )
)
def reconcile(
    files: Annotated[list[Path], typer.Argument(help="The copies, one file a member.", metavar="FILE...")],
    home: HomeOption = None,
    json: JsonOption = False,
) -> None:
    """Raise the ledger to what the other members' copies prove; stop the node first.

    After an older node.sqlite was put back the node approves nothing until this was done. Nothing is ever given back
    by it.
    """
    member = open_home(home)
    trusted = member.trusted()
    with node_store(home) as store:
        with store.begin() as transaction:
            found = store.behind.found(transaction)
            spent = [row.session for row in store.ledger.rows(transaction) if row.state is Entry.COMMITTED]
            own = own_approvals(store, transaction)
        since = None if found is None else found[0]
        lists = by_holder(
            [verified_copies(read_copies(file), member.member, trusted, now(), since, spent, own) for file in files]
        )
        require_holders(lists, member.member, trusted.manifest.computers)
        outcome = raise_ledger(store, lists, now())
    emit(
        {"added": list(outcome.added), "raised": list(outcome.raised)},
        f"{len(outcome.added)} sessions put back, {len(outcome.raised)} counted as spent again",
        json=json,
    )
    note("next: consortia audit new-log, since the journal is as old; then start the node again")


def _policies(member: Home) -> tuple[Catalogue, list[LoadedPolicy]]:
    trusted = member.trusted()
    catalogue = Catalogue.parse(member.trust.catalogue().payload_bytes())
    envelopes = [member.trust.policy(owner, code) for owner, code in member.trust.policies() if owner == member.member]
    revoked = standing(member.trust, trusted.manifest).revoked
    world, _ = world_of(trusted, catalogue, envelopes, now(), revoked)
    return catalogue, list(world.policies)


def _account_rows(account: Account) -> list[tuple[str, ...]]:
    quotas = [
        (
            account.purpose,
            f"queries of {quota.name}" if quota.name != "all today" else "queries of all today",
            str(quota.used),
            "off" if quota.limit is None else str(quota.limit),
            "" if quota.limit is None else str(max(0, quota.limit - quota.used)),
            "",
        )
        for quota in account.quotas
    ]
    return [*quotas, *(_budget_row(account, budget) for budget in account.budgets)]


def _budget_row(account: Account, budget: Budget) -> tuple[str, ...]:
    return (
        account.purpose,
        f"privacy of `{budget.unit}` by {budget.kind}, {budget.grant.period_days} days",
        shown(budget.reserved + budget.spent),
        shown(budget.grant.per_period),
        shown(budget.left),
        "" if budget.room_at is None else instant_text(budget.room_at),
    )


def _what_if_rows(found: WhatIf) -> Sequence[tuple[str, ...]]:
    costs = [("the plan", f"privacy of `{unit}`", shown(charge), "", "", "") for unit, charge in found.charges.items()]
    said = [("the plan", f"{text} [{code}]", "", "", "", "") for code, text in found.obstacles]
    exact = [("the plan", "costs no privacy: its answers are exact", "", "", "", "")]
    fits = [("the plan", "fits", "", "", "", "")]
    return [*(costs or exact), *(said or fits)]


def _account_dict(account: Account) -> dict[str, Any]:
    return {
        "purpose": account.purpose,
        "policy": account.policy,
        "queries": [{"of": quota.name, "used": quota.used, "limit": quota.limit} for quota in account.quotas],
        "budgets": [
            {
                "unit": budget.unit,
                "kind": budget.kind,
                "period_days": budget.grant.period_days,
                "per_release": _charge_dict(budget.grant.per_release),
                "limit": _charge_dict(budget.grant.per_period),
                "reserved": _charge_dict(budget.reserved),
                "spent": _charge_dict(budget.spent),
                "left": _charge_dict(budget.left),
                "room_at": None if budget.room_at is None else instant_text(budget.room_at),
            }
            for budget in account.budgets
        ],
    }


def _what_if_dict(found: WhatIf) -> dict[str, Any]:
    return {
        "charges": {unit: _charge_dict(charge) for unit, charge in found.charges.items()},
        "fits": not found.obstacles,
        "obstacles": [{"code": code, "text": text} for code, text in found.obstacles],
    }


def _charge_dict(charge: Charge) -> dict[str, int]:
    """Rho in billionths, delta in millionths of a billionth."""
    return {"rho": charge.rho, "delta": charge.delta}
