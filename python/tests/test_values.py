"""What is passed to tasks and runs: what is accepted, and what is refused in the words of Python."""

import os
import tempfile
import unittest
from pathlib import Path

import h5py
import numpy
import tensorstore
import zarr

import bellis
from bellis import Roi

TOTAL, BLOCK = ((0,), (8,)), ((0,), (1,))


def task(id="t", function=lambda block: None, **options):
    return bellis.Task(id, function, TOTAL, BLOCK, **{"read_write_conflict": False, **options})


class Values(unittest.TestCase):
    def test_are_refused_by_name(self) -> None:
        for options, error, text in (
            ({"id": "my task"}, ValueError, "The id of a task is 'my task'; use ASCII letters"),
            ({"id": ""}, ValueError, "The id of a task is ''"),
            ({"id": "../t"}, ValueError, "with a letter or a digit first"),
            ({"id": 3}, TypeError, "The id of a task is 3; expected a text"),
            ({"fit": "grow"}, ValueError, "fit is 'grow'; expected 'valid', 'shrink' or 'overhang'"),
            ({"workers": 0}, ValueError, "workers is 0; expected a whole number from 1"),
            ({"workers": 1.5}, TypeError, "workers is 1.5; expected a whole number from 1"),
            ({"max_retries": -1}, ValueError, "max_retries is -1; expected a whole number from 0"),
            ({"timeout": 0}, ValueError, "timeout is 0; expected a number above 0"),
            ({"timeout": "1"}, TypeError, "timeout is '1'; expected a number above 0"),
            ({"requires": {"gpu": -1}}, ValueError, r"requires\['gpu'\] is -1"),
            ({"max_ahead": 0}, ValueError, "max_ahead is 0"),
            ({"config": {"a": {1, 2}}}, TypeError, r"config\['a'\] is a builtins.set; expected a value that JSON has"),
            ({"config": {"a": [float("nan")]}}, ValueError, r"config\['a'\]\[0\] is nan; expected a finite number"),
            ({"config": {"a": 2**60}}, ValueError, "expected a whole number between -2.53 and 2.53, or the number as a text"),
            ({"config": {1: 2}}, TypeError, "config has the key 1; expected texts"),
        ):
            with self.assertRaisesRegex(error, text):
                task(**options)
        with self.assertRaisesRegex(ValueError, "total_roi: expected numbers between -2.53 and 2.53"):
            bellis.Task("t", print, ((0,), (2**60,)), BLOCK)
        with self.assertRaisesRegex(TypeError, "read_roi is 5; expected a Roi, or its offset and its shape"):
            bellis.Task("t", print, TOTAL, 5)

    def test_of_runs_are_refused_by_name(self) -> None:
        for options, error, text in (
            ({"workers": -1}, ValueError, "workers is -1; expected a whole number from 0"),
            ({"stall": 0}, ValueError, "stall is 0; expected a number above 0"),
            ({"max_history": 0.5}, ValueError, "max_history is 0.5; expected a number of MB from 1 to 1000000."),
            ({"on_stall": "wait"}, ValueError, "on_stall is 'wait'; expected 'end', 'move' or 'report'"),
            ({"pool": "slrum"}, ValueError, "pool is 'slrum'; expected 'process', 'none', 'slurm', 'sge', 'pbs' or 'lsf'"),
            ({"name": 3}, TypeError, "name is 3; expected a text"),
            ({"record": "postgres://here"}, ValueError, "record is 'postgres://here'; expected 'sqlite', 'none', or an address"),
            ({"resources": {"gpu": "all"}}, TypeError, r"resources\['gpu'\] is 'all'"),
        ):
            with self.assertRaisesRegex(error, text):
                bellis.run(task(), **options)
        with self.assertRaisesRegex(TypeError, "There is no task to run"):
            bellis.run()
        with self.assertRaisesRegex(TypeError, r"bellis.start\(\) has no option 'wrokers'; did you mean workers\?"):
            bellis.start(task(), wrokers=2)

    def test_are_named_by_the_engine_as_arguments_are(self) -> None:
        with self.assertRaisesRegex(bellis.CannotRun, "write_roi 0:2 is not inside read_roi 0:1; grow read_roi"):
            bellis.run(bellis.Task("t", print, TOTAL, BLOCK, ((0,), (2,))), workers=0)

    def test_of_numpy_are_numbers(self) -> None:
        seen = []
        config = {"n": numpy.int64(3), "f": numpy.float32(0.5), "b": numpy.bool_(True), "s": numpy.str_("x"), "a": numpy.arange(3), "p": Path("x")}
        numbers = {"workers": numpy.int64(2), "max_retries": numpy.int32(1), "timeout": numpy.float32(30), "requires": {"cpu": numpy.int64(1)}}
        one = task(function=lambda block: seen.append(block.config), config=config, **numbers)
        self.assertTrue(bellis.run(one, workers=numpy.int64(0)))
        self.assertEqual(seen[0], {"n": 3, "f": 0.5, "b": True, "s": "x", "a": [0, 1, 2], "p": "x"})
        self.assertEqual({type(seen[0][name]) for name in "nfba"}, {int, float, bool, list})


