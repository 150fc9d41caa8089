"""hdf5_kinds.py DIR: HDF5 files as people have them, and hdf5.json with what h5py reads from each."""

import ctypes
import glob
import json
import os
import sys

import h5py
import hdf5plugin
import numpy as np
from h5py import h5d, h5f, h5p, h5s, h5t
from kinds import expect, finish

os.chdir(sys.argv[1])
libraries = glob.glob(os.path.join(os.path.dirname(h5py.__file__), "..", "h5py.libs", "libhdf5-*"))
hdf5 = ctypes.CDLL(libraries[0])
rng = np.random.default_rng(11)


def judged(kind, path, inner, **facts):
    with h5py.File(path) as f:
        expect(kind, f"{path}/{inner}", f[inner][...], **facts)


NEVER = "HDF5: chunks never written (fill time `never`, no fill value)"
with h5py.File("never.h5", "w", libver=("v110", "latest")) as f:
    f.create_dataset("one-piece", (9, 7), ">i4", fill_time="never", fillvalue=5)
    d = f.create_dataset("grown", (6, 5, 4), "f8", maxshape=(None, 5, 4), chunks=(2, 5, 3), fill_time="never", fillvalue=2.5)
    d[2:3, 1] = 8
    d.resize((11, 5, 4))
    d = f.create_dataset("checked", (41,), ">u2", chunks=(8,), fill_time="never", fletcher32=True, shuffle=True)
    d[17:19] = 40000
    d = f.create_dataset("blosc", (20, 20), "f4", chunks=(8, 8), fill_time="never", fillvalue=3, **hdf5plugin.Blosc())
    d[9:12, 3:5] = -1
    d = f.create_dataset("set", (20, 20), "i2", chunks=(8, 8), fillvalue=-3)
    d[9:12, 3:5] = 77
    d = f.create_dataset("shrunk", (20, 20), "u1", maxshape=(30, 30), chunks=(8, 8), fill_time="never", compression="gzip")
    d[...] = 200
    d.resize((9, 9))
    d.resize((30, 30))
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk((4, 4))
    assert hdf5.H5Pset_fill_value(ctypes.c_int64(plist.id), ctypes.c_int64(h5t.STD_U8LE.id), None) >= 0
    d = h5py.Dataset(h5d.create(f.id, b"undefined", h5t.STD_U8LE, h5s.create_simple((10, 10)), plist))
    d[1, 1] = 9
for inner in ("one-piece", "grown", "checked", "blosc", "set", "shrunk", "undefined"):
    judged(NEVER, "never.h5", inner)

# Virtual datasets
SOURCE = "HDF5: a source of a virtual dataset is missing, too small, unreadable, or has a filter that the HDF5 library lacks"
os.makedirs("parts of it")
with h5py.File("parts of it/a 1.h5", "w") as f:
    f["g/x"] = np.arange(64, dtype="u2").reshape(8, 8)
    f["g/other type"] = np.arange(64, dtype=">f4").reshape(8, 8)
    f.create_dataset("zstd", data=np.ones((8, 8), "u2"), chunks=(4, 4), **hdf5plugin.Zstd())
    f.create_dataset("gzip", data=np.full((8, 8), 3, "u2"), chunks=(4, 4), compression="gzip")
    f["soft"] = h5py.SoftLink("/g/x")
    f.create_dataset("empty", (0, 8), "u2", maxshape=(None, 8))
    layout = h5py.VirtualLayout(shape=(8, 8), dtype="u2")
    layout[:4] = h5py.VirtualSource("gone.h5", "x", shape=(4, 8))
    f.create_virtual_dataset("nested", layout, fillvalue=4)
with open("parts of it/text.h5", "w") as f:
    f.write("x" * 4096)
with open("parts of it/a 1.h5", "rb") as f, open("parts of it/cut.h5", "wb") as cut:
    cut.write(f.read(1000))
