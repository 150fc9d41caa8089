"""Writes PNG images and stacks of them with imagecodecs, and beside each, as NAME.npy, its voxels; expected.json names them all.
Usage: make-files.py FOLDER"""

import json
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile

folder = Path(sys.argv[1])
random = np.random.default_rng(7)
expected: dict[str, object] = {}


def keep(name, voxels):
    np.save(folder / f"{name}.npy", np.ascontiguousarray(voxels))
    expected[name] = {}


def smooth(dtype, shape):
    """Like a photograph, so that writers choose every filter."""
    ramps = sum(np.cos(np.arange(n) / (3 + i)).reshape([-1 if i == j else 1 for j in range(len(shape))]) for i, n in enumerate(shape))
    noise = random.normal(0, 0.05, shape)
    return ((ramps + noise - (ramps + noise).min()) / 8 * np.iinfo(dtype).max).astype(dtype)


for dtype in ("u1", "u2"):
    for samples in (1, 2, 3, 4):
        for level in (1, 9):
            voxels = smooth(dtype, (67, 53, samples) if samples > 1 else (67, 53))
            name = f"{dtype}-{samples}-{level}.png"
            (folder / name).write_bytes(imagecodecs.png_encode(voxels, level=level))
            keep(name, np.moveaxis(voxels, -1, 0) if samples > 1 else voxels)

# Slices, by the numbers in their names; a pattern; colours.
stack = smooth("u1", (12, 20, 30))
for suffix in ("png", "tif"):
    (folder / f"stack-{suffix}").mkdir()
    for z, plane in enumerate(stack):
        path = folder / f"stack-{suffix}" / f"slice{z}.{suffix}"
        if suffix == "png":
            path.write_bytes(imagecodecs.png_encode(plane))
        else:
            tifffile.imwrite(path, plane, photometric="minisblack", compression="zlib", metadata=None)
    keep(f"stack-{suffix}", stack)
    (folder / f"stack-{suffix}" / "notes.txt").write_text("not a slice")
np.save(folder / "pattern.npy", stack[:10])
colours = smooth("u2", (4, 20, 30, 3))
(folder / "colours").mkdir()
for z, plane in enumerate(colours):
    (folder / "colours" / f"{z:03}.png").write_bytes(imagecodecs.png_encode(plane))
keep("colours", colours.transpose(3, 0, 1, 2))
(folder / "expected.json").write_text(json.dumps(expected))
