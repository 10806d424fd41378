"""The node's end of a computing process: started for one run, told what to compute, and killed with the session."""

import subprocess
import sys
from typing import IO

from consortia.errors import OperatorError
from consortia.parties.shamir.pipe import Message, raised, read, write

MODULE = "consortia.parties.shamir.process"


class ComputingProcess:
    """One process of this host; ``close`` may be called by any thread and ends it at once."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter and module
            [sys.executable, "-m", MODULE], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def tell(self, message: Message) -> None:
        """Send a message; raises OperatorError ``shamir/process`` if the process is gone."""
        try:
            write(self._pipe(self._process.stdin), message)
        except OSError as error:
            raise self._gone() from error

    def hear(self, expected: str) -> Message:
        """The next message, which must be of this kind; raises what the process failed with."""
        message = self.hear_any()
        if message.kind != expected:
            raise self._gone()
        return message

    def hear_any(self) -> Message:
        """The next message; raises what the process failed with, OperatorError ``shamir/process`` if it is gone."""
        message = read(self._pipe(self._process.stdout))
        if message is None:
            raise self._gone()
        if message.kind == "failed":
            raise raised(message)
        return message

    def close(self) -> None:
        """End the process and wait for it."""
        self._process.kill()
        self._process.wait()

    def finish(self, seconds: float) -> None:
        """Let the process send what is left and end by itself; end it after ``seconds``."""
        self._pipe(self._process.stdin).close()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.close()

    def _gone(self) -> OperatorError:
        status = self._process.poll()
        how = "" if status is None else f" with status {status}"
        return OperatorError(
            "shamir/process",
            f"the computing process of this node ended{how} before its work was done",
            remedy="look at the node's log; a process that is killed has mostly lacked memory",
        )

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        if pipe is None:
            raise OperatorError("shamir/process", "the computing process has no pipe")
        return pipe
