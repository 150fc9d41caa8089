"""make-unwritten.py DIR: HDF5 datasets of which parts were never written, and what h5py reads from them.

Writes unwritten.h5, earliest.h5 and their sources to DIR, and prints a list of {file, name, shape, dtype, bytes}: the voxels in
hexadecimal, little-endian, as h5py reads them; or {file, name, error} where it can't.
"""

import ctypes
import glob
import json
import os
import sys

import h5py
import numpy as np
from h5py import h5d, h5p, h5s, h5t

os.chdir(sys.argv[1])

# h5py lacks two functions of HDF5; its own copy of the library has them.
libraries = glob.glob(os.path.join(os.path.dirname(h5py.__file__), "..", "h5py.libs", "libhdf5-*"))
hdf5 = ctypes.CDLL(libraries[0])
NEVER, IFSET = h5d.FILL_TIME_NEVER, h5d.FILL_TIME_IFSET
EARLY, LATE, INCREMENTAL = h5d.ALLOC_TIME_EARLY, h5d.ALLOC_TIME_LATE, h5d.ALLOC_TIME_INCR
TYPES = {"u1": h5t.STD_U8LE, "<u2": h5t.STD_U16LE, ">u2": h5t.STD_U16BE, ">f4": h5t.IEEE_F32BE, "<f8": h5t.IEEE_F64LE}
FILLS = {"never": (NEVER, 9), "undefined": (IFSET, None), "never-undefined": (NEVER, None), "nine": (IFSET, 9)}


def properties(fill, dtype, chunk=None, alloc=None, filters=(), maxed=False):
    time, value = FILLS[fill]
    plist = h5p.create(h5p.DATASET_CREATE)
    if chunk is not None:
        plist.set_chunk(chunk)
    plist.set_fill_time(time)
    if value is None:
        assert hdf5.H5Pset_fill_value(ctypes.c_int64(plist.id), ctypes.c_int64(TYPES[dtype].id), None) >= 0
    else:
        plist.set_fill_value(np.array(value, dtype))
    if alloc is not None:
        plist.set_alloc_time(alloc)
    for name in filters:
        if name == "gzip":
            plist.set_deflate(4)
        elif name == "unfiltered-edges":
            assert hdf5.H5Pset_chunk_opts(ctypes.c_int64(plist.id), ctypes.c_uint(2)) >= 0
        elif name == "scaleoffset":
            plist.set_scaleoffset(h5py.h5z.SO_INT, 0)
        elif name == "nbit":
            plist.set_filter(5, 0, ())
        elif name == "szip":
            plist.set_szip(h5py.h5z.SZIP_NN_OPTION_MASK, 8)
        else:
            getattr(plist, f"set_{name}")()
    return plist


shape, chunk = (22, 13), (4, 5)
part = (np.arange(22 * 13).reshape(shape) % 199 + 1)
listed = []


def create(f, name, dtype, plist, maxshape=None, write=((0, 6),)):
    space = h5s.create_simple(shape, maxshape)
    dataset = h5py.Dataset(h5d.create(f.id, name.encode(), TYPES[dtype], space, plist))
    for first, last in write:
        dataset[first:last, 2:11] = part[first:last, 2:11].astype(dtype)
    listed.append((os.path.basename(f.filename), name))
    return dataset


for version in ("earliest", "latest"):
    with h5py.File(f"{version}.h5", "w", libver=(version, "latest")) as f:
        for fill in FILLS:
            for dtype in ("u1", ">u2", ">f4", "<f8"):
                for alloc, label in ((LATE, "late"), (EARLY, "early")):
                    if alloc == LATE or fill == "nine":
                        create(f, f"contiguous-{label}-{fill}-{dtype}", dtype, properties(fill, dtype, alloc=alloc), write=())
                create(f, f"chunked-{fill}-{dtype}", dtype, properties(fill, dtype, chunk))
                create(f, f"gzip-{fill}-{dtype}", dtype, properties(fill, dtype, chunk, filters=("shuffle", "gzip")))
                create(f, f"empty-{fill}-{dtype}", dtype, properties(fill, dtype, chunk), write=())
                create(f, f"one-chunk-{fill}-{dtype}", dtype, properties(fill, dtype, shape), write=())
            kinds = {
                "extensible": dict(maxshape=(h5s.UNLIMITED, 13)),
                "btree": dict(maxshape=(h5s.UNLIMITED, h5s.UNLIMITED)),
                "fixed": dict(maxshape=(40, 40)),
            }
            for kind, options in kinds.items():
                create(f, f"{kind}-{fill}", "<u2", properties(fill, "<u2", chunk), **options)
                gzip = properties(fill, "<u2", chunk, filters=("gzip",))
                create(f, f"{kind}-gzip-{fill}", "<u2", gzip, **options)
            for name in ("fletcher32", "scaleoffset", "nbit", "szip"):
                create(f, f"{name}-{fill}", "<u2", properties(fill, "<u2", (4, 8), filters=(name,)))
            edges = properties(fill, "<u2", chunk, filters=("gzip", "unfiltered-edges"))
            create(f, f"unfiltered-edges-{fill}", "<u2", edges, write=((0, 6), (19, 22)))
            filtered = properties(fill, "<u2", chunk, filters=("gzip",))
            create(f, f"edges-{fill}", "<u2", filtered, write=((0, 6), (19, 22)))
            # The second chunk is stored as it is, although the others are compressed.
            masked = create(f, f"masked-{fill}", "<u2", properties(fill, "<u2", chunk, filters=("gzip",)))
            masked.id.write_direct_chunk((0, 5), part[0:4, 5:10].astype("<u2").tobytes(), filter_mask=1)
            compact = properties(fill, "<u2")
            compact.set_layout(h5d.COMPACT)
            create(f, f"compact-{fill}", "<u2", compact, write=((0, 22),))
            # A virtual dataset with a gap, over a source with chunks that were never written.
            layout = h5py.VirtualLayout(shape=(30, 13), dtype="<u2")
            layout[4:26] = h5py.VirtualSource(".", f"/chunked-{fill}-u1", shape=shape)
            f.create_virtual_dataset(f"virtual-{fill}", layout, fillvalue=7 if fill == "nine" else None)
            listed.append((f"{version}.h5", f"virtual-{fill}"))

answers = []
for file, name in listed:
    with h5py.File(file) as f:
        try:
            voxels = f[name][...]
        except OSError as error:
            answers.append(dict(file=file, name=name, error=str(error)))
            continue
        little = voxels.astype(voxels.dtype.newbyteorder("<"))
        answers.append(dict(file=file, name=name, shape=voxels.shape, bytes=little.tobytes().hex()))
json.dump(answers, sys.stdout)
