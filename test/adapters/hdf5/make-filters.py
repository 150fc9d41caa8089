"""make-filters.py DIR: HDF5 datasets with filters that HDF5 itself lacks, and what h5py with hdf5plugin reads from them.

Writes filters.h5 (found by B-trees of version 1) and latest.h5 (all other ways of finding chunks), and prints a list of
{file, name, shape, dtype, bytes}: the voxels in base64, little-endian.
"""

import base64
import ctypes
import glob
import json
import os
import sys

import h5py
import hdf5plugin
import numpy as np
from h5py import h5d, h5p, h5s

os.chdir(sys.argv[1])
libraries = glob.glob(os.path.join(os.path.dirname(h5py.__file__), "..", "h5py.libs", "libhdf5-*"))
hdf5 = ctypes.CDLL(libraries[0])
random = np.random.default_rng(5)

FILTERS = {
    "lzf": {"compression": "lzf"},
    "lzf-shuffle-checked": {"compression": "lzf", "shuffle": True, "fletcher32": True},
    "lz4": hdf5plugin.LZ4(),
    "lz4-blocks": hdf5plugin.LZ4(nbytes=512),
    "zstd": hdf5plugin.Zstd(clevel=5),
    "zstd-shuffle": {**hdf5plugin.Zstd(), "shuffle": True},
    "bzip2": hdf5plugin.BZip2(blocksize=1),
    "bzip2-shuffle": {**hdf5plugin.BZip2(), "shuffle": True},
}
for cname in ("none", "lz4", "zstd"):
    for nelems in (0, 64):
        FILTERS[f"bitshuffle-{cname}-{nelems}"] = hdf5plugin.Bitshuffle(nelems=nelems, cname=cname)
for cname in ("blosclz", "lz4", "lz4hc", "snappy", "zlib", "zstd"):
    for shuffle in (0, 1, 2):
        FILTERS[f"blosc-{cname}-{shuffle}"] = hdf5plugin.Blosc(cname=cname, clevel=5, shuffle=shuffle)
for cname in ("blosclz", "lz4", "lz4hc", "zlib", "zstd"):
    for filters in (0, 1, 2):
        FILTERS[f"blosc2-{cname}-{filters}"] = hdf5plugin.Blosc2(cname=cname, clevel=5, filters=filters)


def content(kind, shape, dtype):
    if kind == "few":
        return random.integers(0, 50, shape).astype(dtype)
    if kind == "zero":
        return np.zeros(shape, dtype)
    if kind == "same":
        return np.full(shape, 7, dtype)
    if kind == "ramp":
        return np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    size = np.prod(shape) * np.dtype(dtype).itemsize
    return np.frombuffer(random.bytes(size), np.dtype(dtype).str.replace("f", "u")).reshape(shape).astype(dtype)


SHAPES = [((23, 19, 11), (8, 7, 5)), ((40, 33), (16, 16)), ((301,), (64,))]
KINDS = ["few", "zero", "same", "noise", "ramp"]
DTYPES = ["|u1", "<u2", ">u2", "<f4", ">f8", "<i8", "?"]
with h5py.File("filters.h5", "w", libver=("earliest", "v108")) as f:
    n = 0
    for name, options in FILTERS.items():
        for kind in KINDS:
            shape, chunk = SHAPES[n % 3]
            dtype = DTYPES[n % 7]
            n += 1
            data = content(kind, shape, dtype)
            f.create_dataset(f"{name}/{kind}", data=data, chunks=chunk, **options)
    # parts that were never written, with and without a fill value, and a filter that was left out
    for name, options in (("lzf", FILTERS["lzf"]), ("zstd", FILTERS["zstd"]), ("blosc", FILTERS["blosc-lz4-1"])):
        for fill in (0, 9):
            for time in ("ifset", "never", "alloc"):
                d = f.create_dataset(f"sparse/{name}-{fill}-{time}", (50, 20), "<u2", chunks=(8, 8), fillvalue=fill, fill_time=time, **options)
                d[9:20, 3:12] = content("ramp", (11, 9), "<u2")
    d = f.create_dataset("mask/lzf", (16, 16), "|u1", chunks=(8, 8), compression="lzf", shuffle=True, fletcher32=True)
    d[...] = content("few", (16, 16), "u1")
    d.id.write_direct_chunk((0, 8), bytes(range(64)), filter_mask=7)
    # only the shuffling: of bytes, it changes nothing
    d.id.write_direct_chunk((8, 0), bytes(range(64, 128)), filter_mask=6)
    # another tool may store one chunk of a dataset as it is
    d = f.create_dataset("mask/zstd", (16, 16), "<u2", chunks=(8, 8), **hdf5plugin.Zstd())
    d[...] = content("few", (16, 16), "<u2")
    d.id.write_direct_chunk((8, 8), content("ramp", (8, 8), "<u2").tobytes(), filter_mask=1)
    f.create_dataset("virtual-source", data=content("few", (16, 16), "|u1"), chunks=(8, 8), compression="lzf")

