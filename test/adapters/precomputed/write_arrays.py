"""Writes precomputed volumes with tensorstore into FOLDER, and FOLDER/index.json with the expected content of each, (c,) z, y, x.

    python write_arrays.py FOLDER
"""

import gzip
import json
import os
import sys

import numpy as np
import tensorstore as ts

folder = sys.argv[1]
index = []
rng = np.random.default_rng(3)
RAW = {"encoding": "raw"}


def has_boxes(scale):
    """Whether chunks are files of their own, or shards are boxes of them, so that Bellis writes them."""
    sharding = scale.get("sharding")
    if sharding is None or sharding["shard_bits"] == 0:
        return True
    bits = sum((-(-length // chunk) - 1).bit_length() for length, chunk in zip(scale["size"], scale["chunk_size"]))
    return sharding["hash"] == "identity" and sharding["preshift_bits"] + sharding["minishard_bits"] + sharding["shard_bits"] >= bits


def make(container, data, scale, rest=..., compress=None):
    """`data` is c, z, y, x; `rest` is what is written along x."""
    channels, *shape = data.shape
    path = os.path.join(folder, container)
    metadata = {"data_type": data.dtype.name, "num_channels": channels, "type": "segmentation" if scale["encoding"].startswith("comp") else "image"}
    scale = {"size": shape[::-1], "resolution": [4.5, 5, 40], "voxel_offset": [2, -3, 10], "chunk_size": [8, 4, 4], **scale}
    store = ts.open(
        {"driver": "neuroglancer_precomputed", "kvstore": {"driver": "file", "path": path + "/"}, "multiscale_metadata": metadata, "scale_metadata": scale, "create": True}
    ).result()
    start = scale["voxel_offset"]
    expected = data.copy()
    if rest is not ...:
        expected[..., rest:] = 0
    count = shape[2] if rest is ... else rest
    store[start[0] : start[0] + count].write(data.T[:count]).result()
    if scale["encoding"] == "jpeg":
        # What is read is not what was written.
        expected = store.read().result().T
    if compress is not None:
        for root, _, names in os.walk(path):
            for name in names:
                if name != "info" and "_" in name:
                    with open(os.path.join(root, name), "rb") as file, gzip.open(os.path.join(root, name + ".gz"), "wb") as packed:
                        packed.write(file.read())
                    os.remove(os.path.join(root, name))
    (expected if channels > 1 else expected[0]).tofile(os.path.join(folder, f"{container}.bin"))
    index.append({
        "container": container, "dtype": data.dtype.name, "shape": data.shape if channels > 1 else shape, "data": f"{container}.bin",
        "voxelSize": [40000, 5000, 4500], "offset": [400000, -15000, 9000],
        "canBeWritten": scale["encoding"] not in ("png", "jpeg") and has_boxes(scale),
    })


def noise(dtype, channels=1, shape=(7, 10, 13)):
    return (rng.random((channels, *shape)) * 100).astype(dtype)


def labels(dtype, kinds, channels=1, shape=(7, 10, 13)):
    names = rng.integers(1, 2**31, kinds, dtype=np.uint64) * (2**32 + 1 if dtype == "u8" else 1)
    return names[rng.integers(0, kinds, (channels, *shape))].astype(dtype)


for dtype in ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "f4"):
    make(f"raw-{dtype}", noise(dtype), RAW, rest=8)
    make(f"raw-{dtype}-3", noise(dtype, 3), RAW)
make("gz", noise("u2"), RAW, compress="gzip")
for dtype in ("u1", "u2"):
    for channels in (1, 2, 3, 4):
        make(f"png-{dtype}-{channels}", noise(dtype, channels), {"encoding": "png"})
for channels in (1, 3):
    for quality, shape in ((30, (7, 10, 13)), (75, (8, 16, 16)), (100, (9, 21, 40)), (90, (3, 1, 1))):
        for content in ("noise", "smooth"):
            data = noise("u1", channels, shape) * 2 if content == "noise" else (np.add.outer(np.arange(channels) * 40, np.indices(shape).sum(0) * 3)).astype("u1")
            make(f"jpeg-{channels}-{quality}-{content}", data, {"encoding": "jpeg", "jpeg_quality": quality, "chunk_size": [16, 8, 4]})
for dtype in ("u4", "u8"):
    for kinds in (1, 2, 3, 9, 100, 800):
        scale = {"encoding": "compressed_segmentation", "compressed_segmentation_block_size": [3, 4, 2] if kinds < 100 else [8, 8, 8], "chunk_size": [16, 16, 16]}
        make(f"labels-{dtype}-{kinds}", labels(dtype, kinds), scale)
    make(f"labels-{dtype}-channels", labels(dtype, 5, 2), {"encoding": "compressed_segmentation", "compressed_segmentation_block_size": [4, 4, 4]})
for n, (hash_name, minishard, shard, preshift) in enumerate([("identity", 0, 0, 0), ("identity", 1, 2, 1), ("identity", 1, 5, 2), ("murmurhash3_x86_128", 2, 0, 1), ("murmurhash3_x86_128", 2, 3, 0), ("murmurhash3_x86_128", 3, 5, 2)]):
    for encoding in ("raw", "gzip"):
        sharding = {
            "@type": "neuroglancer_uint64_sharded_v1", "preshift_bits": preshift, "minishard_bits": minishard, "shard_bits": shard, "hash": hash_name,
            "data_encoding": encoding, "minishard_index_encoding": encoding,
        }
        make(f"shards-{n}-{encoding}", noise("u2", 1, (9, 21, 40)), {"encoding": "raw", "sharding": sharding})
sharding["data_encoding"] = "raw"
make("shards-labels", labels("u8", 7, 1, (9, 21, 40)), {"encoding": "compressed_segmentation", "compressed_segmentation_block_size": [8, 8, 8], "sharding": sharding})
make("shards-channels", noise("u1", 2, (9, 21, 40)), {"encoding": "raw", "sharding": sharding})

with open(os.path.join(folder, "index.json"), "w") as file:
    json.dump(index, file)
