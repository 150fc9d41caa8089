"""Reads the arrays that index.json lists from a zip file, with zarr-python and with tensorstore.

    python read_zips.py FILE INDEX
"""

import json
import sys

import numpy as np
import tensorstore as ts
import zarr
from zarr.storage import ZipStore

path = sys.argv[1]
entries = json.load(open(sys.argv[2]))
with ZipStore(path, mode="r") as store:
    root = zarr.open_group(store, mode="r")
    for entry in entries:
        expected = np.fromfile(entry["data"], entry["dtype"]).reshape(entry["shape"])
        assert root[entry["inner"]].dtype == expected.dtype, entry
        assert root[entry["inner"]][...].tobytes() == expected.tobytes(), entry
for entry in entries:
    expected = np.fromfile(entry["data"], entry["dtype"]).reshape(entry["shape"])
    driver = "zarr" if entry["zarrFormat"] == 2 else "zarr3"
    kvstore = {"driver": "zip", "base": {"driver": "file", "path": path}, "path": entry["inner"] + "/"}
    read = ts.open({"driver": driver, "kvstore": kvstore}, read=True).result().read().result()
    assert read.tobytes() == expected.tobytes(), entry
print(len(entries))
