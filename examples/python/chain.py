"""Two Gaussians, the second of which starts before the first has ended: `python chain.py INPUT ONCE TWICE [WORKERS]`."""

import sys

import bellis
import zarr
from scipy.ndimage import gaussian_filter

BLOCK, CONTEXT = (16, 32, 32), (4, 4, 4)

paths, rest = sys.argv[1:4], sys.argv[4:]
raw = bellis.open(paths[0])
size = raw.voxel_size
arrays = [zarr.open_array(paths[0], mode="r")]
for path in paths[1:]:
    arrays.append(zarr.create_array(path, shape=raw.shape, chunks=BLOCK, dtype=raw.dtype, overwrite=True))
    arrays[-1].attrs.update(raw.placement)


def smoothing(name, source, target):
    """A task that smooths one array into another."""

    def smooth(block):
        read, write = block.to_slices(block.read_roi), block.to_slices()
        inner = tuple(slice(w.start - r.start, w.stop - r.start) for r, w in zip(read, write))
        target[write] = gaussian_filter(source[read], sigma=1, mode="nearest")[inner]

    context, block_shape = (tuple(n * s for n, s in zip(voxels, size)) for voxels in (CONTEXT, BLOCK))
    block_roi = bellis.Roi((0, 0, 0), block_shape)
    return bellis.Task(
        *(name, smooth, raw.roi.grow(context), block_roi.grow(context), block_roi),
        fit="shrink",
        read_write_conflict=False,
        voxel_size=size,
        offset=raw.offset,
    )


first = smoothing("first", arrays[0], arrays[1])
second = smoothing("second", arrays[1], arrays[2])

if __name__ == "__main__":
    print(bellis.run(first >> second, workers=int(rest[0]) if rest else None, raise_on_failure=True))