sources = {
    "soft": ("parts of it/a 1.h5", "soft", None), "gzip": ("./parts of it/a 1.h5", "gzip", None), "other-type": ("parts of it/a 1.h5", "g/other type", None),
    "zstd": ("parts of it/a 1.h5", "zstd", r"zstd.*HDF5 filter 32015"), "group": ("parts of it/a 1.h5", "g", r"\"g\" in .*a 1\.h5.*not a dataset"),
    "no-group": ("parts of it/a 1.h5", "h/x", r"a 1\.h5.*h/x"), "no-file": ("parts of it/a 2.h5", "g/x", r"a 2\.h5.*missing"),
    "text": ("parts of it/text.h5", "g/x", r"text\.h5.*not an HDF5 file"), "cut": ("parts of it/cut.h5", "g/x", r"cut\.h5"),
    "empty": ("parts of it/a 1.h5", "empty", r"\(0, 8\)"), "nested": ("parts of it/a 1.h5", "nested", r"gone\.h5"),
}
for name, (file, inner, error) in sources.items():
    layout = h5py.VirtualLayout(shape=(12, 8), dtype="u2")
    layout[2:10] = h5py.VirtualSource(file, inner, shape=(8, 8))
    with h5py.File("virtual.h5", "a", libver=("v110", "latest")) as f:
        f.create_virtual_dataset(name, layout, fillvalue=6)
    if error is None:
        judged(SOURCE, "virtual.h5", name)
    else:
        expect(SOURCE, f"virtual.h5/{name}", error=error)

# Sources that are counted up: HDF5 reads those up to the first that is missing.
NUMBERED = "HDF5: sources of a virtual dataset that are counted up (`%b`)"


def numbered(name, file, dataset):
    some = h5s.UNLIMITED
    target, source = h5s.create_simple((4, 3, 4), (some, 3, 4)), h5s.create_simple((1, 3, 4))
    target.select_hyperslab((0, 0, 0), (some, 1, 1), (1, 1, 1), (1, 3, 4))
    source.select_hyperslab((0, 0, 0), (1, 1, 1), None, (1, 3, 4))
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_fill_value(np.array(-7, "i4"))
    plist.set_virtual(target, file.encode(), dataset.encode(), source)
    with h5py.File("numbered.h5", "a", libver="latest") as f:
        h5d.create(f.id, name.encode(), h5t.STD_I32LE, h5s.create_simple((4, 3, 4), (some, 3, 4)), plist)


for kind in ("complete", "gap", "text", "cut", "zstd", "small", "group", "100%"):
    for number in range(4):
        part = np.arange(12, dtype="i4").reshape(1, 3, 4) + 100 * number
        path = f"{kind}-{number}.h5"
        with h5py.File(path, "w") as f:
            if number == 2 and kind == "zstd":
                f.create_dataset("d", data=part, chunks=part.shape, **hdf5plugin.Zstd())
            elif number == 2 and kind in ("small", "group"):
                f["d" if kind == "small" else "e"] = part[:, :2]
            else:
                f["d"] = part
        if number == 2 and kind == "gap":
            os.remove(path)
        if number == 2 and kind in ("text", "cut"):
            with open(path, "rb") as f:
                start = f.read(900)
            with open(path, "wb") as f:
                f.write(start if kind == "cut" else b"x" * 900)
    numbered(kind, f"{kind.replace('%', '%%')}-%b.h5", "d")
with h5py.File("numbered.h5", "a", libver="latest") as f:
    for number in (0, 1, 2):
        f[f"own {number}"] = np.full((1, 3, 4), number)
numbered("own", ".", "own %b")
numbered("elsewhere", "../100%%-%b.h5", "d")
numbered("elsewhere, folder", "../scan %b/d.h5", "d")
for name in ("complete", "gap", "group", "100%", "own"):
    judged(NUMBERED, "numbered.h5", name)
for name, error in (
    ("text", r"text-2\.h5.*not an HDF5 file"), ("cut", r"cut-2\.h5.*truncated"), ("zstd", r"zstd-2\.h5/d.*zstd"), ("small", r"small-2\.h5/d.*\(1, 2, 4\)"),
    ("elsewhere", r"--allow-external"), ("elsewhere, folder", r"--allow-external"),
):
    expect(NUMBERED, f"numbered.h5/{name}", error=error)

