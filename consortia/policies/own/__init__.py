"""The owner's own part of a verdict, one rule a module: what only the owner knows, and what can only narrow."""

from consortia.policies.own.case import OwnCase, OwnFinding, OwnRule, PastCharge, Standing
from consortia.policies.own.data import tables_needed
from consortia.policies.own.decide import RULES, OwnVerdict, decide_own

__all__ = [
    "RULES",
    "OwnCase",
    "OwnFinding",
    "OwnRule",
    "OwnVerdict",
    "PastCharge",
    "Standing",
    "decide_own",
    "tables_needed",
]
