"""Metadata of arrays, and the built-in tasks as functions."""

import contextlib
import io
import os
import tempfile
import unittest
from pathlib import Path

import numpy
import zarr

import bellis
from bellis import Roi


class Arrays(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.raw = self.folder / "a.zarr"
        array = zarr.create_array(self.raw, shape=(4, 6), chunks=(2, 6), dtype="uint8", zarr_format=2)
        array.attrs.update({"resolution": [40, 4], "offset": [80, 0]})
        array[:] = numpy.arange(24).reshape(4, 6)

    def test_are_described(self) -> None:
        array = bellis.open(self.raw)
        self.assertEqual((array.shape, array.dtype, array.chunk_shape), ((4, 6), "uint8", (2, 6)))
        self.assertEqual((array.voxel_size, array.offset, array.unit), ((40, 4), (80, 0), "nm"))
        self.assertEqual(array.roi, Roi((80, 0), (160, 24)))
        self.assertEqual(array.to_slices(((120, 8), (40, 8))), (slice(1, 2), slice(2, 4)))
        with self.assertRaisesRegex(bellis.CannotRun, "nothing.zarr does not exist"):
            bellis.open(self.folder / "nothing.zarr")

    def test_are_smoothed_as_by_the_command(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()):
            result = bellis.smooth(self.raw, self.folder / "b.zarr", sigma=1, workers=1, run_dir=self.folder / "runs")
            inverted = bellis.map(self.raw, self.folder / "c.zarr", "255 - x", workers=1, run_dir=self.folder / "runs")
        self.assertTrue(result and inverted)
        self.assertEqual(result["smooth"].completed, 1)
        self.assertTrue((zarr.open_array(self.folder / "c.zarr", mode="r")[:] == 255 - numpy.arange(24).reshape(4, 6)).all())
        with self.assertRaisesRegex(bellis.CannotRun, "sigma"), contextlib.redirect_stderr(io.StringIO()):
            bellis.smooth(self.raw, self.folder / "d.zarr", sigma=-1)

    def test_are_reduced_with_more_numbers_than_a_pipe_holds(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()):
            result = bellis.reduce(self.raw, bins=40_000, workers=1, run_dir=self.folder / "runs")
        self.assertTrue(result)

    def test_refuse_blocks_that_share_chunks(self) -> None:
        task = bellis.Task("t", print, ((80, 0), (160, 24)), ((80, 0), (40, 24)), read_write_conflict=False, writes=[str(self.raw)])
        with self.assertRaisesRegex(bellis.CannotRun, "chunk") as raised:
            bellis.run(task, workers=0)
        self.assertEqual(raised.exception.code, "CHUNK_CONFLICT")

    def test_are_smoothed_block_by_block_in_python(self) -> None:
        source = bellis.open(self.raw)
        voxels = zarr.open_array(self.raw, mode="r")
        target = zarr.create_array(self.folder / "out.zarr", shape=(4, 6), chunks=(2, 6), dtype="uint8", zarr_format=2)

        def double(block: bellis.Block) -> None:
            target[block.to_slices()] = 2 * voxels[block.to_slices()]

        task = bellis.Task(
            "double", double, source.roi, ((80, 0), (80, 24)), voxel_size=source.voxel_size, offset=source.offset
        )
        self.assertTrue(bellis.run(task, workers=2))
        self.assertTrue((target[:] == 2 * voxels[:]).all())


if __name__ == "__main__":
    unittest.main()