RAW = "HDF5: external raw files that are missing or too short"
np.arange(100, dtype="u1").tofile("raw-100.bin")
for name, shape, parts, error in (
    ("exact", (10, 10), [("raw-100.bin", 0, 100)], None),
    ("turned", (10, 10), [("raw-100.bin", 60, 40), ("raw-100.bin", 0, 60)], None),
    ("short", (10, 10), [("raw-100.bin", 1, 100)], r"raw-100\.bin.*too short: expected 10\d bytes, got (99|100)"),
    ("third", (10, 10), [("raw-100.bin", 0, 50), ("raw-100.bin", 50, 20), ("none.bin", 0, 30)], r"none\.bin.*missing"),
    ("beyond", (10, 10), [("raw-100.bin", 200, 100)], r"raw-100\.bin.*too short"),
):
    with h5py.File("raw.h5", "a") as f:
        f.create_dataset(name, shape, "u1", external=parts, fillvalue=9)
    if error is None:
        judged(RAW, "raw.h5", name)
    else:
        expect(RAW, f"raw.h5/{name}", error=error)

MASKS = "HDF5: filter masks, and edges stored without filters"
with h5py.File("masks.h5", "w", libver=("v110", "latest")) as f:
    d = f.create_dataset("gzip", data=np.arange(105, dtype=">u2").reshape(15, 7), chunks=(4, 4), compression="gzip", shuffle=True, fletcher32=True)
    # without the shuffling; without all
    import zlib
    d.id.write_direct_chunk((4, 0), np.arange(16, dtype=">u2").tobytes(), filter_mask=7)
    d = f.create_dataset("bitshuffle", data=np.arange(64, dtype="i8").reshape(8, 8), chunks=(8, 4), **hdf5plugin.Bitshuffle())
    d.id.write_direct_chunk((0, 4), np.arange(32, dtype="i8").tobytes(), filter_mask=1)
    d = f.create_dataset("no-shuffle", data=np.arange(64, dtype="i4").reshape(8, 8), chunks=(8, 4), compression="gzip", shuffle=True)
    d.id.write_direct_chunk((0, 4), zlib.compress(np.arange(32, dtype="i4").tobytes()), filter_mask=1)
    plist = h5p.create(h5p.DATASET_CREATE)
    plist.set_chunk((3, 4, 5))
    plist.set_shuffle()
    plist.set_deflate(1)
    assert hdf5.H5Pset_chunk_opts(ctypes.c_int64(plist.id), ctypes.c_uint(2)) >= 0
    d = h5py.Dataset(h5d.create(f.id, b"edges", h5t.IEEE_F32BE, h5s.create_simple((7, 9, 11), (h5s.UNLIMITED, 9, 11)), plist))
    d[...] = rng.random((7, 9, 11))
    # at the edge, a part of a chunk that became whole
    d.resize((9, 9, 11))
    d[7:, 2] = 5
for inner in ("gzip", "bitshuffle", "no-shuffle", "edges"):
    judged(MASKS, "masks.h5", inner)

FILTERS = "HDF5: lzf, blosc, blosc2, bitshuffle, lz4, zstd, bzip2"
with h5py.File("filters.h5", "w") as f:
    smooth = (np.add.outer(np.arange(300), np.arange(70)) % 97)
    for name, dtype, options in (
        ("lzf-line", ">i2", {"compression": "lzf"}), ("snappy", "<f4", hdf5plugin.Blosc(cname="snappy", shuffle=2)), ("zlib", "u1", hdf5plugin.Blosc(cname="zlib", shuffle=0, clevel=9)),
        ("stored", "i8", hdf5plugin.Blosc(clevel=0)), ("blosc2-delta", "u4", hdf5plugin.Blosc2(cname="zstd", filters=hdf5plugin.Blosc2.DELTA)),
        ("blosc2-trunc", "f4", hdf5plugin.Blosc2(cname="lz4", filters=hdf5plugin.Blosc2.TRUNC_PREC)), ("bits-zstd", "u2", hdf5plugin.Bitshuffle(cname="zstd", clevel=9)),
        ("bits-none", ">f8", hdf5plugin.Bitshuffle(cname="none")), ("lz4", "?", hdf5plugin.LZ4(nbytes=100)), ("zstd-max", "u8", hdf5plugin.Zstd(clevel=19)), ("bzip2", "<i2", hdf5plugin.BZip2(blocksize=9)),
        ("complex-off", "f2", hdf5plugin.Zstd()),
    ):
        try:
            f.create_dataset(name, data=smooth.astype(dtype), chunks=(64, 33), **options)
        except (ValueError, OSError, RuntimeError):
            del f[name]
    # of many blocks
    for dtype in ("u1", "<i2", ">f8"):
        options = hdf5plugin.Blosc2(cname="lz4", clevel=1, filters=hdf5plugin.Blosc2.DELTA)
        f.create_dataset(f"blosc2-delta-{dtype[-2:]}", data=rng.integers(0, 9, 300_000).astype(dtype), chunks=(200_000,), **options)
