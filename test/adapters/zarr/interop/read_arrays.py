"""Reads arrays that Bellis wrote with zarr-python 3 and tensorstore, and compares them with their data.

    python read_arrays.py FOLDER

FOLDER/index.json lists {"container", "inner", "dtype", "shape", "fill", "data", "zarrFormat", "tensorstore", "ours"}, as
write_arrays.py makes it; the last three are the version, whether tensorstore can read it, and whether Bellis made its metadata too.
Prints a line for every difference, and the number of arrays last.
"""

import json
import os
import sys
import warnings

import numpy as np
import tensorstore as ts
import zarr

folder = sys.argv[1]


def same(a, b):
    a = a.astype(a.dtype.newbyteorder("<"))
    return a.shape == b.shape and a.dtype == b.dtype and np.ascontiguousarray(a).tobytes() == np.ascontiguousarray(b).tobytes()


def check(entry):
    path = os.path.join(folder, entry["container"], entry["inner"])
    expected = np.fromfile(os.path.join(folder, entry["data"]), dtype=entry["dtype"]).reshape(entry["shape"])
    array = zarr.open_array(path, mode="r", zarr_format=entry["zarrFormat"])
    if not same(array[...], expected):
        return "zarr-python reads other data"
    if not entry["ours"]:  # Only its chunks are.
        return None
    fill = np.array(array.fill_value, array.dtype)
    wanted = np.array(float(entry["fill"]) if expected.dtype.kind == "f" else int(entry["fill"])).astype(expected.dtype) if entry["fill"] != str(2**64 - 1) else np.array(2**64 - 1, "u8")
    if fill.tobytes() != wanted.tobytes():
        return f"zarr-python's fill value is {fill}, not {wanted}"
    group = zarr.open_group(os.path.join(folder, entry["container"]), mode="r")
    if not same(group[entry["inner"]][...], expected):
        return "zarr-python reads other data through the group"
    driver = "zarr" if entry["zarrFormat"] == 2 else "zarr3"
    if entry["tensorstore"]:
        store = ts.open({"driver": driver, "kvstore": {"driver": "file", "path": path + "/"}}).result()
        if not same(store[...].read().result(), expected):
            return "tensorstore reads other data"
    return None


with open(os.path.join(folder, "index.json")) as file:
    entries = json.load(file)
for entry in entries:
    try:
        with warnings.catch_warnings():
            # A warning counts as a complaint.
            warnings.simplefilter("error" if entry["ours"] else "ignore")
            problem = check(entry)
    except Exception as error:
        problem = f"{type(error).__name__}: {error}"
    if problem is not None:
        print(f"{entry['container']}/{entry['inner']}: {problem}")
print(len(entries))
