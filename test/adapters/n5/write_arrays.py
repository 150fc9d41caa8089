"""Writes N5 datasets with tensorstore into FOLDER/a.n5, and FOLDER/index.json with the expected content of each, slowest axis first.

    python write_arrays.py FOLDER
"""

import json
import os
import sys

import numpy as np
import tensorstore as ts

folder = sys.argv[1]
index = []
DTYPES = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f4", "f8"]
COMPRESSIONS = [
    {"type": "raw"}, {"type": "gzip", "level": 3}, {"type": "gzip", "useZlib": True, "level": 1}, {"type": "bzip2", "blockSize": 9}, {"type": "zstd", "level": 3}, {"type": "xz", "preset": 6},
    *[{"type": "blosc", "cname": name, "clevel": 5, "shuffle": shuffle} for name in ("lz4", "zstd", "zlib", "blosclz", "lz4hc") for shuffle in (0, 1, 2)],
]


def make(inner, data, compression, blocks):
    rank = data.ndim
    metadata = {
        "dimensions": data.shape[::-1], "blockSize": blocks, "dataType": data.dtype.name, "compression": compression,
        "axes": ["x", "y", "z"][:rank], "units": ["nm", "nm", "um"][:rank], "resolution": [2, 5, 0.04][:rank],
    }
    store = ts.open(
        {"driver": "n5", "kvstore": {"driver": "file", "path": os.path.join(folder, "a.n5", inner) + "/"}, "metadata": metadata, "create": True}
    ).result()
    # The rest is missing.
    store[:9].write(data.T[:9]).result()
    expected = data.copy()
    expected[..., 9:] = 0
    name = inner.replace("/", "-") + ".bin"
    expected.tofile(os.path.join(folder, name))
    index.append({"inner": inner, "dtype": data.dtype.name, "shape": data.shape, "data": name, "voxelSize": [40, 5, 2][-rank:]})


rng = np.random.default_rng(1)
for shape, blocks in [((7, 10, 13), (8, 4, 4)), ((10, 13), (5, 3))]:
    for dtype in DTYPES:
        data = (rng.random(shape) * 100).astype(dtype)
        make(f"types{len(shape)}/{dtype}", data, {"type": "gzip"}, blocks)
for n, compression in enumerate(COMPRESSIONS):
    for dtype in ("u1", "u2", "f8"):
        make(f"codecs/{n}-{dtype}", (rng.random((7, 10, 13)) * 9).astype(dtype), compression, (8, 4, 4))

with open(os.path.join(folder, "index.json"), "w") as file:
    json.dump(index, file)
