"""A Gaussian over a volume: `python smooth.py INPUT OUTPUT [WORKERS]`.

With a name, the run is recorded: killed at whatever moment, the same command continues where it was.
"""

import sys

import bellis
import zarr
from scipy.ndimage import gaussian_filter

SIGMA = (1, 2, 2)  # voxels
CONTEXT = tuple(4 * sigma for sigma in SIGMA)  # beyond this, the filter's weights are 0
BLOCK = (16, 64, 64)

input_path, output_path, *rest = sys.argv[1:]
raw = bellis.open(input_path)
source = zarr.open_array(input_path, mode="r")
# Mode "a": what is done stays, if this run continues an earlier one.
target = zarr.open_array(output_path, mode="a", shape=raw.shape, chunks=BLOCK, dtype=raw.dtype)
target.attrs.update(raw.placement)


def to_nm(voxels):
    return tuple(count * size for count, size in zip(voxels, raw.voxel_size))


context, block_roi = to_nm(CONTEXT), bellis.Roi((0, 0, 0), to_nm(BLOCK))


@bellis.task(
    # Blocks write all of the input, and read beyond it: what is not there is left out by `to_slices`.
    total_roi=raw.roi.grow(context),
    read_roi=block_roi.grow(context),
    write_roi=block_roi,
    fit="shrink",
    read_write_conflict=False,
    voxel_size=raw.voxel_size,
    offset=raw.offset,
    writes=[output_path],
)
def smooth(block):
    read, write = block.to_slices(block.read_roi), block.to_slices()
    voxels = gaussian_filter(source[read].astype("float32"), SIGMA, mode="nearest")
    inner = tuple(slice(w.start - r.start, w.stop - r.start) for r, w in zip(read, write))
    target[write] = voxels[inner].round().astype(raw.dtype)


if __name__ == "__main__":
    result = bellis.run(smooth, workers=int(rest[0]) if rest else None, name="smooth", raise_on_failure=True)
    print(result)
