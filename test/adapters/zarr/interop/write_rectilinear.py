"""Writes arrays with rectilinear chunk grids: each chunk, or shard, is that of an array of its own which zarr-python has written.

zarr-python itself writes such grids from version 3.2, which needs Python 3.12.

  python write_rectilinear.py FOLDER
"""
import itertools
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import zarr

folder = Path(sys.argv[1])
container = folder / "a.zarr"
container.mkdir(parents=True)


def write(name, dtype, shape, chunk_shapes, edges, shard_chunk=None, order=None, fill=0, missing=()):
    """edges: lengths along each axis, as chunk_shapes means them; missing: chunks that are not stored"""
    values = np.arange(np.prod(shape)).astype(dtype).reshape(shape)
    starts = [np.concatenate([[0], np.cumsum(axis)]) for axis in edges]
    metadata = None
    for index in itertools.product(*(range(len(axis)) for axis in edges)):
        chunk = tuple(int(axis[i]) for axis, i in zip(edges, index))
        box = tuple(slice(int(start[i]), int(min(start[i + 1], length))) for start, i, length in zip(starts, index, shape))
        if index in missing:
            values[box] = fill
            continue
        data = np.zeros(chunk, dtype)
        data[tuple(slice(0, part.stop - part.start) for part in box)] = values[box]
        options = {"chunks": chunk} if shard_chunk is None else {"chunks": shard_chunk, "shards": chunk}
        filters = [zarr.codecs.TransposeCodec(order=order)] if order is not None else None
        one = zarr.create_array(
            folder / "one.zarr", overwrite=True, shape=chunk, dtype=dtype, fill_value=fill, filters=filters,
            compressors=zarr.codecs.GzipCodec(level=1), config={"write_empty_chunks": True}, **options,
        )
        one[...] = data
        metadata = json.loads((folder / "one.zarr/zarr.json").read_text())
        target = container / name / "/".join(["c", *map(str, index)])
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / "one.zarr" / "/".join(["c", *("0" for _ in index)]), target)
    metadata["shape"] = shape
    metadata["chunk_grid"] = {"name": "rectilinear", "configuration": {"kind": "inline", "chunk_shapes": chunk_shapes}}
    (container / name / "zarr.json").write_text(json.dumps(metadata))
    (folder / f"{name}.bin").write_bytes(values.tobytes())


write("runs", "uint16", [6, 6, 7], [[1, [2, 1], 3], [[1, 3], 3], 7], [[1, 2, 3], [1, 1, 1, 3], [7]])
write("step", "int8", [11, 9], [4, [2, 3, 4]], [[4, 4, 4], [2, 3, 4]])
write("beyond", "float32", [10, 5], [[7, 9], [3, 3]], [[7, 9], [3, 3]])
write("missing", "int64", [9, 9], [[4, 5], [8, 1]], [[4, 5], [8, 1]], fill=-7, missing=[(0, 1), (1, 0)])
write("transposed", "uint32", [5, 8], [[2, 3], [1, 7]], [[2, 3], [1, 7]], order=(1, 0))
write("sharded", "uint16", [10, 12], [[4, 6], [[2, 2], 8]], [[4, 6], [2, 2, 8]], shard_chunk=(2, 2))
write("regular", "uint8", [9, 6], [[[4, 3]], [[3, 2]]], [[4, 4, 4], [3, 3]])
