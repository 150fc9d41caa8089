"""Writes arrays with zarr-python 3 and tensorstore into a folder, and index.json with the expected content of each.

    python write_arrays.py FOLDER

index.json lists {"container", "inner", "dtype", "shape", "fill", "data", "codecs"}: data names a file with the whole
array in C order, little-endian; fill is text, since JSON has neither NaN nor 64-bit integers everywhere.
"""

import json
import os
import sys

import numcodecs
import numpy as np
import tensorstore as ts
import zarr
import zarr.codecs.numcodecs as zarr_numcodecs
from zarr.codecs import BloscCodec, BytesCodec, Crc32cCodec, GzipCodec, ShardingCodec, TransposeCodec, ZstdCodec

folder = sys.argv[1]
index = []
SHAPE = (7, 10, 13)
CHUNKS = (4, 4, 8)
DTYPES = ["bool", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"]


def values(dtype, shape=SHAPE, seed=0):
    rng = np.random.default_rng(seed)
    n = int(np.prod(shape))
    if dtype == "bool":
        return (rng.random(n) > 0.5).reshape(shape)
    kind = np.dtype(dtype)
    if kind.kind == "f":
        data = np.round(rng.normal(0, 50, n)).astype(kind)
        data[::17] = np.nan
        data[5::31] = -np.inf
        return data.reshape(shape)
    info = np.iinfo(kind)
    data = (np.arange(n) // 3 % 100).astype(kind)
    data[::7] = rng.integers(info.min, info.max, len(data[::7]), dtype=kind.newbyteorder("="), endpoint=True)
    return data.reshape(shape)


def note(container, inner, data, fill):
    name = f"{container}-{inner.replace('/', '-')}.bin"
    little = np.ascontiguousarray(data).astype(data.dtype.newbyteorder("<"))
    with open(os.path.join(folder, name), "wb") as file:
        file.write(little.tobytes())
    index.append(
        {"container": container, "inner": inner, "dtype": data.dtype.name, "shape": list(data.shape), "fill": fill_text(data.dtype, fill), "data": name}
    )


def fill_text(dtype, fill):
    if dtype.kind == "f":
        value = float(fill)
        return "NaN" if np.isnan(value) else "Infinity" if value == np.inf else "-Infinity" if value == -np.inf else repr(value)
    return str(int(fill))


def make(container, inner, data, fill=0, write=..., **options):
    """With zarr-python; `write` leaves chunks missing, which hold the fill value."""
    array = zarr.create_array(
        os.path.join(folder, container), name=inner, shape=data.shape, dtype=data.dtype, fill_value=fill, **options
    )
    array[write] = data[write]
    expected = np.full(data.shape, fill, data.dtype)
    expected[write] = data[write]
    note(container, inner, expected, fill)


# Every dtype in both versions, with missing chunks.
for dtype in DTYPES:
    data = values(dtype)
    for fmt in (2, 3):
        make(f"dtypes{fmt}.zarr", dtype, data, chunks=CHUNKS, zarr_format=fmt, write=slice(0, 4))

# Fill values that are difficult in JSON.
for name, dtype, fill in [
    ("nan", "f4", np.nan), ("inf", "f8", np.inf), ("minusinf", "f4", -np.inf), ("tenth", "f4", np.float32(0.1)), ("half", "f2", 1.5), ("halfnan", "f2", np.nan),
    ("most", "u8", 2**64 - 1), ("least", "i8", -(2**63)), ("odd", "u8", 2**53 + 1), ("true", "bool", True), ("byte", "u1", 255),
]:
    for fmt in (2, 3):
        make(f"fills{fmt}.zarr", name, values(dtype), fill=fill, chunks=CHUNKS, zarr_format=fmt, write=slice(0, 4))

# Codecs, version 2.
for order, dtypes in (("C", ("u1", "u2", "f4", "f8", ">u2", ">i8")), ("F", ("u1", "f4", ">f4"))):
    for dtype in dtypes:
        for name, compressor in [
            ("raw", None), ("gzip", numcodecs.GZip(1)), ("zlib", numcodecs.Zlib(6)), ("zstd", numcodecs.Zstd(3)), ("lz4", numcodecs.LZ4()),
            *[
                (f"{cname}{shuffle}", numcodecs.Blosc(cname, 5, shuffle))
                for cname in ("blosclz", "lz4", "lz4hc", "zlib", "zstd")
                for shuffle in (0, 1, 2)
            ],
        ]:
            data = values(dtype, seed=1)
            inner = f"{dtype.replace('>', 'big')}-{order}-{name}"
            make("codecs2.zarr", inner, data, chunks=CHUNKS, zarr_format=2, compressors=compressor, order=order)
make("codecs2.zarr", "auto", values("u2"), chunks=CHUNKS, zarr_format=2, compressors=numcodecs.Blosc("lz4", 5, -1))
make("codecs2.zarr", "autobyte", values("u1"), chunks=CHUNKS, zarr_format=2, compressors=numcodecs.Blosc("lz4", 5, -1))
make("codecs2.zarr", "dots", values("u2"), chunks=CHUNKS, zarr_format=2, chunk_key_encoding={"name": "v2", "separator": "."})
make("codecs2.zarr", "slashes", values("u2"), chunks=CHUNKS, zarr_format=2, chunk_key_encoding={"name": "v2", "separator": "/"})
make("codecs2.zarr", "large", values("f4", (64, 128, 128)), chunks=(64, 128, 100), zarr_format=2, compressors=numcodecs.Blosc("lz4", 5, 1))
make("codecs2.zarr", "odd", values("u2", (37, 51, 53)), chunks=(37, 51, 53), zarr_format=2, compressors=numcodecs.Blosc("zstd", 3, 2))

# Codecs, version 3.
for dtype in ("u1", "u2", "f4", "f8"):
    for name, codecs in [
        ("raw", []), ("gzip", [GzipCodec(level=1)]), ("zstd", [ZstdCodec(level=3)]), ("zstdsum", [ZstdCodec(level=1, checksum=True)]),
        ("crc", [Crc32cCodec()]), ("zstdcrc", [ZstdCodec(level=1), Crc32cCodec()]), ("twice", [GzipCodec(level=1), ZstdCodec(level=1), Crc32cCodec()]),
        *[
            (f"{cname}-{shuffle}", [BloscCodec(cname=cname, clevel=5, shuffle=shuffle, typesize=np.dtype(dtype).itemsize)])
            for cname in ("blosclz", "lz4", "lz4hc", "zlib", "zstd")
            for shuffle in ("noshuffle", "shuffle", "bitshuffle")
        ],
    ]:
        make("codecs3.zarr", f"{dtype}-{name}", values(dtype, seed=2), chunks=CHUNKS, zarr_format=3, compressors=codecs)
for endian in ("big", "little"):
    make("codecs3.zarr", endian, values("u4"), chunks=CHUNKS, zarr_format=3, serializer=BytesCodec(endian=endian))
for name, order in [("zxy", (0, 2, 1)), ("xzy", (2, 0, 1)), ("xyz", (2, 1, 0))]:
    make("codecs3.zarr", name, values("u2"), chunks=CHUNKS, zarr_format=3, filters=[TransposeCodec(order=order)])
    make("codecs3.zarr", f"{name}-blosc", values("f4"), chunks=CHUNKS, zarr_format=3, filters=[TransposeCodec(order=order)], compressors=[BloscCodec()])
for encoding, separator in [("default", "/"), ("default", "."), ("v2", "/"), ("v2", ".")]:
    name = f"keys-{encoding}-{'dot' if separator == '.' else 'slash'}"
    make("codecs3.zarr", name, values("u2"), chunks=CHUNKS, zarr_format=3, chunk_key_encoding={"name": encoding, "separator": separator})
make("codecs3.zarr", "point", values("u2", ()), chunks=(), zarr_format=3)
make("codecs2.zarr", "point", values("u2", ()), chunks=(), zarr_format=2)

# Filters of numcodecs, in both versions. Some lose digits, so that what zarr-python reads is what is right.
def filtered(container, inner, data, **options):
    array = zarr.create_array(os.path.join(folder, container), name=inner, shape=data.shape, dtype=data.dtype, fill_value=0, chunks=CHUNKS, **options)
    array[:4] = data[:4]
    note(container, inner, array[...], 0)


finite = np.round(np.random.default_rng(7).normal(0, 50, SHAPE), 3)
small = np.round(finite).astype("i4")
for name, data, config in [
    ("delta", values("u2"), {"id": "delta", "dtype": "<u2"}),
    ("delta-narrow", np.arange(910, dtype="i8").reshape(SHAPE), {"id": "delta", "dtype": "<i8", "astype": "<i4"}),
    ("delta-big", values(">i4"), {"id": "delta", "dtype": ">i4", "astype": ">i8"}),
    ("delta-float", finite.astype("f4"), {"id": "delta", "dtype": "<f4", "astype": "<f8"}),
    ("delta-half", np.round(finite).astype("f2"), {"id": "delta", "dtype": "<f2"}),
    ("scale", finite, {"id": "fixedscaleoffset", "offset": 1000, "scale": 10, "dtype": "<f8", "astype": "<i2"}),
    ("scale-float", finite.astype("f4"), {"id": "fixedscaleoffset", "offset": 0.1, "scale": 3.7, "dtype": "<f4", "astype": "<f4"}),
    ("scale-int", small, {"id": "fixedscaleoffset", "offset": -200, "scale": 1, "dtype": "<i4", "astype": "|u1"}),
    ("scale-long", small.astype("i8"), {"id": "fixedscaleoffset", "offset": 7, "scale": 0.5, "dtype": "<i8", "astype": ">i8"}),
    ("astype", small.astype("f4"), {"id": "astype", "encode_dtype": "<i2", "decode_dtype": "<f4"}),
    ("astype-long", values("u4").astype("u8"), {"id": "astype", "encode_dtype": "<u4", "decode_dtype": "<u8"}),
    ("astype-int", small, {"id": "astype", "encode_dtype": "<f8", "decode_dtype": "<i4"}),
    ("astype-wrap", small, {"id": "astype", "encode_dtype": "<i8", "decode_dtype": "<i4"}),
    ("packbits", values("bool"), {"id": "packbits"}),
    ("shuffle", values("f4"), {"id": "shuffle", "elementsize": 4}),
    ("shuffle-odd", values("u2"), {"id": "shuffle", "elementsize": 2}),
    ("quantize", finite, {"id": "quantize", "digits": 1, "dtype": "<f8", "astype": "<f4"}),
    ("bitround", finite.astype("f4"), {"id": "bitround", "keepbits": 7}),
    ("crc32", values("u2"), {"id": "crc32"}),
    ("adler32", np.tile(values("f8").ravel(), 40)[:910].reshape(SHAPE), {"id": "adler32", "location": "end"}),
    ("fletcher32", values("u2"), {"id": "fletcher32"}),
]:
    codec = numcodecs.get_codec(dict(config))
    for compressor, options in [("raw", None), ("zstd", numcodecs.Zstd(1)), ("bz2", numcodecs.BZ2(9))]:
        filtered("filters2.zarr", f"{name}-{compressor}", data, filters=[codec], compressors=options, zarr_format=2)
    stored = np.dtype(config.get("astype") or config.get("encode_dtype") or data.dtype)
    if stored.itemsize != data.dtype.itemsize or ">" in (data.dtype.byteorder, stored.byteorder) or name == "packbits":
        continue  # zarr-python 3.1 can't read them itself.
    three = dict(config)
    cls = {"id": None, "delta": "Delta", "fixedscaleoffset": "FixedScaleOffset", "astype": "AsType", "shuffle": "Shuffle", "quantize": "Quantize",
           "bitround": "BitRound", "crc32": "CRC32", "adler32": "Adler32", "fletcher32": "Fletcher32"}[three.pop("id")]
    made = getattr(zarr_numcodecs, cls)(**three)
    place = "filters" if cls in ("Delta", "FixedScaleOffset", "AsType", "Quantize", "BitRound") else "compressors"
    filtered("filters3.zarr", name, data, zarr_format=3, **{"compressors": None, place: [made]})
    if place == "filters":
        filtered("filters3.zarr", f"{name}-bz2", data, zarr_format=3, filters=[made], compressors=[zarr_numcodecs.BZ2(level=1)])
# Of big-endian bytes, zarr-python 3.1 decodes something else than it has encoded.
make("filters3.zarr", "big", values("u2"), chunks=CHUNKS, zarr_format=3, filters=[zarr_numcodecs.Delta(dtype="<u2")], serializer=BytesCodec(endian="big"))
filtered("filters2.zarr", "two", values("u2"), filters=[numcodecs.get_codec({"id": "delta", "dtype": "<u2"}), numcodecs.Shuffle(2)], compressors=numcodecs.BZ2(1), zarr_format=2)
for name, config in {
    "xz": {}, "alone": {"format": 2}, "crc32": {"check": 1}, "sha256": {"check": 10, "preset": 0}, "unchecked": {"check": 0},
}.items():
    filtered("filters2.zarr", f"lzma-{name}", values("i4"), compressors=numcodecs.LZMA(**config), zarr_format=2)
# numcodecs writes this one, and can't read it.
differences = numcodecs.LZMA(filters=[{"id": 3, "dist": 4}, {"id": 0x21, "preset": 6, "lc": 1, "lp": 2, "pb": 0}])
make("filters2.zarr", "lzma-delta", values("i4"), chunks=CHUNKS, zarr_format=2, compressors=differences)
filtered("filters3.zarr", "lzma", values("f8"), zarr_format=3, compressors=[zarr_numcodecs.LZMA()])
filtered("filters2.zarr", "f-order", values("i4"), filters=[numcodecs.get_codec({"id": "delta", "dtype": "<i4"})], compressors=numcodecs.Zstd(1), order="F", zarr_format=2)

# Shards.
for location in ("start", "end"):
    for name, inner, index_codecs in [
        ("raw", [BytesCodec()], [BytesCodec(), Crc32cCodec()]), ("blosc", [BytesCodec(), BloscCodec(typesize=2)], [BytesCodec(), Crc32cCodec()]),
        ("zstd", [BytesCodec(), ZstdCodec(level=1)], [BytesCodec()]), ("big", [BytesCodec(endian="big"), Crc32cCodec()], [BytesCodec(), Crc32cCodec()]),
        ("transposed", [TransposeCodec(order=(2, 1, 0)), BytesCodec(), GzipCodec()], [BytesCodec(), Crc32cCodec()]),
    ]:
        sharding = ShardingCodec(chunk_shape=(2, 4, 4), codecs=inner, index_codecs=index_codecs, index_location=location)
        data = values("u2", seed=3)
        make("shards.zarr", f"{name}-{location}", data, fill=9, chunks=(4, 8, 8), zarr_format=3, serializer=sharding, compressors=None, write=slice(0, 5))
sharding = ShardingCodec(chunk_shape=(2, 4, 4), codecs=[BytesCodec()], index_codecs=[BytesCodec()])
make("shards.zarr", "wrapped", values("u2"), chunks=(4, 8, 8), zarr_format=3, serializer=sharding, compressors=[GzipCodec()])

# Shards inside shards, some of whose chunks are missing on each level.
for location, middle, index_codecs in [("start", [], [BytesCodec(), Crc32cCodec()]), ("end", [GzipCodec()], [BytesCodec()])]:
    innermost = ShardingCodec(chunk_shape=(1, 2, 4), codecs=[BytesCodec(), ZstdCodec(level=1)], index_codecs=index_codecs, index_location=location)
    sharding = ShardingCodec(chunk_shape=(2, 4, 4), codecs=[innermost, *middle], index_location=location)
    data = values("u2", seed=6)
    data[:, 2:4] = 9
    make("shards.zarr", f"nested-{location}", data, fill=9, chunks=(4, 8, 8), zarr_format=3, serializer=sharding, compressors=None, write=slice(0, 5))
    twice = ShardingCodec(chunk_shape=(4, 4, 4), codecs=[sharding], index_location=location)
    make("shards.zarr", f"thrice-{location}", data, fill=9, chunks=(4, 8, 8), zarr_format=3, serializer=twice, compressors=None, write=slice(0, 5))


def make_ts(container, inner, data, driver, metadata):
    store = ts.open(
        {"driver": driver, "kvstore": {"driver": "file", "path": os.path.join(folder, container, inner) + "/"}, "metadata": metadata, "create": True}
    ).result()
    store[...].write(data).result()
    note(container, inner, data, 0)


for dtype, code in [("u1", "|u1"), ("u2", "<u2"), ("u2", ">u2"), ("f4", "<f4"), ("f4", ">f4"), ("i8", "<i8"), ("bool", "|b1")]:
    for order in ("C", "F"):
        for name, compressor in [("raw", None), ("blosc", {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1}), ("bits", {"id": "blosc", "cname": "zstd", "clevel": 3, "shuffle": 2})]:
            metadata = {"shape": SHAPE, "chunks": CHUNKS, "dtype": code, "order": order, "compressor": compressor, "fill_value": None if order == "C" else False if dtype == "bool" else 0}
            inner = f"{code.strip('|<').replace('>', 'big')}{order}{name}"
            make_ts("ts2.zarr", inner, values(dtype, seed=4), "zarr", metadata)
for dtype, name in [("u1", "uint8"), ("u8", "uint64"), ("f2", "float16"), ("f4", "float32"), ("i4", "int32")]:
    for location in ("start", "end"):
        inner_codecs = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "zstd", "configuration": {"level": 1}}]
        sharding = {
            "chunk_shape": (2, 4, 8), "codecs": inner_codecs, "index_location": location,
            "index_codecs": [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}],
        }
        metadata = {
            "shape": SHAPE, "data_type": name, "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": (4, 8, 16)}},
            "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        }
        make_ts("ts3.zarr", f"{name}-{location}", values(dtype, seed=5), "zarr3", metadata)

with open(os.path.join(folder, "index.json"), "w") as file:
    json.dump(index, file)
print(len(index))