with h5py.File("latest.h5", "w", libver=("v110", "v110")) as f:
    options = FILTERS["lzf"]
    places = {
        "single": ((9, 8), (9, 8), (9, 8)),
        "single-part": ((5, 8), (9, 8), (9, 8)),
        "fixed": ((40, 33), (40, 33), (7, 5)),
        "fixed-larger": ((20, 33), (60, 40), (7, 5)),
        "fixed-pages": ((70, 70), (70, 70), (2, 2)),
        "extensible-0": ((40, 13), (None, 13), (7, 5)),
        "extensible-1": ((13, 40), (20, None), (7, 5)),
        "extensible-last": ((3, 4, 50), (9, 4, None), (2, 3, 5)),
        "extensible-middle": ((3, 50, 4), (9, None, 8), (2, 5, 3)),
        "extensible-many": ((2500,), (None,), (1,)),
        "extensible-large": ((160000,), (None,), (2,)),
        "tree": ((40, 33), (None, None), (7, 5)),
        "tree-deep": ((70, 70), (None, None), (1, 2)),
    }
    for name, (shape, maxshape, chunk) in places.items():
        if name == "extensible-large":
            # only some chunks, in blocks that are read by pages
            d = f.create_dataset(name, shape, "|u1", maxshape=maxshape, chunks=chunk, fillvalue=3, **options)
            for at in (0, 3, 4, 5, 77, 4000, 20000, 65536, 100000, 131071, 159999):
                d[at] = at % 251
            continue
        f.create_dataset(name, data=content("few", shape, "<u2"), maxshape=maxshape, chunks=chunk, **options)
    for name, maxed in (("edges-fixed", (20, 20)), ("edges-tree", (None, None)), ("edges-extensible", (None, 20))):
        plist = h5p.create(h5p.DATASET_CREATE)
        plist.set_chunk((8, 8))
        plist.set_filter(hdf5plugin.Zstd.filter_id, h5py.h5z.FLAG_OPTIONAL, (3,))
        assert hdf5.H5Pset_chunk_opts(ctypes.c_int64(plist.id), ctypes.c_uint(2)) >= 0
        limits = tuple(h5s.UNLIMITED if n is None else n for n in maxed)
        d = h5py.Dataset(h5d.create(f.id, name.encode(), h5py.h5t.STD_U16LE, h5s.create_simple((20, 20), limits), plist))
        d[...] = content("few", (20, 20), "<u2")
    f.create_dataset("grown", data=content("few", (10, 10), "<u2"), maxshape=(None, 10), chunks=(4, 4), **options)
    f["grown"].resize((21, 10))
    f["grown"][15:21] = 5
    f["grown"].resize((18, 10))

answers = []
for file in ("filters.h5", "latest.h5"):
    with h5py.File(file, "r") as f:
        names = []
        f.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        for name in names:
            voxels = f[name][...]
            little = np.ascontiguousarray(voxels.astype(voxels.dtype.newbyteorder("<")))
            text = base64.b64encode(little.tobytes()).decode()
            answers.append({"file": file, "name": name, "shape": voxels.shape, "dtype": str(voxels.dtype.newbyteorder("=")), "bytes": text})
print(json.dumps(answers))
