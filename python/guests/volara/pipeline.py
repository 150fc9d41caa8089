"""Threshold, connected components, relabel: tasks of volara as it is, on Bellis. `python pipeline.py [KILL_AT]`

A block of the components that finds so many done kills the program that started the run, so the next call has to continue.
Each attempt at a block of the components is a file in `done`.
"""

import bellis.daisy

bellis.daisy.install()

import os
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import numpy as np
from funlib.geometry import Coordinate, Roi
from funlib.persistence import prepare_ds
from scipy import ndimage
from volara.blockwise import Relabel, Threshold
from volara.blockwise.blockwise import BlockwiseTask
from volara.datasets import Labels, Raw
from volara.lut import LUT

SHAPE, BLOCK = Coordinate(24, 48, 40), Coordinate(12, 16, 16)
VOXEL = Coordinate(40, 4, 4)
kill_at = int(sys.argv[1]) if len(sys.argv) > 1 else None
program = os.getpid()
done = Path("done")
done.mkdir(exist_ok=True)

blobs = ndimage.gaussian_filter(np.random.default_rng(7).random(SHAPE), 1.5, mode="constant")
blobs = (blobs / blobs.max()).astype(np.float32)
raw, mask, parts, whole = (f"volume.zarr/{name}" for name in ("raw", "mask", "parts", "whole"))
if not Path(raw).exists():
    prepare_ds(raw, shape=SHAPE, voxel_size=VOXEL, chunk_shape=BLOCK, dtype=np.float32, mode="w")[:] = blobs


class Components(BlockwiseTask):
    """Numbers the components of each block; those of different blocks have different numbers."""

    fit: str = "shrink"
    read_write_conflict: bool = False
    _out_array_dtype: np.dtype = np.dtype(np.uint64)
    task_name: ClassVar = "components"
    write_size: ClassVar = BLOCK * VOXEL
    context_size: ClassVar = Coordinate(0, 0, 0)
    write_roi: ClassVar = Roi((0, 0, 0), SHAPE * VOXEL)

    def drop_artifacts(self):
        Labels(store=parts).drop()

    def init(self):
        Labels(store=parts).prepare(SHAPE, BLOCK, Coordinate(0, 0, 0), VOXEL, ["nm"] * 3, ["z", "y", "x"], ["space"] * 3, np.uint64)

    @contextmanager
    def process_block_func(self):
        source, target = Labels(store=mask).array("r"), Labels(store=parts).array("r+")

        def label(block):
            labels, count = ndimage.label(source[block.write_roi])
            offset = block.block_id[1] * int(np.prod(BLOCK))
            target[block.write_roi] = np.where(labels > 0, labels + offset, 0).astype(np.uint64)
            (done / f"{block.block_id[1]}-{program}").touch()
            if kill_at is not None and len(list(done.iterdir())) >= kill_at:
                os.kill(program, signal.SIGKILL)
                signal.pause()  # Until the engine, whose program is gone, ends this worker.

        yield label


threshold = Threshold(in_data=Raw(store=raw), mask=Labels(store=mask), threshold=0.87, block_size=BLOCK, num_workers=2)
components = Components(num_workers=2)
(threshold + components).run_blockwise(multiprocessing=True)

labels = Labels(store=parts).array("r")[:]
structure = ndimage.label(labels > 0)[0]
pairs = np.unique(np.stack([labels[labels > 0], structure[labels > 0].astype(np.uint64)]), axis=1)
lut = LUT(path="lut.npz")
lut.save(pairs)
relabel = Relabel(frags_data=Labels(store=parts), seg_data=Labels(store=whole), lut=lut, block_size=BLOCK, num_workers=2)
assert relabel.run_blockwise(multiprocessing=True)

expected = ndimage.label(blobs > 0.87)[0]
found = Labels(store=whole).array("r")[:]
assert expected.max() > 3, expected.max()
assert np.array_equal(found > 0, expected > 0)
# The same voxels belong together, whatever their numbers.
both = np.unique(np.stack([found[found > 0], expected[expected > 0].astype(np.uint64)]), axis=1)
assert both.shape[1] == expected.max() == len(np.unique(both[0])), both
print("right", expected.max())
