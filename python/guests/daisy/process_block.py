"""The worker of a test of Daisy: does all blocks, and holds a lock with its number for as long as it lives."""

import sys

import daisy
from filelock import FileLock

client = daisy.Client()
with FileLock(f"{sys.argv[1]}/worker_{client.worker_id}.lock"):
    block = client
    while block is not None:
        with client.acquire_block() as block:
            pass
