"""zarr_kinds.py DIR: Zarr containers as people have them, and zarr.json with what zarr-python reads from each, or what was stored."""

import base64
import os
import shutil
import sys
import zipfile

import numcodecs
import numpy as np
import tensorstore as ts
import zarr
import zstandard
from kinds import expect, finish, write_bytes, write_json
from zarr.codecs import BytesCodec, GzipCodec, ShardingCodec, ZstdCodec

os.chdir(sys.argv[1])
bytes_64 = np.arange(64, dtype="u1")


def version_2(path, shape, dtype="|u1", chunks=None, **more):
    write_json(f"{path}/.zarray", {"zarr_format": 2, "shape": shape, "chunks": chunks or shape, "dtype": dtype, "compressor": None, "fill_value": 0, "order": "C", "filters": None} | more)


def version_3(path, shape, dtype="uint8", chunks=None, **more):
    grid = {"name": "regular", "configuration": {"chunk_shape": chunks or shape}}
    codecs = [{"name": "bytes", "configuration": {"endian": "little"}}]
    write_json(
        f"{path}/zarr.json",
        {"zarr_format": 3, "node_type": "array", "shape": shape, "data_type": dtype, "fill_value": 0, "attributes": {}, "chunk_grid": grid, "codecs": codecs}
        | {"chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}}} | more,
    )


FRAMES = "Zarr: chunks in Zstandard of several frames, frames that are skipped, frames without a size"
z = zstandard.ZstdCompressor()
sizeless = zstandard.ZstdCompressor(write_content_size=False, write_checksum=True)
skipped = b"\x5a\x2a\x4d\x18\x05\x00\x00\x00hello"
plain = (bytes_64 * 3).astype("u1").tobytes()
stream = z.compressobj()
pieces = {
    "three": z.compress(plain[:1]) + z.compress(plain[1:40]) + z.compress(plain[40:]),
    "skip-first": skipped + z.compress(plain), "skip-between": z.compress(plain[:9]) + skipped + skipped + sizeless.compress(plain[9:]), "skip-last": z.compress(plain) + skipped,
    "sizeless": sizeless.compress(plain), "stream": stream.compress(plain[:30]) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK) + stream.compress(plain[30:]) + stream.flush(),
    "empty-frame": z.compress(b"") + z.compress(plain) + z.compress(b""),
}
for name, data in pieces.items():
    version_2(f"frames2.zarr/{name}", [8, 8], compressor={"id": "zstd", "level": 1})
    write_bytes(f"frames2.zarr/{name}/0.0", data)
    zstd = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "zstd", "configuration": {"level": 3, "checksum": False}}]
    version_3(f"frames3.zarr/{name}", [8, 8], codecs=zstd)
    write_bytes(f"frames3.zarr/{name}/c/0/0", data)
    # inside a shard, whose index says how long each chunk is
    inner = {"chunk_shape": [8, 8], "codecs": zstd, "index_codecs": zstd[:1], "index_location": "end"}
    version_3(f"frames3.zarr/sharded-{name}", [8, 16], chunks=[8, 16], codecs=[{"name": "sharding_indexed", "configuration": inner}])
    write_bytes(f"frames3.zarr/sharded-{name}/c/0/0", data + np.array([2**64 - 1, 2**64 - 1, 0, len(data)], "<u8").tobytes())
    voxels = np.frombuffer(plain, "u1").reshape(8, 8)
    for path in (f"frames2.zarr/{name}", f"frames3.zarr/{name}"):
        expect(FRAMES, path, voxels)
    expect(FRAMES, f"frames3.zarr/sharded-{name}", np.hstack([np.zeros((8, 8), "u1"), voxels]))

TEXT = 'Zarr: fill values as text: `"0"`, `"NaN"`, `"0x7fc00000"`, base64'
for dtype, name, fill, value in (
    ("|u1", "uint8", "7", 7), ("<u8", "uint64", "18446744073709551615", 2**64 - 1), ("<f4", "float32", "NaN", np.nan), ("<f8", "float64", "-Infinity", -np.inf), ("<f4", "float32", "0.5", 0.5),
    ("<f4", "float32", "0x7fc00000", np.nan), ("<f8", "float64", "0x3ff8000000000000", 1.5), ("<i2", "int16", "-3", -3), ("<i2", "int16", base64.b64encode(np.array(258, "<i2").tobytes()).decode(), 258),
    ("|b1", "bool", "true", True), ("<i4", "int32", "5.0", 5), ("<f4", "float32", 3, 3), ("<i4", "int32", 4.0, 4), ("<u2", "uint16", None, 0), ("|b1", "bool", 1, True),
):
    inner = f"{name}-{len(os.listdir('fills2.zarr')) if os.path.exists('fills2.zarr') else 0}"
    version_2(f"fills2.zarr/{inner}", [3, 2], dtype, fill_value=fill)
    expect(TEXT, f"fills2.zarr/{inner}", np.full((3, 2), value, dtype[1:]))
    if fill is not None:
        version_3(f"fills3.zarr/{inner}", [3, 2], name, fill_value=fill)
        expect(TEXT, f"fills3.zarr/{inner}", np.full((3, 2), value, dtype[1:]))

