"""Daisy's names: what its users rely on."""

import os
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import unittest
import unittest.mock
from pathlib import Path

import bellis.daisy as daisy
from bellis.daisy import Block, BlockStatus, Coordinate, Roi


class InFolder(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)

    def task(self, function, task_id="t", **options):
        options = {"read_write_conflict": False, "max_retries": 0, **options}
        return daisy.Task(task_id, Roi((0,), (10,)), Roi((0,), (1,)), Roi((0,), (1,)), function, **options)

    def note(self, name: object) -> None:
        (self.folder / str(name)).touch()

    def noted(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.is_file())


class Blocks(unittest.TestCase):
    def test_have_the_numbers_that_users_multiply_labels_by(self) -> None:
        total, read, write = Roi((0, 0), (42, 42)), Roi((0, 0), (10, 10)), Roi((2, 2), (6, 6))
        numbers = [
            Block(total, read + offset, Roi((0, 0), (6, 6)) + offset, task_id="t").block_id
            for offset in (Coordinate(0, 0), Coordinate(6, 0), Coordinate(0, 6), Coordinate(12, 0), Coordinate(6, 6))
        ]
        # Along the diagonals: (0, 0); (0, 1) and (1, 0); (0, 2), (1, 1) and (2, 0).
        self.assertEqual(numbers, [("t", 0), ("t", 2), ("t", 1), ("t", 5), ("t", 4)])

    def test_are_numbered_without_gaps(self) -> None:
        total = Roi((0, 0, 0), (100, 100, 100))
        near = [(z, y, x) for z in range(6) for y in range(6) for x in range(6) if z + y + x < 6]
        numbers = {Block(total, Roi(p, (1, 1, 1)), Roi(p, (1, 1, 1))).block_id[1] for p in near}
        self.assertEqual(numbers, set(range(len(near))))

    def test_of_one_number_are_equal(self) -> None:
        first, second = (Block(Roi((0,), (9,)), Roi((3,), (3,)), Roi((3,), (3,)), task_id=each) for each in ("t", "t"))
        self.assertEqual((first, hash(first)), (second, hash(second)))
        self.assertEqual(first.status, BlockStatus.CREATED)


class Runs(InFolder):
    def test_in_the_calling_thread_may_change_its_variables(self) -> None:
        seen = []
        states = daisy.run_blockwise([self.task(lambda block: seen.append(block.write_roi))], multiprocessing=False)
        self.assertEqual(sorted(roi.offset[0] for roi in seen), list(range(10)))
        self.assertIsInstance(seen[0], Roi)
        self.assertTrue(states)
        self.assertTrue(states["t"].is_done())

    def test_with_workers_do_closures(self) -> None:
        lock = threading.Lock()
        states = daisy.run_blockwise([self.task(lambda block: lock and self.note(block.block_id[1]), num_workers=2)])
        self.assertTrue(states)
        self.assertEqual(len(self.noted()), 10)

    def test_with_a_failed_block_are_not_true(self) -> None:
        def fail(block: Block) -> None:
            if block.write_roi.offset[0] == 3:
                block.status = BlockStatus.FAILED
            if block.write_roi.offset[0] == 4:
                raise ValueError("no")

        states = daisy.run_blockwise([self.task(fail)])
        self.assertFalse(states)
        self.assertTrue(states["t"].is_done())
        self.assertEqual((states["t"].completed_count, states["t"].failed_count), (8, 2))
        self.assertIn("ValueError: no", [failure.error for failure in states["t"].failures])
        self.assertIn("ValueError: no", (self.folder / "daisy_logs/t/worker_0.err").read_text())

    def test_in_the_calling_thread_end_with_an_exception(self) -> None:
        def fail(block: Block) -> None:
            raise ValueError("look at me")

        with self.assertRaisesRegex(ValueError, "look at me"):
            daisy.run_blockwise(self.task(fail), multiprocessing=False)
        with unittest.mock.patch.object(daisy.options, "serial_raises", False):
            self.assertEqual(daisy.run_blockwise(self.task(fail), multiprocessing=False)["t"].failed_count, 10)

    def test_skip_what_the_check_function_says_is_done(self) -> None:
        asked_in = set()

        def check(block: Block) -> bool:
            asked_in.add(os.getpid())
            if block.write_roi.offset[0] == 9:
                raise ValueError("not known, so not done")
            return block.write_roi.offset[0] < 5

        for multiprocessing in (False, True):
            with self.assertLogs("bellis.daisy.task"):
                states = daisy.run_blockwise(
                    self.task(lambda block: self.note(block.write_roi.offset[0]), check_function=check),
                    multiprocessing=multiprocessing,
                )
            self.assertEqual((states["t"].completed_count, states["t"].skipped_count), (10, 5))
        self.assertEqual(self.noted(), ["5", "6", "7", "8", "9"])
        self.assertEqual(asked_in, {os.getpid()})

    def test_fit_blocks(self) -> None:
        for fit, count in (("valid", 3), ("shrink", 4), ("overhang", 4)):
            seen = []
            task = daisy.Task("t", Roi((0,), (10,)), Roi((0,), (3,)), Roi((0,), (3,)), seen.append, fit=fit)
            daisy.run_blockwise(task, multiprocessing=False)
            self.assertEqual(len(seen), count)
            if fit == "shrink":
                self.assertEqual(max(seen, key=lambda block: block.write_roi.offset[0]).write_roi, Roi((9,), (1,)))

    def test_chain_tasks_and_orphan_blocks(self) -> None:
        def fail(block: Block) -> None:
            if block.write_roi.offset[0] == 0:
                raise ValueError("no")

        first = self.task(fail, "first", num_workers=2)
        second = self.task(lambda block: None, "second", upstream_tasks=[first])
        states = daisy.run_blockwise([second])
        self.assertEqual(list(states), ["first", "second"])
        self.assertEqual((states["second"].completed_count, states["second"].orphaned_count), (9, 1))

    def test_replace_workers_that_die(self) -> None:
        def die_once(block: Block) -> None:
            if block.write_roi.offset[0] == 4 and not (self.folder / "died").exists():
                self.note("died")
                os._exit(3)

        self.assertTrue(daisy.run_blockwise(self.task(die_once, max_retries=1)))

    def test_end_blocks_that_take_too_long(self) -> None:
        states = daisy.run_blockwise(self.task(lambda block: time.sleep(600), timeout=0.2, num_workers=10))
        self.assertEqual(states["t"].failed_count, 10)

    def test_have_the_names_of_servers(self) -> None:
        from bellis.daisy.cl_monitor import CLMonitor

        for server in (daisy.Server(), daisy.SerialServer()):
            CLMonitor(server)
            self.assertTrue(server.run_blockwise([self.task(lambda block: None)]))

    def test_tell_each_task_its_context(self) -> None:
        contexts = []
        daisy.run_blockwise(self.task(lambda block: None, init_callback_fn=contexts.append))
        self.assertEqual([context["task_id"] for context in contexts], ["t"])


