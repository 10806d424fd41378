"""``consortia policy accept``: take the policies of the exchange folder into a home."""

from consortia.cli.options import FolderArgument, HomeOption, ProfileOption, believer, exchange_folder, now
from consortia.cli.output import JsonOption, emit, note, table
from consortia.policies.language.parse import LoadedPolicy, read_policy
from consortia.policies.signed import accept, owner_and_purpose
from consortia.trust.envelope import Envelope
from consortia.trust.notices import standing, take_notices

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
    """Take the policies, revocations and stops in the folder that members exchange into this home.

    Each policy must be in force and follow the one held; a revoked one is passed over. The first that is not as it
    must be stops the command, and no policy of the folder is taken.
    """
    exchange = exchange_folder(folder)
    reader = believer(home, profile, None)
    trusted = reader.trusted()
    notices = take_notices(reader.trust, exchange, trusted, now())
    revoked = standing(reader.trust, trusted.manifest).revoked
    held = set(reader.trust.policies())
    taken: list[tuple[LoadedPolicy, Envelope]] = []
    for folder_name, file_name in exchange.policies():
        envelope = exchange.policy(folder_name, file_name)
        # The policy's own text says whose it is; the names of folder and file are not signed.
        owner, purpose = owner_and_purpose(envelope)
        if (owner, read_policy(envelope.payload_bytes()).digest) in revoked:
            continue
        before = reader.trust.policy(owner, purpose) if (owner, purpose) in held else None
        taken.append((accept(envelope, before, trusted, now(), revoked), envelope))
    rows = []
    for loaded, envelope in taken:
        owner, purpose = loaded.policy.identity.owner, loaded.policy.purpose.code
        reader.trust.write_policy(owner, purpose, envelope)
        rows.append((owner, purpose, str(loaded.policy.identity.version), loaded.digest))
    emit(
        {
            "accepted": [dict(zip(("owner", "purpose", "version", "fingerprint"), row, strict=True)) for row in rows],
            "notices": [notice.model_dump(mode="json") for notice in notices],
        },
        table(("owner", "purpose", "version", "fingerprint"), rows),
        json=json,
    )
    for notice in notices:
        note(f"taken: a {notice.type.split('/')[1]}: {notice.reason}")