FILTERS = "Zarr: delta, fixedscaleoffset, astype, quantize, bitround, packbits, shuffle, bz2, checksums"
wave = np.round(1000 * np.sin(np.arange(7 * 9 * 11) / 30)).reshape(7, 9, 11)
for name, dtype, filters, compressor in (
    ("delta-blosc", "<i2", [numcodecs.Delta("<i2")], numcodecs.Blosc("zstd", 3, 2)), ("delta-lz4", "<i4", [numcodecs.Delta("<i4", "<i2")], numcodecs.LZ4()),
    ("scale-delta", "<f8", [numcodecs.FixedScaleOffset(-1000, 1, "<f8", "<u2"), numcodecs.Delta("<u2")], numcodecs.Zlib(3)), ("quantize", "<f4", [numcodecs.Quantize(2, "<f4")], numcodecs.BZ2(5)),
    ("bits-line", "|b1", [numcodecs.PackBits()], None), ("bitround-double", "<f8", [numcodecs.BitRound(11)], numcodecs.Zstd(5)), ("shuffle-crc", "<i8", [numcodecs.Shuffle(8), numcodecs.CRC32()], numcodecs.GZip(1)),
    ("fletcher-xz", ">u2", [numcodecs.Fletcher32()], numcodecs.LZMA(preset=1)), ("astype-delta", "<f4", [numcodecs.AsType("<i2", "<f4"), numcodecs.Delta("<i2")], None),
):
    data = np.abs(wave).astype(dtype) if "u" in dtype else wave.astype(dtype)
    for order in "CF":
        array = zarr.create_array(f"filters.zarr/{name}-{order}", shape=data.shape, chunks=(4, 5, 6), dtype=dtype, filters=filters, compressors=compressor, zarr_format=2, order=order, fill_value=0)
        array[:5] = data[:5]
        expect(FILTERS, f"filters.zarr/{name}-{order}", array[...])

# numcodecs is built without snappy, tensorstore with it.
for name, dtype, shuffle in (("words", "<i2", 1), ("bits", "<f4", 2), ("plain", "<i2", 0)):
    voxels = np.tile(wave, (3, 4, 5)).astype(dtype)
    compressor = {"id": "blosc", "cname": "snappy", "clevel": 5, "shuffle": shuffle}
    version_2(f"filters.zarr/snappy-{name}", voxels.shape, dtype, compressor=compressor)
    ts.open({"driver": "zarr", "kvstore": {"driver": "file", "path": f"filters.zarr/snappy-{name}/"}}).result().write(voxels).result()
    assert os.path.getsize(f"filters.zarr/snappy-{name}/0.0.0") < voxels.nbytes
    expect(FILTERS, f"filters.zarr/snappy-{name}", voxels)

NESTED = "Zarr: nested chunks without `dimension_separator`"
for name, chunk, more in (("slash", "0/0", {}), ("explicit", "0/0", {"dimension_separator": "."}), ("dots", "0.0", {"dimension_separator": "/"})):
    version_2(f"nested.zarr/{name}", [8, 8], **more)
    write_bytes(f"nested.zarr/{name}/{chunk}", bytes_64.tobytes())
    # as zarr-python reads them, which says nothing
    expect(NESTED, f"nested.zarr/{name}", zarr.open_array(f"nested.zarr/{name}", mode="r")[...], warning=r'"dimension_separator": "[./]" in .*nested\.zarr/' + name)

