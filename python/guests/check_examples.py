"""Runs the examples and compares what they write with the same on the whole volume at once."""

import subprocess
import sys

import numpy as np
import zarr
from scipy import ndimage
from skimage.feature import multiscale_basic_features


def example(name, *arguments):
    subprocess.run([sys.executable, f"{name}.py", *arguments], check=True)


def stored(path):
    return zarr.open_array(path, mode="r")[:]


raw = stored("my.zarr/raw")

for _ in range(2):
    example("smooth", "my.zarr/raw", "smooth.zarr", "2")
expected = ndimage.gaussian_filter(raw.astype("float32"), (1, 2, 2), mode="nearest").round().astype(raw.dtype)
assert np.array_equal(stored("smooth.zarr"), expected)

example("chain", "my.zarr/raw", "once.zarr", "twice.zarr", "2")
once = ndimage.gaussian_filter(raw, 1, mode="nearest")
assert np.array_equal(stored("once.zarr"), once)
assert np.array_equal(stored("twice.zarr"), ndimage.gaussian_filter(once, 1, mode="nearest"))

# Trained on one part of the volume: bright after smoothing or not, as the features have it.
part = raw[:24, :40, :40]
features = multiscale_basic_features(part.astype("float32") / 255, sigma_min=1, sigma_max=2)
wanted = np.where(ndimage.gaussian_filter(part.astype("float32"), 2) > 128, 1.0, -1.0).ravel()
rows = np.column_stack([features.reshape(-1, features.shape[-1]), np.ones(part.size)])
solution = np.linalg.lstsq(rows, wanted, rcond=None)[0]
np.savez("weights.npz", weights=solution[:-1], bias=solution[-1])
example("model", "my.zarr/raw", "weights.npz", "classes.zarr", "2")
classes = stored("classes.zarr")
agree = classes == (ndimage.gaussian_filter(raw.astype("float32"), 2) > 128)
assert set(np.unique(classes)) == {0, 1} and agree.mean() > 0.8, agree.mean()

example("cells", "my.zarr/raw", "cells.zarr", "2")
cells = stored("cells.zarr/cells")
expected, count = ndimage.label(ndimage.gaussian_filter(raw.astype("float32"), 1, mode="nearest") > 0.5 * 255)
both = np.unique(np.stack([cells[expected > 0], expected[expected > 0].astype("uint64")]), axis=1)
assert np.array_equal(cells > 0, expected > 0)
assert both.shape[1] == count == len(np.unique(both[0])) and count > 1, (both.shape, count)
