"""The coordinator's view of manifest and cards, read again when its trust folder has changed."""

import threading

from consortia.coordinator.directory import Directory
from consortia.trust.home import CoordinatorHome


class LiveDirectory:
    """Call it for the present directory; a card accepted while the coordinator runs counts from the next call."""

    def __init__(self, home: CoordinatorHome) -> None:
        self._home = home
        self._lock = threading.Lock()
        self._stamp = 0
        self._directory: Directory | None = None

    def __call__(self) -> Directory:
        with self._lock:
            # Accepting writes this file last, so a new stamp means that all documents are in place.
            stamp = (self._home.trust.path / "accepted.json").stat().st_mtime_ns if self._directory else 0
            if self._directory is None or stamp != self._stamp:
                trusted = self._home.trusted()
                self._directory = Directory(trusted.manifest, trusted.cards)
                self._stamp = (self._home.trust.path / "accepted.json").stat().st_mtime_ns
            return self._directory
