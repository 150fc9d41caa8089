"""Cells, block by block, as with cellpose: `python cells.py INPUT OUTPUT [WORKERS]`.

Three steps: each block finds its cells, with a context so that cells at its border look the same to both neighbours, and
numbers them so that no other block has the same numbers; each block compares its cells with those of the blocks before it;
then, in a run of its own, cells that are one get one number.
"""

import sys
from pathlib import Path

import bellis
import numpy as np
import zarr
from scipy import ndimage

BLOCK, CONTEXT, THRESHOLD = (16, 32, 32), (4, 4, 4), 0.5
MOST = int(np.prod(BLOCK))  # more cells than this are in no block

input_path, output_path, *rest = sys.argv[1:]
raw = bellis.open(input_path)
source = zarr.open_array(input_path, mode="r")
parts, cells = (
    zarr.create_array(f"{output_path}/{name}", shape=raw.shape, chunks=BLOCK, dtype="uint64", overwrite=True)
    for name in ("parts", "cells")
)
cells.attrs.update(raw.placement)
touching = Path(output_path) / "touching"
touching.mkdir(exist_ok=True)


def segment(voxels):
    """What cellpose would do: a number for each cell of a block, 0 elsewhere."""
    smooth = ndimage.gaussian_filter(voxels.astype("float32"), 1, mode="nearest")
    return ndimage.label(smooth > THRESHOLD * 255)[0]


def find(block):
    read, write = block.to_slices(block.read_roi), block.to_slices()
    inner = tuple(slice(w.start - r.start, w.stop - r.start) for r, w in zip(read, write))
    labels = ndimage.label(segment(source[read])[inner] > 0)[0]
    parts[write] = np.where(labels > 0, labels + block.index * MOST, 0).astype("uint64")


def compare(block):
    """Notes which cells go on in the block before, along each axis."""
    write = block.to_slices()
    found = []
    for axis, here in enumerate(write):
        if here.start > 0:
            both = parts[tuple(slice(s.start - 1, s.start + 1) if a == axis else s for a, s in enumerate(write))]
            before, after = np.moveaxis(both, axis, 0).reshape(2, -1)
            found.append(np.unique(np.stack([before, after])[:, (before > 0) & (after > 0)], axis=1))
    np.save(touching / f"{block.index}.npy", np.concatenate(found, axis=1) if found else np.zeros((2, 0), "uint64"))


def one_number_each(config, resources):
    """Once per worker: the cells that go on, as one number for all of their parts."""
    pairs = np.concatenate([np.load(path) for path in sorted(touching.glob("*.npy"))], axis=1)
    first = {}

    def root(label):
        while first.get(label, label) != label:
            label = first[label]
        return label

    for a, b in pairs.T.tolist():
        low, high = sorted((root(a), root(b)))
        first[high] = low
    return {label: root(label) for label in first}


def join(block, number_of):
    labels, inverse = np.unique(parts[block.to_slices()], return_inverse=True)
    numbers = np.array([number_of.get(label, label) for label in labels.tolist()], "uint64")
    cells[block.to_slices()] = numbers[inverse].reshape(parts[block.to_slices()].shape)


def to_nm(voxels):
    return tuple(count * size for count, size in zip(voxels, raw.voxel_size))


def task(name, function, context=(0, 0, 0), **options):
    around, block_roi = to_nm(context), bellis.Roi((0, 0, 0), to_nm(BLOCK))
    return bellis.Task(
        name,
        function,
        total_roi=raw.roi.grow(around),
        read_roi=block_roi.grow(around),
        write_roi=block_roi,
        fit="shrink",
        read_write_conflict=False,
        voxel_size=raw.voxel_size,
        offset=raw.offset,
        **options,
    )


if __name__ == "__main__":
    workers = int(rest[0]) if rest else None
    # A block of `compare` waits for the blocks before it, which are within its context.
    bellis.run(task("find", find, CONTEXT) >> task("compare", compare, (1, 1, 1)), workers=workers, raise_on_failure=True)
    # Every block needs all that was noted, so this is a run of its own.
    print(bellis.run(task("join", join, setup=one_number_each), workers=workers, raise_on_failure=True))
