"""Writes main.h5, whose voxels are in parts/p0.h5, parts/p1.h5 and itself, and raw.h5, whose voxels are in a plain file."""
import sys

import h5py
import numpy as np

folder = sys.argv[1]
shape = (40, 60, 50)
voxels = np.random.default_rng(3).integers(1, 2**16, (3, *shape)).astype(np.uint16)
for i in range(2):
    with h5py.File(f"{folder}/parts/p{i}.h5", "w") as file:
        file.create_dataset("x", data=voxels[i], chunks=(10, 20, 25), compression="gzip" if i else None)
with h5py.File(f"{folder}/main.h5", "w") as file:
    file["own"] = voxels[2]
    layout = h5py.VirtualLayout((3, *shape), np.uint16)
    for i in range(2):
        layout[i] = h5py.VirtualSource(f"parts/p{i}.h5", "x", shape)
    layout[2] = h5py.VirtualSource(".", "own", shape)
    file.create_virtual_dataset("all", layout)
    away = h5py.VirtualLayout(shape, np.uint16)
    away[:] = h5py.VirtualSource("/nowhere/p0.h5", "x", shape)
    file.create_virtual_dataset("away", away)
with h5py.File(f"{folder}/raw.h5", "w") as file:
    file.create_dataset("raw", shape=(4,), dtype="u1", external=[(f"{folder}/voxels.raw", 0, 4)])
voxels.tofile(f"{folder}/voxels.bin")
