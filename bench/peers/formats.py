"""Reads and writes one array in one thread, and prints the processor seconds of each, the best of some rounds, as JSON.

python formats.py tensorstore|zarrs|zarr PATH CODEC ROUNDS OUT
"""

import json
import shutil
import sys
import time

from arrays import OPENED, create, metadata_of, opened

library, path, codec, rounds, out = sys.argv[1:]
metadata = metadata_of(path)


def fastest(work):
    best = float("inf")
    for _ in range(int(rounds)):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def read():
    OPENED.pop((library, path), None)
    return opened(library, path)[:, :, :]


def write():
    shutil.rmtree(out, ignore_errors=True)
    create(out, metadata["shape"], metadata["data_type"], metadata["chunk_grid"]["configuration"]["chunk_shape"], codec)
    OPENED.pop((library, out), None)
    opened(library, out)[:, :, :] = voxels


voxels = read()
print(json.dumps({"read": fastest(read), "write": fastest(write)}))
