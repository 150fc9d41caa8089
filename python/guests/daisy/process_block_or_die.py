"""The worker of a test of Daisy: the first one leaves a mark and dies, later ones do all blocks."""

import sys
from pathlib import Path

import daisy

mark = Path(sys.argv[1]) / "worker_crashed"
if not mark.exists():
    mark.touch()
    sys.exit(1)
client = block = daisy.Client()
while block is not None:
    with client.acquire_block() as block:
        pass
