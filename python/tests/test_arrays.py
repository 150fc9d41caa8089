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

    def test_of_a_pyramid_are_named_themselves(self) -> None:
        pyramid = self.folder / "p.zarr"
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertTrue(bellis.convert(self.raw, pyramid / "s0", workers=1, run_dir=self.folder / "runs"))
            self.assertTrue(bellis.downsample(pyramid / "s0", levels=1, workers=1, run_dir=self.folder / "runs"))
        array = bellis.open(pyramid)
        self.assertEqual(array.path, str(pyramid / "s0"))
        self.assertEqual(zarr.open_array(array.path, mode="r").shape, array.shape)

    def test_are_smoothed_as_by_the_command(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()):
            result = bellis.smooth(self.raw, self.folder / "b.zarr", sigma=1, workers=1, run_dir=self.folder / "runs")
            inverted = bellis.map(self.raw, self.folder / "c.zarr", "255 - x", workers=1, run_dir=self.folder / "runs")
        self.assertTrue(result and inverted)
        self.assertIsNone(result.reduction)
        self.assertEqual(result["smooth"].completed, 1)
        self.assertTrue((zarr.open_array(self.folder / "c.zarr", mode="r")[:] == 255 - numpy.arange(24).reshape(4, 6)).all())
        with self.assertRaisesRegex(bellis.CannotRun, "sigma"), contextlib.redirect_stderr(io.StringIO()):
            bellis.smooth(self.raw, self.folder / "d.zarr", sigma=-1)

    def test_are_reduced_with_more_numbers_than_a_pipe_holds(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()):
            result = bellis.reduce(self.raw, bins=40_000, workers=(1, 2), run_dir=self.folder / "runs")
        self.assertTrue(result)
        numbers = result.reduction
        self.assertEqual([numbers[name] for name in ("count", "nonzero", "min", "max", "mean")], [24, 23, 0, 23, 11.5])
        self.assertEqual(len(numbers["histogram"]["counts"]), 40_000)
        self.assertEqual(sum(numbers["histogram"]["counts"]), 24)

    def test_refuse_blocks_that_share_chunks(self) -> None:
        task = bellis.Task("t", print, ((80, 0), (160, 24)), ((80, 0), (40, 24)), read_write_conflict=False, writes=[str(self.raw)])
        with self.assertRaisesRegex(bellis.CannotRun, "chunk") as raised:
            bellis.run(task, workers=0)
        self.assertEqual(raised.exception.code, "CHUNK_CONFLICT")

    def test_are_not_written_with_another_voxel_size_or_offset_than_their_own(self) -> None:
        # Voxels of 40 × 4 nm from (80, 0) nm on.
        own = {"voxel_size": (40, 4), "offset": (80, 0)}
        total, block = ((80, 0), (160, 24)), ((0, 0), (80, 24))
        for options, text in (
            ({**own, "voxel_size": (80, 8)}, r"voxel_size \(80, 8\) nm: expected \(40, 4\) nm, as the metadata of .*correct the metadata"),
            ({"voxel_size": (40, 4)}, r"offset \(0, 0\) nm: expected \(80, 0\) nm, as the metadata.* gives only voxel_size, and offset is 0 on"),
            ({"offset": (80, 0)}, r"voxel_size \(1, 1\) nm: expected \(40, 4\) nm.* gives only offset, and voxel_size is 1 on"),
        ):
            wrong = bellis.Task("t", self.fail, total, block, read_write_conflict=False, writes=[self.raw], **options)
            with self.assertRaisesRegex(bellis.CannotRun, text):
                bellis.run(wrong, workers=0)
        for options in (own, {}):
            right = bellis.Task("t", lambda block: None, total, block, read_write_conflict=False, writes=[self.raw], **options)
            self.assertTrue(bellis.run(right, workers=0))

    def test_are_known_to_workers_that_join(self) -> None:
        source = bellis.open(self.raw)
        placed = bellis.Task("t", self.fail, source.roi, ((80, 0), (80, 24)), voxel_size=source.voxel_size, offset=source.offset)
        written = bellis.Task("t", self.fail, source.roi, ((80, 0), (80, 24)), writes=[self.raw])
        plain = bellis.Task("t", self.fail, source.roi, ((80, 0), (80, 24)))
        halves = [(slice(0, 2), slice(0, 6)), (slice(2, 4), slice(0, 6))]
        in_nm = [(slice(80, 160), slice(0, 24)), (slice(160, 240), slice(0, 24))]
        for task, size, parts in ((placed, (40, 4), halves), (written, (40, 4), halves), (plain, (), in_nm)):
            with bellis.start(task, pool="none", progress="none") as run:
                seen = [(block.voxel_size, block.to_slices(), block.to_slices(block.read_roi)) for block in bellis.blocks(run.context)]
            self.assertEqual(seen, [(size, part, part) for part in parts])

    def test_without_metadata_are_written_where_the_task_says(self) -> None:
        path = self.folder / "plain.zarr"
        zarr.create_array(path, shape=(4, 6), chunks=(2, 6), dtype="uint8")
        total, half, all_rows = ((80, 0), (160, 24)), ((0, 0), (40, 24)), ((0, 0), (80, 24))
        for block, code in ((half, "CHUNK_CONFLICT"), (all_rows, None), (((0, 0), (160, 48)), "OUTSIDE_ARRAY")):
            total_of = total if code != "OUTSIDE_ARRAY" else ((80, 0), (320, 48))
            task = bellis.Task(
                "t", lambda block: None, total_of, block, read_write_conflict=False, writes=[path], voxel_size=(40, 4), offset=(80, 0)
            )
            if code is None:
                self.assertTrue(bellis.run(task, workers=0))
                continue
            with self.assertRaises(bellis.CannotRun) as raised:
                bellis.run(task, workers=0)
            self.assertEqual(raised.exception.code, code)
        # What the metadata do say, counts.
        zarr.open_array(path, mode="r+").attrs["resolution"] = [40, 4]
        placed = bellis.Task("t", lambda block: None, total, all_rows, writes=[path], voxel_size=(40, 4), offset=(80, 0))
        self.assertTrue(bellis.run(placed, workers=0))
        with self.assertRaisesRegex(bellis.CannotRun, "voxel_size"):
            bellis.run(placed.replace(voxel_size=(20, 4)), workers=0)

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

    def test_with_voxels_of_fractions_of_nm_are_done_block_by_block(self) -> None:
        for size in ([4.5, 1.5, 1.5], [4.6, 4.6, 4.6], [0.5, 0.5, 0.5]):
            path = self.folder / f"fractions-{size[0]}.zarr"
            array = zarr.create_array(path, shape=(8, 8, 8), chunks=(4, 4, 4), dtype="uint8", zarr_format=2)
            array.attrs.update({"resolution": size, "offset": [size[0] * 2, 0, 0]})
            source = bellis.open(path)
            picometres = tuple(round(each * 1000) for each in size)
            self.assertEqual((source.voxel_size, source.unit), (picometres, "pm"))
            self.assertEqual(source.roi, Roi((2 * picometres[0], 0, 0), tuple(8 * each for each in picometres)))
            copy = zarr.create_array(self.folder / f"copy-{size[0]}.zarr", shape=(8, 8, 8), chunks=(4, 4, 4), dtype="uint8", zarr_format=2)
            copy.attrs.update(source.placement)
            opened = bellis.open(self.folder / f"copy-{size[0]}.zarr")
            self.assertEqual((opened.voxel_size, opened.roi, opened.unit), (source.voxel_size, source.roi, source.unit))
            seen = numpy.zeros((8, 8, 8), int)

            def count(block: bellis.Block) -> None:
                seen[block.to_slices()] += 1

            write = Roi((0, 0, 0), tuple(4 * each for each in source.voxel_size))
            task = bellis.Task("count", count, source.roi, write, voxel_size=source.voxel_size, offset=source.offset)
            self.assertTrue(bellis.run(task, workers=0, progress="none"))
            self.assertTrue((seen == 1).all(), seen)

    def test_are_never_written_by_parts_of_voxels(self) -> None:
        total, write = ((0, 0), (80, 8)), ((0, 0), (40, 4))
        for options, text in (
            ({"voxel_size": (4.5, 1)}, "voxel_size: expected whole numbers of world units, got 4.5; give .* in a finer unit"),
            ({"voxel_size": (10, 1), "offset": (0.5, 0)}, "offset: expected whole numbers of world units, got 0.5"),
            ({"voxel_size": (0.5, 1)}, "got 0.5"),
            ({"voxel_size": (30, 1)}, "does not cover whole voxels on axis 0: .* 40 world units from 0 on.*a voxel has 30"),
            ({"voxel_size": (10, 4), "offset": (0, 2)}, "does not cover whole voxels on axis 1: .* 4 world units from -2 on"),
            ({"voxel_size": (0, 4)}, "expected numbers above 0"),
            ({"voxel_size": (10,)}, "1 and 2 axes; expected the same number"),
        ):
            with self.assertRaisesRegex(ValueError, text):
                bellis.Task("t", print, total, write, **options)
        with self.assertRaisesRegex(ValueError, "total_roi: expected whole numbers of world units, got 36.8"):
            bellis.Task("t", print, ((0,), (36.8,)), ((0,), (4,)))


if __name__ == "__main__":
    unittest.main()
