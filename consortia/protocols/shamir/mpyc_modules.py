"""MPyC, imported without what it does at import: it is optional here, and it takes itself for the program.

On import MPyC reads ``sys.argv``, and configures the root logger to write to standard output. Here it sees an empty
command line, and the logger is put back.
"""

import importlib
import logging
import sys
from typing import Any

from consortia.errors import OperatorError


def mpyc_module(name: str) -> Any:
    """The module ``mpyc.name``. Raises OperatorError ``shamir/not-installed``."""
    argv, handlers, level = sys.argv, list(logging.root.handlers), logging.root.level
    sys.argv = ["mpyc", "--no-log"]
    try:
        return importlib.import_module(f"mpyc.{name}")
    except ModuleNotFoundError as error:
        raise OperatorError(
            "shamir/not-installed",
            "the engine for more than one colluding computer needs MPyC, which is not installed here",
            remedy="install `consortia[shamir]` at every member that computes",
        ) from error
    finally:
        sys.argv = argv
        logging.root.handlers[:] = handlers
        logging.root.setLevel(level)
