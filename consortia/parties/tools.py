"""What a session uses of its node: who it is, where it remembers, whom it talks to, and who does the work."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from consortia.control.connection import ControlConnection
from consortia.parties.config import PartyLimits
from consortia.parties.store import Store
from consortia.parties.transport.mesh import Listener
from consortia.parties.work import Work
from consortia.trust.envelope import Signer


@dataclass(frozen=True, slots=True)
class Tools:
    """One node's tools, shared by all its sessions."""

    member: str
    store: Store
    control: ControlConnection
    work: Work
    signer: Signer
    listener: Listener
    limits: PartyLimits
    approval_validity: timedelta
    hold_time: timedelta
    clock: Callable[[], datetime]
    keys_folder: Path
    results_key: bytes = field(repr=False)
    software: str

    def result_key_path(self, session: str) -> Path:
        """Where the private one-time key of a session lies while it runs."""
        return self.keys_folder / f"{session}.pem"
