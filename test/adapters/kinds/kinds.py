"""What the scripts beside this one share: each adds datasets as people have them, and what the reference library of their format reads."""

import json
import os

import numpy as np

listed = []


def expect(kind, path, voxels=None, *, error=None, warning=None, voxel_size=None, offset=None):
    """A dataset with these voxels, or one that is refused with a message that fits a regular expression.

    `kind` is the first column of the table in docs/DATA-PATH.md; sizes and offsets are in nm, those of the last axes."""
    entry = {"kind": kind, "path": path, "error": error, "warning": warning, "voxelSize": voxel_size, "offset": offset}
    if voxels is not None:
        voxels = np.asarray(voxels)
        little = np.ascontiguousarray(voxels).astype(voxels.dtype.newbyteorder("<"))
        name = f"{len(listed)}-{os.getpid()}.bin"
        little.tofile(name)
        entry |= {"voxels": name, "shape": voxels.shape, "dtype": voxels.dtype.name}
    listed.append(entry)


def write_json(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump(value, file)


def write_bytes(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(value)


def finish(name):
    with open(name, "w") as file:
        json.dump(listed, file)
