"""Reads the datasets of FOLDER/index.json with tensorstore, and compares their voxels and voxel sizes. Prints how many there were.

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
    store = ts.open({"driver": "n5", "kvstore": {"driver": "file", "path": os.path.join(folder, "a.n5", entry["inner"]) + "/"}}).result()
    found = store.read().result().T
    expected = np.fromfile(os.path.join(folder, entry["data"]), entry["dtype"]).reshape(entry["shape"])
    assert found.dtype == expected.dtype, (entry["inner"], found.dtype)
    assert found.tobytes() == expected.tobytes(), entry["inner"]
    sizes = [unit.multiplier * {"nm": 1, "um": 1000}[unit.base_unit] for unit in store.dimension_units][::-1]
    assert np.allclose(sizes, entry["voxelSize"]), (entry["inner"], sizes)
print(len(entries))
