"""``consortia policy explain``: a policy on one page in plain English."""

from consortia.cli.output import JsonOption, emit
from consortia.cli.policy.arguments import FileArgument
from consortia.policies.explain import explain, sentences
from consortia.policies.language.parse import read_policy
from consortia.trust.folder import read_policy_file

EXAMPLES = (
    "consortia policy explain bank-a.aml-detection.yaml",
    "consortia policy explain bank-a.aml-detection.yaml --json",
)


def command(file: FileArgument, json: JsonOption = False) -> None:
    """Say on one page, in plain English, what a policy permits, to whom, what it never permits, and what is off."""
    loaded = read_policy(read_policy_file(file).payload_bytes())
    emit(
        {
            "policy": loaded.policy.identity.id,
            "fingerprint": loaded.digest,
            "sentences": [{"section": s.section, "text": s.text, "rule": s.rule} for s in sentences(loaded)],
        },
        explain(loaded).rstrip("\n"),
        json=json,
    )
