"""Compares what `bellis demo` made with h5py and SciPy: python demo.py FOLDER"""

import sys

import h5py
import numpy as np
import zarr
from scipy.ndimage import gaussian_filter

folder = sys.argv[1]
made = zarr.open(f"{folder}/sample.zarr", mode="r")
with h5py.File(f"{folder}/sample.hdf") as sample:
    raw = sample["volumes/raw"][:]
    labels = sample["volumes/labels/neuron_ids"][:]
sigma = (0.5, 2, 2)
once = gaussian_filter(raw, sigma, mode="constant")
twice = gaussian_filter(once, sigma, mode="constant")
expected = {"raw": raw, "labels/neuron_ids": labels, "smoothed": once, "smoothed_twice": twice}
for name, values in expected.items():
    got = made[f"volumes/{name}"]
    assert got.dtype == values.dtype and got.shape == values.shape, (name, got.dtype, got.shape)
    different = int(np.count_nonzero(got[:] != values))
    assert different == 0, f"{name}: {different} voxels differ"
print("all equal")