with h5py.File("filters.h5") as f:
    names = list(f)
assert len(names) > 9
for name in names:
    judged(FILTERS, "filters.h5", name)
with h5py.File("lossy.h5", "w") as f:
    # a filter of Blosc 2 that nobody has
    d = f.create_dataset("unknown", data=np.arange(900, dtype="u2"), chunks=(900,), **hdf5plugin.Blosc2(filters=hdf5plugin.Blosc2.DELTA))
    chunk = bytearray(d.id.read_direct_chunk((0,))[1])
    chunk[int.from_bytes(chunk[11:15], "big") + 21] = 77
    d.id.write_direct_chunk((0,), bytes(chunk))
    for name, options in (("zfp", hdf5plugin.Zfp(reversible=True)), ("sz3", hdf5plugin.SZ3(absolute=0.1)), ("sperr", hdf5plugin.Sperr(rate=8))):
        f.create_dataset(name, data=rng.random((32, 32, 32)).astype("f4"), chunks=(32, 32, 32), **options)
for name, error in (("unknown", r"can't decode \(0\): its Blosc 2 data has the filter 77\. Rewrite it once"), ("zfp", r"zfp"), ("sz3", r"sz3"), ("sperr", r"32028")):
    expect(FILTERS, f"lossy.h5/{name}", error=error)

LINKS = "HDF5: links and sources that moved along, or lie behind symbolic links"
os.makedirs("moved/below")
os.makedirs("seen")
with h5py.File("moved/below/data.h5", "w") as f:
    f["a/b"] = np.full((3, 3), 41, "u1")
    f["back"] = h5py.ExternalLink("../linked.h5", "/own")
with h5py.File("moved/linked.h5", "w") as f:
    f["own"] = np.full((3, 3), 42, "u1")
    f["through"] = h5py.ExternalLink("below/data.h5", "/a")
    f["there-and-back"] = h5py.ExternalLink("below/data.h5", "back")
    f["soft"] = h5py.SoftLink("through/b")
    f["moved"] = h5py.ExternalLink("/home/somebody/scans/linked.h5", "/own")
    layout = h5py.VirtualLayout(shape=(2, 3, 3), dtype="u1")
    layout[0] = h5py.VirtualSource("/mnt/old/linked.h5", "own", shape=(3, 3))
    layout[1] = h5py.VirtualSource(".", "own", shape=(3, 3))
    f.create_virtual_dataset("stack", layout, fillvalue=9)
os.symlink("../moved/linked.h5", "seen/first.h5")
os.symlink("first.h5", "seen/second.h5")
os.symlink("moved", "folder")
for path in ("moved/linked.h5", "folder/linked.h5", "seen/first.h5", "seen/second.h5"):
    for inner in ("through/b", "there-and-back", "soft", "moved", "stack"):
        # h5py is the judge also of what is not found.
        try:
            with h5py.File(path) as f:
                voxels = f[inner][...]
        except (KeyError, OSError):
            expect(LINKS, f"{path}/{inner}", error=".")
            continue
        if (voxels == 9).any():
            expect(LINKS, f"{path}/{inner}", error=".")
        else:
            expect(LINKS, f"{path}/{inner}", voxels)

CHANNELS = "HDF5: channels last, by dimension labels or `axistags`"
with h5py.File("channels.h5", "w") as f:
    for name, axes, labels, tags in (
        ("plane", "yxc", "yxc", None), ("film", "tzyxc", ["t", "z", "y", "x", "c"], None), ("middle", "zcyx", None, "zcyx"), ("both", "zyxc", "zyxc", "zyxc"),
        ("upper", "zyxc", ["Z", "Y", "X", "C"], None), ("words", "zyxc", ["z", "y", "x", "Channels"], None),
    ):
        shape = [{"t": 2, "c": 3, "z": 4, "y": 5, "x": 6}[axis] for axis in axes]
        d = f.create_dataset(name, data=np.arange(np.prod(shape), dtype="f4").reshape(shape))
        for i, label in enumerate(labels or ()):
            d.dims[i].label = label
        if tags is not None:
            d.attrs["axistags"] = json.dumps({"axes": [{"key": key, "typeFlags": 1 if key == "c" else 2} for key in tags]})
        # Time without a length of its steps is a channel, too.
        order = sorted(range(len(axes)), key=lambda i: "tczyx".index(axes[i]))
        expect(CHANNELS, f"channels.h5/{name}", d[...].transpose(order))


