"""make-indexes.py DIR: HDF5 datasets with every kind of chunk index, large enough for pages and several levels.

Prints a list of {file, name, shape, boxes: [{offset, shape, sha256}]}: hashes of voxels as h5py reads them, little-endian.
"""

import hashlib
import json
import os
import sys

import h5py
import numpy as np

os.chdir(sys.argv[1])
random = np.random.default_rng(1)
answers = []


def voxels(shape, dtype):
    return (np.arange(np.prod(shape)).reshape(shape) * 7 % 251 + random.integers(0, 3, shape)).astype(dtype)


def add(f, name, data, skip=0, **options):
    """Every `skip`th row of chunks is never written."""
    dataset = f.create_dataset(name, data.shape, data.dtype, **options)
    step = dataset.chunks[0]
    for number, start in enumerate(range(0, len(data), step)):
        if skip == 0 or number % skip != 0:
            dataset[start : start + step] = data[start : start + step]
    return dataset


FILTERS = dict(
    gzip=dict(compression="gzip"),
    shuffled=dict(compression="gzip", shuffle=True),
    all=dict(compression="gzip", shuffle=True, fletcher32=True),
    checked=dict(fletcher32=True),
    shuffle=dict(shuffle=True),
)
for version in ("earliest", "latest"):
    with h5py.File(f"{version}-index.h5", "w", libver=(version, "latest")) as f:
        for dtype in ("u1", "<i2", ">u2", "<f4", ">f4", "<u8", ">f8", "?"):
            for name, options in FILTERS.items():
                add(f, f"{name}-{dtype}", voxels((9, 14, 11), dtype), chunks=(4, 5, 11), fillvalue=1, **options)
        # More chunks than fit into a page, a node or the first data blocks.
        wide = voxels((2400, 6), "<u2")
        kinds = {
            "fixed": None,
            "fixed-larger": (5000, 9),
            "extensible": (None, 6),
            "extensible-second": (9000, None),
            "btree": (None, None),
        }
        for kind, maxshape in kinds.items():
            options = dict(chunks=(2, 3), compression="gzip", fillvalue=300)
            f.create_dataset(kind, data=wide, maxshape=maxshape, **options)
            add(f, f"{kind}-gaps", wide[:60], 3, maxshape=maxshape, **options)
        # Chunks without neighbours: pages, data blocks and nodes of which most is missing.
        for kind, maxshape in kinds.items():
            most = maxshape and (maxshape[0] and 400_000, maxshape[1])
            options = dict(chunks=(2, 3), compression="gzip", maxshape=most)
            sparse = f.create_dataset(f"{kind}-sparse", (400_000, 6), "<u2", **options)
            for start in (0, 29, 3000, 131_067, 399_990):
                sparse[start : start + 3] = wide[start % 2000 : start % 2000 + 3]
        deep = dict(chunks=(1, 1), maxshape=(None, None), compression="gzip")
        f.create_dataset("deep", data=voxels((9000, 1), "u1"), **deep)
        add(f, "single", voxels((30, 20), "<i4"), chunks=(30, 20), compression="gzip", shuffle=True)
        f.create_dataset("single-unwritten", (30, 20), "<i4", chunks=(30, 20), compression="gzip", fillvalue=-5)
        grown = add(f, "grown", voxels((10, 6), "<u2"), chunks=(4, 4), maxshape=(None, None), compression="gzip")
        grown.resize((900, 40))
        grown[890:] = 77
        shrunk = add(f, "shrunk", voxels((60, 60), "<u2"), chunks=(8, 8), maxshape=(None, 80), compression="gzip")
        shrunk.resize((31, 13))
        masked = add(f, "masked", voxels((8, 6), "<u2"), chunks=(4, 6), compression="gzip", shuffle=True, fletcher32=True)
        masked.id.write_direct_chunk((0, 0), (np.arange(24, dtype="<u2") * 3).tobytes(), filter_mask=7)
        if version == "latest":
            four = voxels((5, 4, 9, 7), ">i2")
            add(f, "four-axes", four, chunks=(2, 2, 4, 3), maxshape=(5, None, 9, 7), compression="gzip", shuffle=True)
    with h5py.File(f"{version}-small.h5", "w", libver=(version, "latest")) as f:
        for kind, maxshape in kinds.items():
            options = dict(chunks=(2, 3), maxshape=maxshape, compression="gzip", fillvalue=300)
            add(f, kind, wide[:50], 5, **options)
        add(f, "single", voxels((50, 6), "<u2"), chunks=(50, 6), compression="gzip", shuffle=True, fletcher32=True)
with h5py.File("user-block-index.h5", "w", userblock_size=1024) as f:
    add(f, "gzip", voxels((9, 14, 11), "<u2"), chunks=(4, 5, 11), compression="gzip")
with open("user-block-index.h5", "r+b") as raw:
    raw.write(b"# not HDF5 yet")

FILES = [*(f"{version}-{kind}.h5" for version in ("earliest", "latest") for kind in ("index", "small")), "user-block-index.h5"]
for file in FILES:
    with h5py.File(file) as f:
        for name, dataset in f.items():
            shape = dataset.shape
            boxes = [((0,) * len(shape), shape), (tuple(min(3, n - 1) for n in shape), tuple(max(1, n - 4) for n in shape))]
            if name.endswith("sparse"):
                boxes = [((start, 1), (17, 5)) for start in (0, 20, 2990, 131_060, 399_980)]
            answer = dict(file=file, name=name, shape=shape, boxes=[])
            for offset, size in boxes:
                data = dataset[tuple(slice(a, a + n) for a, n in zip(offset, size))]
                little = np.ascontiguousarray(data.astype(data.dtype.newbyteorder("<")))
                answer["boxes"].append(dict(offset=offset, shape=size, sha256=hashlib.sha256(little.tobytes()).hexdigest()))
            answers.append(answer)
json.dump(answers, sys.stdout)
