# Processes the blocks of a Gaussian filter with SciPy and zarr: started by task.ts, or by hand with BELLIS_CONTEXT set.
import os
import sys

import numpy
import zarr
from scipy.ndimage import gaussian_filter

# The client is one file; after `pip install clients/python`, this line is not needed.
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../clients/python"))
import bellis

arrays = {}
FEMTOMETRES = {"nm": 1_000_000, "pm": 1_000, "fm": 1}


def open_array(block, name, mode):
    path = block.path(block.config[name])
    if path not in arrays:
        arrays[path] = zarr.open_array(path, mode=mode)
    return arrays[path]


def placement(block, array):
    """Voxel size and offset of an array that Bellis has written, in the unit of the block's Rois: zarr itself does not know them."""
    scales = [FEMTOMETRES[unit] / FEMTOMETRES[block.unit] for unit in array.attrs["units"]]
    return [[round(v * scale) for v, scale in zip(array.attrs[name], scales)] for name in ("voxel_size", "offset")]


for block in bellis.blocks():
    with block:
        source, target = open_array(block, "input", "r"), open_array(block, "output", "r+")
        voxel_size, offset = placement(block, target)
        read = block.read_roi.to_slices(voxel_size, offset)
        write = block.write_roi.to_slices(voxel_size, offset)
        # Slices are cut at the end of the volume, where the filter assumes 0, as it would for the complete volume.
        smoothed = gaussian_filter(numpy.asarray(source[read]), block.config["sigma"], mode="constant", truncate=4.0)
        target[write] = smoothed[tuple(slice(w.start - r.start, w.stop - r.start) for w, r in zip(write, read))]
