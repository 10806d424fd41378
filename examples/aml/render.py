"""The example's policies, valid from a given day: a policy is valid for at most 90 days, an example for ever.

Only the three dates are changed, so that what is signed reads as the files in ``policies/`` do.
"""

import re
from datetime import date, timedelta
from pathlib import Path

POLICIES = Path(__file__).parent / "policies"
VALID_DAYS = 75
REVIEW_DAYS = 64


def policy_bytes(owner: str, today: date, purpose: str = "aml-detection", consortium: str = "") -> bytes:
    """The policy of ``owner`` for ``purpose``, valid for 75 days that begin the day before ``today``.

    The day before, since an example may run where it is still yesterday in UTC. ``consortium`` replaces the name of
    the consortium if it is given.
    """
    begin = today - timedelta(days=1)
    text = (POLICIES / f"{owner}.{purpose}.yaml").read_text()
    for key, days in (("not-before", 0), ("not-after", VALID_DAYS), ("review", REVIEW_DAYS)):
        text, count = re.subn(rf"(?m)^(  {key}: )\S+", rf"\g<1>{begin + timedelta(days=days)}", text)
        if count != 1:
            raise ValueError(f"`{key}` must stand once in the policy of {owner}")
    if consortium:
        text = re.sub(r"(?m)^(  consortium: )\S+", rf"\g<1>{consortium}", text)
    return text.encode()
