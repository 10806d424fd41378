"""``python -m examples.attacks [FILE]``: run every attack, print a table, write ``build/attacks.json``.

Exit code 1 if an attack succeeds on the protected consortium, or fails on the unprotected one.
"""

import json
import sys
from pathlib import Path

from examples.attacks.attacks import ATTACKS
from examples.attacks.run import as_json, outcome

TARGET = Path("build/attacks.json")


def main(target: Path) -> int:
    """Run all and write ``target``."""
    outcomes = []
    for attack in ATTACKS:
        made = outcome(attack)
        outcomes.append(made)
        unprotected = made.queries_until_success_unprotected
        print(
            f"{made.attack}: without {made.stopped_by} "
            f"{'never' if unprotected is None else f'found after {unprotected} queries'}; "
            f"protected: {'FOUND' if made.success_protected else 'fails'} "
            f"after {made.queries_protected} ({made.ended_protected})",
            flush=True,
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(as_json(outcomes), indent=1) + "\n", encoding="utf-8")
    print(f"wrote {target}")
    return 0 if all(each.is_as_it_must_be for each in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET))
