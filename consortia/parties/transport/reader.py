"""The bytes that come in on a non-blocking socket, read ahead so that a small frame costs one call to the kernel.

Whoever waits polls for some microseconds before it sleeps: in a round of small messages the peer's answer is on its
way, and waking a thread (on a virtual machine: a processor) takes longer than most answers do. Between two polls the
processor is given to whoever else wants to run.
"""

import os
import select
import socket
import time

from consortia.errors import NoProgress, PeerError

READ_AHEAD = 16 * 1024
"""Bytes that may be read beyond those asked for."""
SPIN = 200e-6
"""Seconds of polling before sleep."""


class Reader:
    """One thread at a time reads."""

    def __init__(self, peer: str, sock: socket.socket, silence: float, most: int) -> None:
        """``silence``: seconds to hear nothing from ``peer``; ``most``: bytes that are asked for at a time."""
        self._peer = peer
        self._socket = sock
        self._silence = silence
        self._view = memoryview(bytearray(most + READ_AHEAD))
        self._start = self._end = 0
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)

    def take(self, count: int, step: str) -> memoryview:
        """The next ``count`` bytes, good until the next call.

        Raises PeerError ``transport/closed`` if the peer is gone, NoProgress ``transport/silent`` after the limit.
        """
        if self._end - self._start < count:
            self._fill(count, step)
        start = self._start
        self._start = start + count
        return self._view[start : start + count]

    def _fill(self, count: int, step: str) -> None:
        have = self._end - self._start
        if self._start:
            self._view[:have] = self._view[self._start : self._end]
            self._start, self._end = 0, have
        while self._end < count:
            try:
                self._wait(step)
                got = self._socket.recv_into(self._view[self._end : count + READ_AHEAD])
            except BlockingIOError:
                continue
            except (OSError, ValueError) as error:
                raise closed(self._peer, getattr(error, "strerror", None) or "connection lost", step) from error
            if got == 0:
                raise closed(self._peer, "it closed the connection", step)
            self._end += got

    def _wait(self, step: str) -> None:
        poll = self._poll.poll
        if poll(0):
            return
        began = time.monotonic()
        while time.monotonic() - began < SPIN:
            os.sched_yield()
            if poll(0):
                return
        if not poll(1000 * self._silence):
            raise NoProgress(
                "transport/silent",
                f"nothing came from `{self._peer}` for {self._silence:g} s",
                place=step,
                remedy=f"ask the operator of `{self._peer}` whether its node runs and the network is up",
            )


def closed(peer: str, why: str, step: str = "") -> PeerError:
    """What a connection that is gone raises."""
    return PeerError(
        "transport/closed",
        f"the connection to `{peer}` is gone: {why}",
        place=step,
        remedy=f"ask the operator of `{peer}` to look at its node, then run again",
    )