RECTILINEAR = "Zarr: rectilinear chunk grids, also of shards, with runs of lengths and a last chunk that ends beyond the array"
for name, shape, chunk_shapes, parts in (
    ("one-axis", [10], [[3, 5, 2]], [(0, 3), (3, 8), (8, 10)]), ("runs", [10], [[[2, 3], 4]], [(0, 2), (2, 4), (4, 6), (6, 10)]), ("beyond", [10], [[7, 6]], [(0, 7), (7, 13)]), ("step", [10], [4], [(0, 4), (4, 8), (8, 12)]),
):
    data = np.arange(10, dtype="<u2") + 500
    version_3(f"rectilinear.zarr/{name}", shape, "uint16", chunk_grid={"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": chunk_shapes}})
    for i, (start, end) in enumerate(parts):
        write_bytes(f"rectilinear.zarr/{name}/c/{i}", np.concatenate([data, np.zeros(9, "<u2")])[start:end].tobytes())
    expect(RECTILINEAR, f"rectilinear.zarr/{name}", data)

OTHER = "Zarr: other chunk grids, strings and records"
version_3("other.zarr/hexagons", [8, 8], chunk_grid={"name": "hexagonal", "configuration": {}})
expect(OTHER, "other.zarr/hexagons", error=r"hexagonal")
for name, dtype, text in (("text", "<U8", r"<U8"), ("bytes", "|S5", r"\|S5"), ("objects", "|O", r"\|O"), ("records", [["x", "<f4"], ["y", "<i2"]], r"x"), ("complex", "<c8", r"<c8"), ("time", "<M8[s]", r"M8")):
    version_2(f"other.zarr/{name}", [4], dtype, fill_value=None)
    expect(OTHER, f"other.zarr/{name}", error=text)
for name, dtype in (("string3", "string"), ("fixed3", {"name": "fixed_length_utf32", "configuration": {"length_bytes": 8}}), ("complex3", "complex64"), ("record3", {"name": "structured", "configuration": {"fields": [["x", "float32"]]}})):
    version_3(f"other.zarr/{name}", [4], dtype)
    expect(OTHER, f"other.zarr/{name}", error=dtype if isinstance(dtype, str) else dtype["name"])

# OME-Zarr
def image(path, axes, transforms, *, shape=None, whole=None, version="0.4", three=False):
    shape = shape or [1] * (len(axes) - 3) + [4, 4, 4]
    multiscale = {"version": version, "axes": axes, "datasets": [{"path": "0", "coordinateTransformations": transforms}]}
    if whole is not None:
        multiscale["coordinateTransformations"] = whole
    if three:
        write_json(f"{path}/zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5", "multiscales": [multiscale]}}})
        version_3(f"{path}/0", shape)
        write_bytes(f"{path}/0/c/" + "/".join("0" for _ in shape), np.arange(np.prod(shape), dtype="u1").tobytes())
    else:
        write_json(f"{path}/.zgroup", {"zarr_format": 2})
        write_json(f"{path}/.zattrs", {"multiscales": [multiscale]})
        version_2(f"{path}/0", shape)
        write_bytes(f"{path}/0/" + ".".join("0" for _ in shape), np.arange(np.prod(shape), dtype="u1").tobytes())
    return np.arange(np.prod(shape), dtype="u1").reshape(shape)


def space(**unit):
    return [{"name": name, "type": "space", **unit} for name in "zyx"]


def scale(*values):
    return {"type": "scale", "scale": values}


def translation(*values):
    return {"type": "translation", "translation": values}


UNITS = "OME-Zarr: units such as `Micrometers`, `µm`, `minute`; the key `units`"
for number, (unit, factor) in enumerate((
    ({"unit": "Micrometers"}, 1000), ({"unit": "µm"}, 1000), ({"unit": "μm"}, 1000), ({"unit": "um"}, 1000), ({"unit": "Nanometers"}, 1), ({"unit": "NM"}, 1), ({"unit": "angstrom"}, 0.1), ({"unit": "Å"}, 0.1),
    ({"unit": "mm"}, 1_000_000), ({"unit": "millimeters"}, 1_000_000), ({"unit": "picometer"}, 0.001), ({"units": "nanometer"}, 1), ({"units": "microns"}, 1000), ({"unit": "meter"}, 1_000_000_000),
)):
    voxels = image(f"units-{number}.zarr", space(**unit), [scale(20, 5, 4)], three=number % 2 == 1)
    expect(UNITS, f"units-{number}.zarr/0", voxels, voxel_size=[round(factor * n, 6) for n in (20, 5, 4)])
for unit in ("minute", "hour", "millisecond", "s", "Seconds", "day"):
    voxels = image(f"time-{unit}.zarr", [{"name": "t", "type": "time", "unit": unit}, *space(unit="micrometer")], [scale(3, 2, 0.5, 0.5)])
    expect(UNITS, f"time-{unit}.zarr/0", voxels, voxel_size=[2000, 500, 500])

