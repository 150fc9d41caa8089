"""Reads the volumes of FOLDER/index.json with tensorstore, and compares their voxels, voxel sizes and offsets. Prints how many there were.

    python read_arrays.py FOLDER
"""

import json
import os
import sys

import numpy as np
import tensorstore as ts

folder = sys.argv[1]
with open(os.path.join(folder, "index.json")) as file:
    entries = json.load(file)
for entry in entries:
    store = ts.open({"driver": "neuroglancer_precomputed", "kvstore": {"driver": "file", "path": os.path.join(folder, entry["container"]) + "/"}}).result()
    found = store.read().result().T
    if len(entry["shape"]) == 3:
        found = found[0]
    expected = np.fromfile(os.path.join(folder, entry["data"]), entry["dtype"]).reshape(entry["shape"])
    assert found.dtype == expected.dtype, (entry["container"], found.dtype)
    assert found.tobytes() == expected.tobytes(), entry["container"]
    unit = 1000 if entry["voxelSize"][0] > 1000 else 1
    sizes = [size.multiplier * unit for size in store.dimension_units[:3]][::-1]
    assert sizes == entry["voxelSize"], (entry["container"], sizes)
    starts = [start * size for start, size in zip(store.domain.origin[:3], entry["voxelSize"][::-1])][::-1]
    assert starts == entry["offset"], (entry["container"], starts)
print(len(entries))
