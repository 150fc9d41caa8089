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