class WorkerFunctions(InFolder):
    def work(self) -> None:
        client = daisy.Client()
        print("worker", client.worker_id)
        daisy.Client()  # for its worker_id alone; it never connects
        while True:
            with client.acquire_block() as block:
                if block is None:
                    break
                self.note(f"{block.block_id[0]}-{block.block_id[1]}")
                if block.block_id[1] == 2:
                    block.status = BlockStatus.FAILED

    def test_do_the_blocks_of_their_task_alone(self) -> None:
        first = self.task(self.work, "first", num_workers=2)
        second = self.task(self.work, "second", upstream_tasks=[first])
        states = daisy.run_blockwise([second])
        self.assertEqual((states["first"].completed_count, states["first"].failed_count), (9, 1))
        self.assertEqual((states["second"].completed_count, states["second"].orphaned_count), (9, 1))
        self.assertEqual(len(self.noted()), 19)
        logs = self.folder / "daisy_logs"
        self.assertIn("worker 0", (logs / "second" / "worker_0.out").read_text())

    def test_are_checked_for_by_the_program(self) -> None:
        states = daisy.run_blockwise(self.task(self.work, check_function=lambda block: block.block_id[1] != 7))
        self.assertEqual((states["t"].completed_count, states["t"].skipped_count), (10, 9))
        self.assertEqual(self.noted(), ["t-7"])

    def test_may_start_a_program_that_imports_daisy(self) -> None:
        program = self.folder / "program.py"
        program.write_text(
            textwrap.dedent("""
            import daisy, sys
            from daisy.logging import get_log_basedir
            client = daisy.Client()
            while True:
                with client.acquire_block() as block:
                    if block is None:
                        break
                    open(f"{sys.argv[1]}-{block.block_id[1]}", "w").close()
            """)
        )
        call = [sys.executable, "-m", "bellis.daisy", str(program), "by"]
        self.assertTrue(daisy.run_blockwise(self.task(lambda: subprocess.check_call(call), num_workers=2)))
        self.assertEqual(len(list(self.folder.glob("by-*"))), 10)

    def test_may_have_clients_in_forked_processes(self) -> None:
        def work() -> None:
            children = []
            for _ in range(2):
                child = os.fork()
                if child == 0:
                    self.work()
                    os._exit(0)
                children.append(child)
            for child in children:
                os.waitpid(child, 0)

        states = daisy.run_blockwise(self.task(work))
        self.assertEqual(states["t"].completed_count + states["t"].failed_count, 10)


