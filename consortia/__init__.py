"""Institutions compute on the union of their data and see nothing of each other's rows.

import consortia as cs
c = cs.connect("profile")
frame = c.sql("SELECT ...", purpose="aml-detection").collect()
"""

from typing import TYPE_CHECKING, Any

from consortia.version import __version__

if TYPE_CHECKING:
    from consortia.client.consortium import connect

__all__ = ["__version__", "connect"]


def __getattr__(name: str) -> Any:
    # The client is imported when it is used: a node or coordinator never loads it.
    if name == "connect":
        from consortia.client.consortium import connect  # noqa: PLC0415

        return connect
    raise AttributeError(name)