class Masks(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = os.path.join(folder.name, "mask.zarr")
        # Two voxels of 20 nm along an axis are ten blocks of 4 nm; the second half is inside.
        self.mask = zarr.create_array(self.path, shape=(2, 1), chunks=(1, 1), dtype="uint8")
        self.mask.attrs.update({"resolution": [20, 8]})
        self.mask[1] = 1

    def task(self, function, **options):
        return bellis.Task("t", function, ((0, 0), (40, 8)), ((0, 0), (4, 4)), read_write_conflict=False, **options)

    def test_leave_out_blocks_that_write_nothing_inside(self) -> None:
        for ours, runs in (({"mask": self.path}, {}), ({"mask": self.mask}, {}), ({}, {"mask": self.path}), ({}, {"mask": bellis.open(self.path)})):
            seen = []
            result = bellis.run(self.task(lambda block: seen.append(block.index), **ours), workers=0, **runs)
            self.assertTrue(result, result)
            self.assertEqual(sorted(seen), list(range(10, 20)))
            counts = result["t"]
            self.assertEqual((counts.total, counts.completed, counts.masked, counts.skipped), (20, 20, 10, 0))
        self.assertIn("20 of 20 blocks completed, 10 of them masked", repr(result))
        self.assertIn("<th>masked</th>", result._repr_html_())

    def test_of_blocks_leave_these_out(self) -> None:
        grid = numpy.zeros((10, 2), bool)
        grid[:, 1] = True
        for mask in (grid, grid.tolist(), numpy.asfortranarray(grid)):
            seen = []
            result = bellis.run(self.task(lambda block: seen.append(block.index), skip_mask=mask), workers=0)
            self.assertEqual(sorted(seen), list(range(0, 20, 2)))
            self.assertEqual((result["t"].completed, result["t"].masked), (20, 10))
        both = bellis.run(self.task(lambda block: None, skip_mask=grid, mask=self.path), workers=0)
        self.assertEqual(both["t"].masked, 15)
        one = self.task(lambda block: None, skip_mask=grid)
        grid[:] = True
        self.assertEqual(bellis.run(one, workers=0)["t"].masked, 10)

    def test_that_leave_out_all_blocks_start_no_worker(self) -> None:
        def fail(config):
            raise AssertionError("a worker was set up")

        events = []
        with tempfile.TemporaryDirectory() as folder:
            all_masked = self.task(lambda block, state: None, setup=fail, skip_mask=[[1, 1]] * 10)
            result = bellis.run(all_masked, workers=2, progress=events.append, run_dir=folder)
        self.assertTrue(result)
        self.assertEqual(result["t"].masked, 20)
        self.assertEqual([event["type"] for event in events if event["type"].startswith("worker")], [])

    def test_of_other_shapes_are_refused(self) -> None:
        for mask, shape in ((numpy.zeros((10, 3)), r"\(10, 3\)"), ([[0, 0]] * 9, r"\(9, 2\)"), ([0] * 20, r"\(20,\)")):
            with self.assertRaisesRegex(ValueError, rf'Task "t": skip_mask has the shape {shape}; expected \(10, 2\)'):
                self.task(print, skip_mask=mask)
        with self.assertRaisesRegex(ValueError, "mask: the numpy.ndarray is not stored in a file"):
            self.task(print, mask=numpy.zeros((2, 1)))
        with self.assertRaisesRegex(bellis.CannotRun, "mask.zarr has 2 axes, its blocks have 1"):
            bellis.run(task(mask=self.path), workers=0)


class Written(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = os.path.realpath(folder.name)

    def path(self, name: str) -> str:
        return os.path.join(self.folder, name)

    def assert_checked(self, array: object, path: str) -> None:
        """The array is named by its path, and the engine finds the chunks that blocks share there: they have two voxels."""
        wrong = bellis.Task("t", print, ((0, 0), (4, 4)), ((0, 0), (1, 4)), read_write_conflict=False, writes=array)
        self.assertEqual(wrong.writes, (path,))
        with self.assertRaisesRegex(bellis.CannotRun, "chunk") as raised:
            bellis.run(wrong, workers=0)
        self.assertEqual(raised.exception.code, "CHUNK_CONFLICT")
        right = bellis.Task("t", lambda block: None, ((0, 0), (4, 4)), ((0, 0), (2, 4)), read_write_conflict=False, writes=[array])
        self.assertTrue(bellis.run(right, workers=0))

    def array(self, name: str = "a.zarr"):
        return zarr.create_array(self.path(name), shape=(4, 4), chunks=(2, 4), dtype="uint8")

    def test_are_one_path_or_several(self) -> None:
        self.array()
        self.assert_checked(self.path("a.zarr"), self.path("a.zarr"))
        self.assert_checked(Path(self.path("a.zarr")), self.path("a.zarr"))

    def test_are_arrays_of_zarr(self) -> None:
        self.assert_checked(self.array(), self.path("a.zarr"))
        group = zarr.open_group(self.path("g.zarr"), mode="w", zarr_format=2)
        inner = group.create_array("volumes/raw", shape=(4, 4), chunks=(2, 4), dtype="uint8")
        self.assert_checked(inner, self.path("g.zarr/volumes/raw"))
        self.assert_checked(bellis.open(self.path("g.zarr/volumes/raw")), self.path("g.zarr/volumes/raw"))

    def test_are_arrays_of_tensorstore(self) -> None:
        for driver, name, metadata in (
            ("zarr3", "t.zarr", {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": [2, 4]}}}),
            ("zarr", "t2.zarr", {"chunks": [2, 4]}),
        ):
            spec = {"driver": driver, "kvstore": {"driver": "file", "path": self.path(name)}, "metadata": metadata}
            array = tensorstore.open(spec, create=True, dtype=tensorstore.uint8, shape=[4, 4]).result()
            self.assert_checked(array, self.path(name))
            self.assert_checked(array[1:], self.path(name))
            with self.assertRaisesRegex(ValueError, "the tensorstore.TensorStore is a part or a view of an array; give the path"):
                task(writes=array.transpose())
        memory = tensorstore.open({"driver": "zarr3", "kvstore": {"driver": "memory"}}, create=True, dtype=tensorstore.uint8, shape=[4]).result()
        with self.assertRaisesRegex(ValueError, "is in no folder of this machine"):
            task(writes=[memory])

    def test_are_scales_of_precomputed_volumes(self) -> None:
        scale = {"size": [4, 4, 4], "resolution": [1, 1, 1], "encoding": "raw", "chunk_size": [4, 4, 2]}
        spec = {"driver": "neuroglancer_precomputed", "kvstore": {"driver": "file", "path": self.path("p")}, "scale_metadata": scale}
        multiscale = {"type": "image", "data_type": "uint8", "num_channels": 1}
        array = tensorstore.open({**spec, "multiscale_metadata": multiscale}, create=True).result()
        path = task(writes=array).writes[0]
        self.assertEqual(path, self.path("p/1_1_1"))
        self.assertEqual(bellis.open(path).dtype, "uint8")

    def test_are_datasets_of_hdf5(self) -> None:
        with h5py.File(self.path("a.h5"), "w") as file:
            dataset = file.create_dataset("volumes/raw", shape=(4, 4), chunks=(2, 4), dtype="uint8")
            dataset[:] = 1
            self.assert_checked(dataset, self.path("a.h5/volumes/raw"))
        for writes in (dataset, [dataset]):
            with self.assertRaisesRegex(ValueError, "writes: the h5py.Dataset is of a file that is closed; give the path of the array"):
                task(writes=writes)

    def test_are_refused_if_no_path_names_them(self) -> None:
        memory = zarr.create_array({}, shape=(4,), chunks=(2,), dtype="uint8")
        for array, error, text in (
            (memory, ValueError, "the zarr.Array is in a MemoryStore, which has no path; give the path of the array, or leave it out"),
            (numpy.zeros(4), ValueError, "the numpy.ndarray is not stored in a file"),
            (3, TypeError, "writes: expected paths or arrays, got 3"),
            ([3], TypeError, "expected the path of an array, or the array as a library has opened it, got 3"),
            ("", ValueError, "expected the path of an array, got ''"),
        ):
            with self.assertRaisesRegex(error, text):
                task(writes=array)


if __name__ == "__main__":
    unittest.main()