class Programs(InFolder):
    def test_find_it_by_the_name_of_daisy(self) -> None:
        (self.folder / "theirs.py").write_text("import daisy, daisy.block; print(daisy.Task.__module__, __name__)")
        for call in (["-m", "theirs"], ["theirs.py"]):
            done = subprocess.run([sys.executable, "-m", "bellis.daisy", *call], capture_output=True, text=True, check=True)
            self.assertEqual(done.stdout, "bellis.daisy.task __main__\n")

    def test_have_arrays_that_are_read_outside_only_with_a_fill_value(self) -> None:
        total = Roi((0, 0), (40, 8))
        array = daisy.prepare_ds("a.zarr", "raw", total, Coordinate(10, 2), "uint8", write_size=Coordinate(20, 4))
        array[total] = 7
        outside = Roi((-10, -2), (20, 6))
        self.assertEqual(array.to_ndarray(outside, fill_value=9).tolist(), [[9, 9, 9], [9, 7, 7]])
        self.assertEqual(array.intersect(outside).shape, (1, 2))
        self.assertEqual(array[Coordinate(10, 2)], 7)
        for read in (lambda: array.to_ndarray(outside), lambda: array[outside], lambda: array[Coordinate(40, 0)]):
            with self.assertRaisesRegex(IndexError, "is not inside this array"):
                read()
        with self.assertRaisesRegex(IndexError, "is not inside this array"):
            array[outside] = 1
        with self.assertRaisesRegex(ValueError, r"offset \(5, 0\) is not a multiple of the voxel size"):
            array[Roi((5, 0), (10, 2))] = 1
        with self.assertRaisesRegex(ValueError, "is not inside the data"):
            daisy.Array(array.data, outside, Coordinate(10, 2), Coordinate(0, 0))
        self.assertTrue((array.to_ndarray() == 7).all())
        view = array[Roi((10, 2), (20, 4))]
        view.materialize()
        array[total] = 1
        self.assertEqual(view.to_ndarray().tolist(), [[7, 7], [7, 7]])

    def test_have_prepared_datasets_that_are_kept_or_replaced(self) -> None:
        total = Roi((0, 0), (40, 8))
        made = daisy.prepare_ds("a.zarr", "v/raw", total, (10, 2), "uint8", write_size=(20, 4), num_channels=3, compressor={"id": "zlib"})
        self.assertEqual((made.shape, made.data.chunks), ((3, 4, 4), (3, 2, 2)))
        made[total] = 7
        same = daisy.prepare_ds("a.zarr", "v/raw", total, (10, 2), "uint8", write_size=(20, 4), num_channels=3, delete=True)
        self.assertTrue((same.to_ndarray() == 7).all())
        with self.assertRaisesRegex(RuntimeError, r"a.zarr/v/raw is there, but its shape is \(3, 4, 4\), not \(4, 4\); its dtype .*pass delete=True"):
            daisy.prepare_ds("a.zarr", "v/raw", total, (10, 2), "uint16")
        self.assertTrue((daisy.open_ds("a.zarr", "v/raw").to_ndarray() == 7).all())
        other = daisy.prepare_ds("a.zarr", "v/raw", total, (10, 2), "uint16", delete=True)
        self.assertEqual((other.dtype, other.to_ndarray().tolist()), ("uint16", [[0] * 4] * 4))
        large = Roi((0,), (600,))
        self.assertEqual(daisy.prepare_ds("a.zarr", "b", large, (1,), "uint8", write_size=(600,)).data.chunks, (300,))
        exact = daisy.prepare_ds("a.zarr", "c", large, (1,), "uint8", write_size=(600,), force_exact_write_size=True)
        self.assertEqual(exact.data.chunks, (600,))
        with self.assertRaisesRegex(ValueError, r"write_size \(15, 4\) is not a multiple"):
            daisy.prepare_ds("a.zarr", "d", total, (10, 2), "uint8", write_size=(15, 4))

    def test_have_the_arrays_of_early_versions(self) -> None:
        total = Roi((0, 0), (40, 8))
        made = daisy.prepare_ds("a.zarr", "raw", total, Coordinate(10, 2), "uint8", write_size=Coordinate(20, 4))
        made[total] = 7
        read = daisy.open_ds("a.zarr", "raw")
        self.assertEqual((read.roi, read.voxel_size, read.data.chunks), (total, (10, 2), (2, 2)))
        self.assertEqual(read.to_ndarray(Roi((10, 0), (10, 8))).tolist(), [[7, 7, 7, 7]])

    def test_pass_contexts_in_the_environment(self) -> None:
        context = daisy.Context(hostname="here", port=1, task_id="t", worker_id=3)
        with unittest.mock.patch.dict(os.environ, {daisy.Context.ENV_VARIABLE: context.to_env()}):
            self.assertEqual(daisy.Context.from_env()["worker_id"], "3")
            self.assertEqual(daisy.Client().worker_id, 3)
        with self.assertRaises(KeyError):
            context["nothing"]


if __name__ == "__main__":
    unittest.main()
