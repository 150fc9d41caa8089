"""The worker of a test of Daisy: counts itself. The first one does one block and has had enough; others do all, slowly."""

import sys
import time
from pathlib import Path

import daisy
from filelock import FileLock

folder = Path(sys.argv[1])
counter = folder / "worker_count"
with FileLock(folder / "worker_count.lock"):
    number = int(counter.read_text()) + 1
    counter.write_text(str(number))
client = block = daisy.Client()
while block is not None:
    with client.acquire_block() as block:
        time.sleep(0.2)
    if number == 1:
        break
