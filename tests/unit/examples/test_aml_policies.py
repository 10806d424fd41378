"""The example's policy files: every example decision that stands in them, and that they say the same for all banks."""

import re
from pathlib import Path

import pytest

from consortia.plans.catalogue_file import read_catalogue
from consortia.policies.coverage import coverage
from consortia.policies.examples import decide_examples
from consortia.policies.language.parse import read_policy
from consortia.policies.questions import supposed
from examples.aml.consortium import BANKS, HERE

FILES = sorted((HERE / "policies").glob("*.yaml"))
CATALOGUE = read_catalogue((HERE / "catalogue.yaml").read_text(), key_ids={"customer": "aa", "account": "bb"})
EXACT = {"joint-models", "open-statistics", "peer-norms", "watchlist-match"}
"""Purposes whose policies grant what their examples need, and nothing else."""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_policy_says_what_its_examples_expect(file: Path) -> None:
    loaded = read_policy(file.read_bytes())
    world = supposed([loaded.policy], CATALOGUE, [example.submitter for example in loaded.policy.examples])
    decided = decide_examples(loaded, world)
    assert [(one.example.name, one.said) for one in decided if not one.passed] == []
    assert decided
    if loaded.policy.purpose.code in EXACT:
        grants = [item for item in coverage(loaded, decided, world) if item.kind == "grant"]
        assert [item.name for item in grants if not item.example] == [], "granted, and no example needs it"


@pytest.mark.parametrize("purpose", sorted(EXACT))
def test_the_files_of_a_purpose_differ_by_the_bank_s_name_and_register_entries_alone(purpose: str) -> None:
    texts = set()
    for place, bank in enumerate(BANKS):
        text = (HERE / "policies" / f"{bank}.{purpose}.yaml").read_text()
        other = list(BANKS)[(place + 1) % len(BANKS)]
        text = re.sub(r"(dpia|register-entry): \S+", r"\1: entry", text.replace(f'"{other}"', '"other"'))
        texts.add(text.replace(bank, "BANK").replace("[BANK, ", "[").replace(", BANK", ""))
    banks = re.compile(r"\[[a-z, -]*bank-[a-z, -]*\]")
    assert len({banks.sub("[banks]", text) for text in texts}) == 1
