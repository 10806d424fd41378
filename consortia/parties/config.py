"""party.yaml: the settings of a node. Who it is and whom it trusts stands in its home folder, not here.

home: .                      # the member's home folder, relative to this file
listen: 127.0.0.1:7101       # the data plane; the address in the card must lead here
coordinator: ""              # host:port if another than the manifest's leads there (a tunnel, say)
health: 127.0.0.1:7191       # optional: /healthz, /readyz and /metrics over HTTP
approval_minutes: 15         # how long this node's approvals are valid
hold_hours: 72               # how long a session waits for officers before it ends
limits: {connect_seconds: 10, silence_seconds: 60, control: {closed_seconds: 8}}
memory_megabytes: 1024       # what the local stage's database may use; more is an error, and nothing is shared
computing_ports: 7300-7307   # for sessions with colluding computers, one each; any free port if left out
"""

from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consortia.control.diagnosis import split_endpoint
from consortia.control.limits import ControlLimits, Seconds
from consortia.errors import OperatorError


class PartyLimits(BaseModel):
    """Seconds: to reach a peer, to hear nothing from it, and the limits of the control plane."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connect_seconds: Seconds = 9.0
    silence_seconds: Seconds = 60.0
    control: ControlLimits = ControlLimits()


class PartyConfig(BaseModel):
    """The settings, with ``home`` made absolute."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    home: Path
    listen: str
    coordinator: str = ""
    health: str = ""
    approval_minutes: Annotated[int, Field(ge=1, le=1440)] = 15
    hold_hours: Annotated[int, Field(ge=1, le=168)] = 72
    most_sessions: Annotated[int, Field(ge=1, le=1000)] = 8
    memory_megabytes: Annotated[int, Field(ge=64, le=1 << 20)] = 1024
    computing_ports: Annotated[str, Field(pattern=r"^([1-9][0-9]{0,4}-[1-9][0-9]{0,4})?$")] = ""
    limits: PartyLimits = PartyLimits()

    def ports(self) -> tuple[int, int]:
        """First and last of the computing ports; (0, 0) for any."""
        first, _, last = self.computing_ports.partition("-")
        return (int(first), int(last)) if first else (0, 0)


def read_config(path: Path) -> PartyConfig:
    """The settings in the file ``path``.

    Raises OperatorError ``parties/config`` naming the setting at fault, ``control/endpoint`` for a bad address.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        config = PartyConfig.model_validate(content)
    except OSError as error:
        raise _wrong(path, f"it can't be read: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _wrong(path, "it is not YAML in UTF-8") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise _wrong(path, f"`{where}`: {first['msg'].lower()}") from error
    for endpoint in (config.listen, config.coordinator, config.health):
        if endpoint:
            split_endpoint(endpoint)
    return config.model_copy(update={"home": (path.parent / config.home).resolve()})


def _wrong(path: Path, why: str) -> OperatorError:
    return OperatorError(
        "parties/config",
        f"the settings of the node are wrong: {why}",
        place=str(path),
        remedy="compare the file with the example in docs/operators.md",
    )