NO_UNIT = "OME-Zarr: no unit, or `pixel`"
for number, unit in enumerate(({}, {"unit": ""}, {"unit": "px"}, {"unit": "voxel"}, {"unit": None}, {"unit": 5}, {"unit": "Pixels"}, {"units": "pixel"}, {"unit": "arbitrary"})):
    voxels = image(f"no-unit-{number}.zarr", space(**unit), [scale(40, 4, 4)])
    expect(NO_UNIT, f"no-unit-{number}.zarr/0", voxels, voxel_size=[40, 4, 4], warning="taken as nm")

ZERO = "OME-Zarr: a time step or voxel size of 0"
for number, (time, sizes, read) in enumerate(((0, (2, 3, 4), [2, 3, 4]), (0.0, (2, 3, 4), [2, 3, 4]), (1, (0, 3, 4), [1, 3, 4]), (0, (0.0, 0, 0), [1, 1, 1]))):
    voxels = image(f"zero-{number}.zarr", [{"name": "t", "type": "time", "unit": "second"}, *space(unit="nanometer")], [scale(time, *sizes)])
    expect(ZERO, f"zero-{number}.zarr/0", voxels, voxel_size=read, warning=r"\b0 is not a number above 0")

ORDER = "OME-Zarr: translation before scale, transformations of the whole image"
nm = space(unit="nanometer")
for number, (level, whole, sizes, centre) in enumerate((
    ([translation(1, 2, 3), scale(10, 10, 10)], None, [10, 10, 10], [10, 20, 30]), ([scale(10, 10, 10), translation(5, 25, 45)], [scale(2, 2, 2)], [20, 20, 20], [10, 50, 90]),
    ([scale(10, 10, 10)], [translation(100, 0, 0)], [10, 10, 10], [100, 0, 0]), ([scale(2, 2, 2), translation(3, 3, 3)], [scale(4, 4, 4), translation(8, 8, 8)], [8, 8, 8], [20, 20, 20]),
    ([scale(2, 2, 2), translation(3, 3, 3)], [translation(8, 8, 8), scale(4, 4, 4)], [8, 8, 8], [44, 44, 44]),
)):
    voxels = image(f"order-{number}.zarr", nm, level, whole=whole)
    expect(ORDER, f"order-{number}.zarr/0", voxels, voxel_size=sizes, offset=[c - s / 2 for c, s in zip(centre, sizes)])

WITHIN = "OME-Zarr: images of bioformats2raw, plates, labels"
write_json("raw.zarr/.zattrs", {"bioformats2raw.layout": 3})
write_json("raw.zarr/.zgroup", {"zarr_format": 2})
expect(WITHIN, "raw.zarr/0/0", image("raw.zarr/0", space(unit="micrometer"), [scale(2, 1, 1)]), voxel_size=[2000, 1000, 1000])
expect(WITHIN, "raw.zarr/1/0", image("raw.zarr/1", space(unit="micrometer"), [scale(3, 1, 1)]), voxel_size=[3000, 1000, 1000])
write_json("plate.zarr/zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5", "plate": {"columns": [{"name": "1"}], "rows": [{"name": "A"}], "wells": [{"path": "A/1", "rowIndex": 0, "columnIndex": 0}]}}}})
write_json("plate.zarr/A/zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": {}})
write_json("plate.zarr/A/1/zarr.json", {"zarr_format": 3, "node_type": "group", "attributes": {"ome": {"version": "0.5", "well": {"images": [{"path": "0"}]}}}})
expect(WITHIN, "plate.zarr/A/1/0/0", image("plate.zarr/A/1/0", nm, [scale(7, 5, 5)], three=True), voxel_size=[7, 5, 5])
write_json("raw.zarr/0/labels/.zgroup", {"zarr_format": 2})
write_json("raw.zarr/0/labels/.zattrs", {"labels": ["cells"]})
expect(WITHIN, "raw.zarr/0/labels/cells/0", image("raw.zarr/0/labels/cells", nm, [scale(9, 5, 5)]), voxel_size=[9, 5, 5])

