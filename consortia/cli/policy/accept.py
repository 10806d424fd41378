"""``consortia policy accept``: take the policies of the exchange folder into a home."""

from consortia.cli.options import FolderArgument, HomeOption, ProfileOption, believer, exchange_folder, now
from consortia.cli.output import JsonOption, emit, table
from consortia.policies.language.parse import LoadedPolicy
from consortia.policies.signed import accept, owner_and_purpose
from consortia.trust.envelope import Envelope

EXAMPLES = (
    "consortia policy accept ./exchange --home ./bank-a",
    "consortia policy accept ./exchange --profile ./bank-a/people/ana --json",
)


def command(
    folder: FolderArgument,
    home: HomeOption = None,
    profile: ProfileOption = None,
    json: JsonOption = False,
) -> None:
    """Take the policies in the folder that members exchange into this home.

    Each must be in force and follow the one held. The first that is not as it must be stops the command, and nothing
    of the folder is taken.
    """
    exchange = exchange_folder(folder)
    reader = believer(home, profile, None)
    trusted = reader.trusted()
    held = set(reader.trust.policies())
    taken: list[tuple[LoadedPolicy, Envelope]] = []
    for folder_name, file_name in exchange.policies():
        envelope = exchange.policy(folder_name, file_name)
        # The policy's own text says whose it is; the names of folder and file are not signed.
        owner, purpose = owner_and_purpose(envelope)
        before = reader.trust.policy(owner, purpose) if (owner, purpose) in held else None
        taken.append((accept(envelope, before, trusted, now()), envelope))
    rows = []
    for loaded, envelope in taken:
        owner, purpose = loaded.policy.identity.owner, loaded.policy.purpose.code
        reader.trust.write_policy(owner, purpose, envelope)
        rows.append((owner, purpose, str(loaded.policy.identity.version), loaded.digest))
    emit(
        {"accepted": [dict(zip(("owner", "purpose", "version", "fingerprint"), row, strict=True)) for row in rows]},
        table(("owner", "purpose", "version", "fingerprint"), rows),
        json=json,
    )
