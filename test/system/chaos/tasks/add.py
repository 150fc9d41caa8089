# Adds 100 to every voxel.
import os
import sys

import zarr

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../../clients/python"))
import bellis

arrays = {}


def opened(path, mode):
    if path not in arrays:
        arrays[path] = zarr.open_array(path, mode=mode)
    return arrays[path]


for block in bellis.blocks():
    with block:
        source = opened(block.config["input"], "r")
        target = opened(block.config["output"], "r+")
        place = block.write_roi.to_slices(block.config["voxelSize"])
        target[place] = source[place] // 2 + 100
