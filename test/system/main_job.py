"""Compares what Bellis wrote with what h5py reads and SciPy computes: main_job.py SAMPLE FOLDER"""
import sys
from pathlib import Path

import h5py
import numpy as np
import tensorstore as ts
import zarr
from scipy.ndimage import gaussian_filter

sample, folder = sys.argv[1], Path(sys.argv[2])
with h5py.File(sample) as file:
    raw = file["volumes/raw"][:]
    ids = file["volumes/labels/neuron_ids"][:]
expected = {
    "out.zarr/volumes/raw": raw,
    "out.zarr/volumes/smoothed": gaussian_filter(raw, 2, mode="constant"),
    "two.zarr/volumes/neuron_ids": ids,
}
for path, values in expected.items():
    array = zarr.open_array(folder / path, mode="r")
    assert array.dtype == values.dtype and np.array_equal(array[:], values), f"zarr-python: {path}"
    driver = "zarr" if array.metadata.zarr_format == 2 else "zarr3"
    store = {"driver": "file", "path": str(folder / path)}
    read = ts.open({"driver": driver, "kvstore": store}, open=True, read=True).result().read().result()
    assert read.dtype == values.dtype and np.array_equal(read, values), f"tensorstore: {path}"
    group = zarr.open_group(folder / path.rsplit("/", 1)[0], mode="r")
    assert path.rsplit("/", 1)[1] in group, f"group of {path}"
print("all equal")