BETWEEN = "OME-Zarr: channels between or after other axes"
for name, axes in (("last", "zyxc"), ("between", "zcyx"), ("film", "tzyxc"), ("plane", "yxc")):
    shape = [{"t": 2, "c": 3, "z": 3, "y": 3, "x": 4}[axis] for axis in axes]
    described = [{"name": axis, "type": {"t": "time", "c": "channel"}.get(axis, "space"), **({} if axis == "c" else {"unit": "second" if axis == "t" else "nanometer"})} for axis in axes]
    voxels = image(f"channels-{name}.zarr", described, [scale(*({"z": 40}.get(axis, 1) for axis in axes))], shape=shape)
    order = sorted(range(len(axes)), key=lambda i: "ctzyx".index(axes[i]))
    expect(BETWEEN, f"channels-{name}.zarr/0", voxels.transpose(order), voxel_size=[40, 1, 1] if "z" in axes else [1, 1])

ZIP = "Zarr: a container in a zip file"
source = np.arange(12 * 10, dtype="<u2").reshape(12, 10)
for version in (2, 3):
    array = zarr.create_array(f"inside-{version}.zarr/raw", shape=source.shape, chunks=(5, 5), dtype="u2", zarr_format=version, fill_value=0, chunk_key_encoding={"name": "v2", "separator": "/"} if version == 2 else None)
    array[...] = source


def pack(name, folder, compression=zipfile.ZIP_STORED, before=b"", prefix=""):
    with open(name, "wb") as file:
        file.write(before)
    with zipfile.ZipFile(name, "a", compression) as target:
        for root, _, names in os.walk(folder):
            for each in names:
                target.write(os.path.join(root, each), prefix + os.path.relpath(os.path.join(root, each), folder))


for version in (2, 3):
    pack(f"stored-{version}.zarr.zip", f"inside-{version}.zarr")
    pack(f"deflated-{version}.ozx", f"inside-{version}.zarr", zipfile.ZIP_DEFLATED)
    pack(f"below-{version}.zip", f"inside-{version}.zarr", prefix="some folder/data.zarr/")
    for path in (f"stored-{version}.zarr.zip/raw", f"deflated-{version}.ozx/raw", f"below-{version}.zip/some folder/data.zarr/raw"):
        expect(ZIP, path, source)
pack("behind-a-program.zip", "inside-3.zarr", before=b"#!/bin/sh\nexit\n" * 20)
expect(ZIP, "behind-a-program.zip/raw", source)
for name, method in (("bzip2", zipfile.ZIP_BZIP2), ("lzma", zipfile.ZIP_LZMA)):
    pack(f"{name}.zip", "inside-3.zarr", method)
    expect(ZIP, f"{name}.zip/raw", error=r"compressed")

INDEX = "Zarr: shards whose index is big-endian, at the start, or without a checksum"
volume = np.arange(13 * 9 * 7, dtype="<u2").reshape(13, 9, 7)
for number, (endian, location, checked) in enumerate((e, l, c) for e in ("big", "little") for l in ("start", "end") for c in (True, False)):
    index_codecs = [BytesCodec(endian=endian), *([zarr.codecs.Crc32cCodec()] if checked else [])]
    for inner in ([BytesCodec()], [ShardingCodec(chunk_shape=(2, 2, 2), codecs=[BytesCodec(), ZstdCodec()], index_codecs=index_codecs, index_location=location)]):
        name = f"index.zarr/{number}-{len(inner[0].to_dict()['configuration'])}"
        serializer = ShardingCodec(chunk_shape=(4, 4, 4), codecs=inner, index_codecs=index_codecs, index_location=location)
        array = zarr.create_array(name, shape=volume.shape, chunks=(8, 8, 8), dtype="u2", compressors=None, serializer=serializer, fill_value=3)
        array[:10, 1:] = volume[:10, 1:]
        expect(INDEX, name, array[...])

XZ = "Zarr 2 and 3, N5, TIFF: LZMA (xz) with any checksum, several streams, or differences first"
import lzma

for name, check in (("none", lzma.CHECK_NONE), ("crc64", lzma.CHECK_CRC64), ("sha256", lzma.CHECK_SHA256)):
    version_2(f"xz.zarr/{name}", [12, 10], "<u2", compressor={"id": "lzma", "format": 1, "check": check, "preset": None, "filters": None})
    write_bytes(f"xz.zarr/{name}/0.0", lzma.compress(source.tobytes(), check=check))
    expect(XZ, f"xz.zarr/{name}", source)
version_2("xz.zarr/streams", [12, 10], "<u2", compressor={"id": "lzma", "format": 1, "check": -1, "preset": None, "filters": None})
write_bytes("xz.zarr/streams/0.0", lzma.compress(source.tobytes()[:99]) + lzma.compress(source.tobytes()[99:]))
expect(XZ, "xz.zarr/streams", source)
finish("zarr.json")
