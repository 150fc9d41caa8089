"""Run a function over every block of a huge n-dimensional volume, in the right order, to the end.

This package contains the engine of Bellis with its command `bellis`, and what a worker of a run needs:

    import bellis

    for block in bellis.blocks():
        with block:                      # an exception in here is a failed attempt at this block
            work(block.read_roi, block.write_roi, block.config)
"""

from ._client import BellisError, Block, ConnectionLost, ProtocolError, Refused, Roi, __version__, blocks
from ._client import run as run_blocks

__all__ = [
    "BellisError",
    "Block",
    "ConnectionLost",
    "ProtocolError",
    "Refused",
    "Roi",
    "__version__",
    "blocks",
    "run_blocks",
]
