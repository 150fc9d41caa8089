"""The names of Daisy 2."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import bellis.daisy
import bellis.daisy.v2 as daisy
from bellis.daisy.v2 import Roi
from numpy import array


class InFolder(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)
        self.addCleanup(daisy.set_tracking_basedir, None)

    def task(self, task_id="t", function=lambda block: None, **options):
        options = {"read_write_conflict": False, "max_retries": 0, **options}
        return daisy.Task(task_id, Roi((0,), (6,)), Roi((0,), (1,)), Roi((0,), (1,)), function, **options)

    def run_quietly(self, pipeline, **options):
        return daisy.run_blockwise(pipeline, progress=False, summary=False, **options)


class Pipelines(InFolder):
    def shape(self, pipeline):
        names = lambda tasks: "".join(task.task_id for task in tasks)
        return names(pipeline.tasks), [f"{a.task_id}{b.task_id}" for a, b in pipeline.edges], names(pipeline.sources), names(pipeline.outputs)

    def test_are_made_of_tasks_in_series_and_beside_each_other(self) -> None:
        a, b, c, d = map(self.task, "abcd")
        self.assertEqual(self.shape(a + b), ("ab", ["ab"], "a", "b"))
        self.assertEqual(self.shape(a | b), ("ab", [], "ab", "ab"))
        self.assertEqual(self.shape(a + b + c), ("abc", ["ab", "bc"], "a", "c"))
        self.assertEqual(self.shape((a | b) + (c | d)), ("abcd", ["ac", "ad", "bc", "bd"], "ab", "cd"))
        self.assertEqual(self.shape(a + (b | c) + d), ("abcd", ["ab", "ac", "bd", "cd"], "a", "d"))
        self.assertEqual(self.shape(daisy.Pipeline([a, b], [(a, b)])), ("ab", ["ab"], "a", "b"))

    def test_refuse_edges_to_other_tasks_circles_and_two_tasks_of_one_name(self) -> None:
        a, b = map(self.task, "ab")
        with self.assertRaisesRegex(ValueError, '"b", which is not among its tasks'):
            daisy.Pipeline([a], [(a, b)])
        with self.assertRaisesRegex(ValueError, "comes after itself"):
            self.run_quietly(daisy.Pipeline([a, b], [(a, b), (b, a)]))
        with self.assertRaisesRegex(ValueError, 'Two tasks are called "a"'):
            self.run_quietly(a | self.task("a"))

    def test_run_in_their_order(self) -> None:
        seen: list[str] = []
        first, second, beside = (self.task(name, lambda block: seen.append(block.task_id)) for name in ("first", "second", "beside"))
        self.assertIs((first + second | beside).run_blockwise(multiprocessing=False, progress=False, summary=False), True)
        self.assertLess(seen.index("first"), seen.index("second"))
        self.assertEqual(sorted(seen), ["beside"] * 6 + ["first"] * 6 + ["second"] * 6)

    def test_can_be_given_to_a_scheduler_and_to_the_names_of_version_1(self) -> None:
        a, b = self.task("a"), self.task("b")
        scheduler = daisy.Scheduler(a + b)
        self.assertIsNone(scheduler.acquire_block("b"))
        block = scheduler.acquire_block("a")
        block.status = daisy.BlockStatus.SUCCESS
        self.assertEqual(list(scheduler.release_block(block)), ["b"])
        states = bellis.daisy.run_blockwise(a + b, False, progress=False, summary=False)
        self.assertEqual({name: state.completed_count for name, state in states.items()}, {"a": 6, "b": 6})

    def test_keep_what_is_done_for_a_scheduler_too(self) -> None:
        def given(*outcomes, **options):
            scheduler = daisy.Scheduler(self.task(tracking_path="kept", **options))
            blocks = iter(lambda: scheduler.acquire_block("t"), None)
            for block, outcome in zip(blocks, outcomes):
                block.status = outcome
                scheduler.release_block(block)
                yield block.write_roi.offset[0]

        done, failed = daisy.BlockStatus.SUCCESS, daisy.BlockStatus.FAILED
        self.assertEqual(list(given(done, failed)), [0, 1])
        self.assertEqual([block.write_roi.offset[0] for block in self.task(tracking_path="kept").failed_blocks()], [1])
        self.assertEqual(list(given(*[done] * 6, skip_mask=array([0, 0, 0, 1, 0, 0]))), [1, 2, 4, 5])
        self.assertEqual(list(given(*[done] * 6)), [3])


class Runs(InFolder):
    def test_are_true_or_false(self) -> None:
        def fail(block):
            if block.write_roi.offset[0] == 2:
                raise ValueError("no")

        for multiprocessing in (True, False):
            self.assertIs(self.run_quietly(self.task(), multiprocessing=multiprocessing), True)
        self.assertIs(self.run_quietly(self.task(function=fail)), False)
        states = self.run_quietly(self.task(function=fail), return_states=True)
        self.assertEqual((states["t"].completed_count, states["t"].failed_count, states["t"].abandoned), (5, 1, False))
        self.assertIn("ValueError: no", states["t"].last_worker_error)
        with self.assertRaisesRegex(ValueError, "no"):
            self.run_quietly(self.task(function=fail), multiprocessing=False)

    def test_raise_if_a_task_is_abandoned_but_for_those_of_a_server(self) -> None:
        task = self.task(function=lambda block: os._exit(3), max_worker_restarts=1, max_retries=9)
        with self.assertRaisesRegex(RuntimeError, "task 't' was abandoned.*exit code 3"):
            self.run_quietly(task)
        self.assertTrue(daisy.Server().run_blockwise(task, progress=False, summary=False)["t"].abandoned)

    def test_print_a_summary(self) -> None:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            daisy.run_blockwise(self.task("one"), multiprocessing=False, progress=False)
        self.assertRegex(printed.getvalue(), r"task +blocks[\s\S]*one +6 +6 +0 +0 +0 +0")

    def test_give_worker_functions_their_context_if_they_ask_for_it(self) -> None:
        def worker(*, context):
            client = daisy.Client(context)
            while True:
                with client.acquire_block() as block:
                    if block is None:
                        break
                    (self.folder / f"{context['task_id']}-{block.block_id[1]}").touch()

        self.assertTrue(self.run_quietly(self.task(function=worker)))
        self.assertEqual(len(list(self.folder.glob("t-*"))), 6)

    def test_limit_blocks_to_ten_minutes_unless_told_otherwise(self) -> None:
        self.assertEqual((self.task().timeout_secs, self.task(timeout=None).timeout_secs), (600.0, None))


class Tracking(InFolder):
    def note(self, block) -> None:
        (self.folder / f"did-{block.block_id[1]}").touch()
        if block.write_roi.offset[0] == 3 and not (self.folder / "mended").exists():
            raise ValueError("no")

    def did(self) -> list[int]:
        found = sorted(int(path.name[4:]) for path in self.folder.glob("did-*"))
        for path in self.folder.glob("did-*"):
            path.unlink()
        return found

    def test_skips_done_blocks_in_the_next_run_and_knows_which_failed(self) -> None:
        daisy.set_tracking_basedir("kept")
        for multiprocessing in (True, False):
            task = self.task(f"t{multiprocessing}", self.note)
            (self.folder / "mended").unlink(missing_ok=True)
            with contextlib.suppress(ValueError):
                self.run_quietly(task, multiprocessing=True)
            self.did()
            self.assertEqual([block.block_id for block in task.failed_blocks()], [(task.task_id, 3)])
            (self.folder / "mended").touch()
            states = self.run_quietly(task, multiprocessing=multiprocessing, return_states=True)
            self.assertEqual((states[task.task_id].skipped_count, self.did(), task.failed_blocks()), (5, [3], []))
            self.assertEqual(task.reset(), str((self.folder / "kept" / task.task_id).resolve()))
            self.assertTrue(self.run_quietly(task, multiprocessing=multiprocessing))
            self.assertEqual(self.did(), [0, 1, 2, 3, 4, 5])
            self.assertTrue(self.run_quietly(task, multiprocessing=multiprocessing, block_tracking=False))
            self.assertEqual(self.did(), [0, 1, 2, 3, 4, 5])

    def test_counts_for_worker_functions_too(self) -> None:
        (self.folder / "mended").touch()

        def worker():
            client = daisy.Client()
            while True:
                with client.acquire_block() as block:
                    if block is None:
                        break
                    self.note(block)

        task = self.task(function=worker, tracking_path="kept")
        for expected in ([0, 1, 2, 3, 4, 5], []):
            self.assertTrue(self.run_quietly(task))
            self.assertEqual(self.did(), expected)

    def test_refuses_the_folder_of_other_blocks(self) -> None:
        self.run_quietly(self.task(tracking_path="kept"), multiprocessing=False)
        other = daisy.Task("t", Roi((0,), (6,)), Roi((0,), (2,)), Roi((0,), (2,)), print, tracking_path="kept")
        with self.assertRaisesRegex(ValueError, "tracks a task with other blocks"):
            self.run_quietly(other)

    def test_leaves_out_what_a_mask_says(self) -> None:
        (self.folder / "mended").touch()
        task = self.task(function=self.note, skip_mask=array([1, 0, 0, 1, 1, 1]))
        self.assertEqual(task.block_grid_shape, [6])
        states = self.run_quietly(task, return_states=True)
        self.assertEqual((states["t"].skipped_count, self.did()), (4, [1, 2]))
        with self.assertRaisesRegex(ValueError, r"shape \(2,\).*\(6,\)"):
            self.task(skip_mask=array([1, 0]))


class Install(InFolder):
    def test_reaches_programs_that_are_started_later(self) -> None:
        script = (
            "import bellis.daisy, subprocess, sys; bellis.daisy.install(); "
            "subprocess.run([sys.executable, '-c', 'import daisy, daisy.v2; print(daisy.Task, daisy.v2.Task)'], check=True)"
        )
        output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
        self.assertRegex(output, "bellis.daisy.task.Task.*bellis.daisy.v2.Task")


if __name__ == "__main__":
    unittest.main()