def letters(text):
    return np.frombuffer(text.encode(), "S1")


IMARIS = "HDF5 of Imaris: voxels that fill up chunks beyond the image"
for number, (shape, chunk, dtype, extents, unit) in enumerate((
    ((3, 7, 5), (2, 4, 4), "u1", [("0", "5"), ("0", "14"), ("-1", "2")], "um"),
    ((1, 16, 9), (1, 16, 16), "f4", [("0.5", "5"), ("2", "10"), ("0", "3")], "um"),
    ((9, 3, 3), (8, 8, 8), ">u4", [("1", "2.5"), ("0", "3e0"), ("0", "1.8")], "nm"),
)):
    path, inner = f"image-{number}.ims", "DataSet/ResolutionLevel 0/TimePoint 0/Channel 0/Data"
    voxels = rng.integers(0, 200, shape).astype(dtype)
    with h5py.File(path, "w") as f:
        padded = [-(-length // part) * part for length, part in zip(shape, chunk)]
        data = f.create_dataset(inner, padded, dtype, chunks=chunk, compression="gzip")
        data[:] = 99
        data[tuple(map(slice, shape))] = voxels
        for axis, length in zip("ZYX", shape):
            data.parent.attrs[f"ImageSize{axis}"] = letters(str(length))
        image = f.create_group("DataSetInfo/Image")
        for i, (start, end) in enumerate(extents):
            image.attrs[f"ExtMin{i}"], image.attrs[f"ExtMax{i}"] = letters(start), letters(end)
        image.attrs["Unit"] = letters(unit)
    factor = 1000 if unit == "um" else 1
    sizes = [(float(end) - float(start)) / length * factor for (start, end), length in zip(extents, shape[::-1])][::-1]
    expect(IMARIS, f"{path}/{inner}", voxels, voxel_size=sizes, offset=[float(start) * factor for start, _ in extents][::-1])

BDV = "HDF5 of BigDataViewer: uint16 stored as int16"
for name, size, unit, factors, sizes in (
    ("two words.h5", "0.406 0.406 2", "micrometer", [[1, 1, 1], [2, 2, 1]], [[2000, 406, 406], [2000, 812, 812]]),
    ("bdv.hdf5", "4 4 40", "nm", [[1, 1, 1], [4, 4, 2]], [[40, 4, 4], [80, 16, 16]]),
    ("pixels.h5", "1 1 1", "pixel", [[1, 1, 1]], [[1, 1, 1]]),
):
    voxels = rng.integers(0, 65536, (4, 8, 12), dtype="u2")
    with h5py.File(name, "w") as f:
        f["s00/resolutions"] = np.array(factors, "f8")
        f["s00/subdivisions"] = np.full((len(factors), 3), 4, "i4")
        for level, (fx, fy, fz) in enumerate(factors):
            small = np.ascontiguousarray(voxels[::fz, ::fy, ::fx])
            f.create_dataset(f"t00001/s00/{level}/cells", data=small.view("i2"), chunks=(2, 2, 3), compression="gzip", shuffle=True)
            expect(BDV, f"{name}/t00001/s00/{level}/cells", small, voxel_size=sizes[level])
    stem = name.rsplit(".", 1)[0]
    with open(f"{stem}.xml", "w") as xml:
        xml.write(f"""<?xml version="1.0" encoding="UTF-8"?>
<SpimData version="0.2"><BasePath type="relative">.</BasePath><SequenceDescription><ImageLoader format="bdv.hdf5"><hdf5 type="relative">{name}</hdf5></ImageLoader>
<ViewSetups><ViewSetup><id>0</id><voxelSize><unit>{unit}</unit><size>{size}</size></voxelSize></ViewSetup></ViewSetups></SequenceDescription></SpimData>""")
finish("hdf5.json")
