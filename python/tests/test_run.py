"""Runs from Python: functions, workers, failures, records, ends."""

import bdb
import contextlib
import functools
import io
import json
import multiprocessing
import multiprocessing.spawn
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
import traceback
import unittest
import unittest.mock
from pathlib import Path

import bellis
from bellis import Roi, _crew, _kept, _worker

TOTAL, BLOCK = ((0,), (8,)), ((0,), (1,))


def run_in_pool(workers: int, method: str) -> str:
    try:
        task = bellis.Task("t", lambda block: None, ((0,), (2,)), ((0,), (1,)))
        return str(bool(bellis.run(task, workers=workers, start_method=method, progress="none")))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


class InFolder(unittest.TestCase):
    """Each test has an empty folder as its working directory."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(self.folder)

    def task(self, function, id="t", **options):
        options = {"read_write_conflict": False, "max_retries": 0, **options}
        return bellis.Task(id, function, TOTAL, BLOCK, **options)

    def note(self, name: object) -> None:
        """For functions in other processes: leaves a file."""
        (self.folder / str(name)).touch()

    def noted(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.is_file())


class Workers(InFolder):
    def test_0_do_blocks_in_the_calling_thread_so_that_closures_see_what_changes(self) -> None:
        seen = []
        thread = threading.current_thread()

        def note(block: bellis.Block) -> None:
            self.assertIs(threading.current_thread(), thread)
            seen.append((block.index, block.write_roi))

        result = bellis.run(self.task(note), workers=0)
        self.assertTrue(result)
        self.assertEqual(sorted(seen), [(index, Roi((index,), (1,))) for index in range(8)])

    def test_are_forked_with_closures_and_lambdas_as_they_are(self) -> None:
        lock = threading.Lock()  # can't be pickled
        task = self.task(lambda block: self.note(block.index) if not lock.locked() else None)
        result = bellis.run(task, workers=2, start_method="fork")
        self.assertTrue(result, result)
        self.assertEqual(self.noted(), [str(index) for index in range(8)])

    @unittest.skipUnless(hasattr(os, "fork"), "no fork here")
    def test_have_functions_that_end_processes_of_their_own(self) -> None:
        def end(block: bellis.Block) -> None:
            context = multiprocessing.get_context("fork")
            with context.Pool(2) as pool:
                assert pool.map(abs, [-1, -2]) == [1, 2]
            process = context.Process(target=time.sleep, args=(60,))
            process.start()
            process.terminate()
            process.join()

        for workers in (0, 2):
            with self.subTest(workers=workers):
                result = bellis.run(self.task(end), workers=workers, timeout=30, progress="none")
                self.assertEqual([failure.error for failure in result["t"].failures], [])

    @unittest.skipUnless(hasattr(os, "fork"), "no fork here")
    def test_are_not_what_a_function_forks_however_that_ends(self) -> None:
        def leave(block: bellis.Block) -> None:
            process = os.fork()
            if process == 0:
                if block.index % 3 == 0:
                    sys.exit(0)
                if block.index % 3 == 1:
                    raise RuntimeError("in another process")
                return
            os.waitpid(process, 0)
            self.note(f"{block.index}-{os.getpid()}")

        result = bellis.run(self.task(leave), workers=2, start_method="fork", timeout=30, progress="none")
        self.assertEqual([failure.error for failure in result["t"].failures], [])
        self.assertEqual(len(self.noted()), 8)
        self.assertEqual(len({name.partition("-")[2] for name in self.noted()}), 2)

    def test_are_new_interpreters_that_get_functions_by_value(self) -> None:
        for method in ("spawn", "forkserver"):
            folder = self.folder / method
            folder.mkdir()

            def note(block: bellis.Block) -> None:
                (folder / f"{block.index}-{block.config['suffix']}").touch()

            result = bellis.run(self.task(note, config={"suffix": "x"}), workers=2, start_method=method)
            self.assertTrue(result, result)
            self.assertEqual(sorted(os.listdir(folder)), [f"{index}-x" for index in range(8)])

    def test_refuse_what_can_not_be_pickled_by_name_and_line(self) -> None:
        lock = threading.Lock()
        task = self.task(lambda block: lock.locked())
        line = task.function.__code__.co_firstlineno
        text = rf'Task "t": its function at .*test_run\.py:{line} can\'t be .*variable `lock` is a _thread\.lock; open it'
        with self.assertRaisesRegex(bellis.CannotPickle, text):
            bellis.run(task, workers=1, start_method="spawn")

    def test_refuse_to_get_copies_of_an_array_that_they_would_write(self) -> None:
        import numpy

        voxels = numpy.lib.format.open_memmap("voxels.npy", mode="w+", shape=(8,))

        def write(block):
            voxels[block.index] = 1

        with self.assertRaisesRegex(bellis.CannotPickle, "variable `voxels` is a writable numpy.memmap.*open it inside"):
            bellis.run(self.task(write), workers=1, start_method="spawn")
        self.assertTrue(bellis.run(self.task(write), workers=1, start_method="fork"))
        self.assertEqual(voxels.sum(), 8)

    def test_are_as_many_as_there_is_work_for_within_two_numbers(self) -> None:
        def meet(block: bellis.Block) -> None:
            self.note(f"worker-{os.getpid()}")
            until(lambda: len(list(self.folder.glob("worker-*"))) > 1)

        # Two blocks that wait for each other: the second worker starts although one was enough before.
        task = bellis.Task("t", meet, ((0,), (2,)), BLOCK, read_write_conflict=False, max_retries=0)
        self.assertTrue(bellis.run(task, workers=(1, 3), progress="none"))
        self.assertEqual(len(self.noted()), 2)
        for workers, kind, text in (
            ((3, 2), ValueError, r"workers is \(3, 2\); expected the least before the most, such as \(2, 3\)"),
            ((0, 2), ValueError, r"workers\[0\] is 0; expected a whole number from 1"),
            ((1, 2, 3), ValueError, "expected a number, or the least and the most"),
            (("1", 2), TypeError, r"workers\[0\] is '1'"),
        ):
            with self.assertRaisesRegex(kind, text):
                bellis.run(task, workers=workers)
        with self.assertRaisesRegex(ValueError, r'workers is \(1, 2\), but with pool="none" no workers are started; leave it out'):
            bellis.start(task, workers=(1, 2), pool="none")
        with self.assertRaisesRegex(ValueError, 'workers is 4, but with pool="none" no workers are started; leave it out'):
            bellis.start(task, workers=4, pool="none")

    def test_are_set_up_once_each(self) -> None:
        def set_up(config, resources):
            self.note(f"setup-{os.getpid()}")
            return config["value"]

        def do(block, state):
            self.note(f"block-{block.index}-{state}")

        result = bellis.run(self.task(do, setup=set_up, config={"value": 7}), workers=1)
        self.assertTrue(result, result)
        self.assertEqual(len([name for name in self.noted() if name.startswith("setup")]), 1)
        self.assertIn("block-7-7", self.noted())

    def test_that_can_not_be_set_up_count_no_attempts(self) -> None:
        result = bellis.run(self.task(lambda block, state: None, setup=lambda: 1 // 0), workers=1)
        self.assertFalse(result)
        self.assertEqual(result["t"].failed, 0)
        self.assertIn("ZeroDivisionError", result["t"].error or "")

    def test_that_are_left_by_their_setup_say_why(self) -> None:
        for setup, text in ((lambda: sys.exit("no model"), "SystemExit.*no model"), (self.interrupt, "KeyboardInterrupt.*not here")):
            result = bellis.run(self.task(lambda block, state: None, setup=setup), workers=1)
            self.assertFalse(result)
            self.assertRegex(result["t"].error or "", text)

    def interrupt(self) -> None:
        raise KeyboardInterrupt("not here")

    def test_0_that_can_not_be_set_up_say_why(self) -> None:
        result = bellis.run(self.task(lambda block, state: None, setup=lambda: 1 // 0), workers=0)
        self.assertFalse(result)
        self.assertFalse(result.interrupted)
        self.assertEqual((result["t"].failed, result["t"].pending), (0, 8))
        self.assertIn("ZeroDivisionError", result["t"].error or "")
        self.assertIsInstance(result.exception, ZeroDivisionError)
        with self.assertRaisesRegex(bellis.RunFailed, "t: setup failed: ZeroDivisionError"):
            result.raise_for_failures()

    @unittest.skipUnless(sys.platform == "linux", "no other system ends processes with their parents")
    def test_load_no_library_of_the_system_each(self) -> None:
        with unittest.mock.patch.dict(sys.modules):
            sys.modules.pop("ctypes", None)
            _worker.prctl.cache_clear()
            forked = _crew.ForkedChild.of(lambda: None, "t")
            until(lambda: forked.reason() is not None)
            # This process has, so that those that are forked have it.
            self.assertIn("ctypes", sys.modules)

    def test_need_no_executable_of_multiprocessing(self) -> None:
        set_executable = multiprocessing.spawn.set_executable
        self.addCleanup(set_executable, multiprocessing.spawn.get_executable())
        self.addCleanup(_kept.keeper.close)
        for wrong in ("/nowhere/python", None):
            _kept.keeper.close()
            set_executable(wrong)
            self.assertTrue(bellis.run(self.task(lambda block: None), workers=1, start_method="fork", progress="none"))

    def test_do_not_start_if_nobody_could_end_them(self) -> None:
        _kept.keeper.close()
        with unittest.mock.patch.object(_kept.subprocess, "Popen", side_effect=FileNotFoundError(2, "No such file or directory")):
            with self.assertRaisesRegex(bellis.BellisError, r"can't be started \(.*No such file.*multiprocessing\.set_executable"):
                _kept.keeper.prepare()
        forked = lambda: [each.name for each in multiprocessing.active_children()]
        broken = bellis.BellisError("broken")
        with unittest.mock.patch.object(_kept.keeper, "prepare", side_effect=broken), self.assertRaisesRegex(bellis.BellisError, "broken"):
            bellis.run(self.task(lambda block: None), workers=1, start_method="fork", progress="none")
        self.assertEqual(forked(), [])

    def test_are_refused_in_a_process_that_may_have_none_except_for_those_that_are_not_forked(self) -> None:
        with multiprocessing.get_context("fork").Pool(1) as pool:
            self.assertRegex(pool.apply(run_in_pool, (2, "fork")), r"CannotRun: .*can't fork workers.*workers=0, or start_method=\"spawn\"")
            self.assertEqual(pool.apply(run_in_pool, (0, "fork")), "True")
            self.assertEqual(pool.apply(run_in_pool, (1, "spawn")), "True")

    def test_that_die_are_replaced(self) -> None:
        def die_once(block: bellis.Block) -> None:
            if block.index == 3 and not (self.folder / "died").exists():
                self.note("died")
                os.kill(os.getpid(), signal.SIGKILL)

        self.assertTrue(bellis.run(self.task(die_once, max_retries=1), workers=2))

    def test_that_die_take_the_programs_with_them_that_they_have_started(self) -> None:
        def die_once(block: bellis.Block) -> None:
            if block.index == 3 and not (self.folder / "pid").exists():
                program = subprocess.Popen(["sleep", "600"])
                (self.folder / "pid").write_text(str(program.pid))
                os.kill(os.getpid(), signal.SIGKILL)

        for method in ("fork", "spawn"):
            (self.folder / "pid").unlink(missing_ok=True)
            self.assertTrue(bellis.run(self.task(die_once, max_retries=1), workers=1, start_method=method))
            until(lambda: not is_running(int((self.folder / "pid").read_text())))

    def test_have_the_resources_that_a_task_requires_alone(self) -> None:
        def do(block: bellis.Block) -> None:
            self.note(f"gpu-{block.resources['gpu'][0]}-{os.environ['CUDA_VISIBLE_DEVICES']}")

        result = bellis.run(self.task(do, requires={"gpu": 1}), workers=2, resources={"gpu": 2})
        self.assertTrue(result, result)
        self.assertTrue(set(self.noted()) <= {"gpu-0-0", "gpu-1-1"}, self.noted())

    def test_have_gpus_of_those_that_the_program_may_use(self) -> None:
        with unittest.mock.patch.dict(os.environ, {"CUDA_VISIBLE_DEVICES": "GPU-a,GPU-b"}):
            do = lambda block: self.note(f"{block.resources['gpu'][0]}-{os.environ['CUDA_VISIBLE_DEVICES']}")
            result = bellis.run(self.task(do, requires={"gpu": 1}), workers=2, resources={"gpu": 2})
        self.assertTrue(result, result)
        self.assertTrue(set(self.noted()) <= {"0-GPU-a", "1-GPU-b"}, self.noted())

    def test_0_have_the_resources_that_a_task_requires_too(self) -> None:
        seen = []

        def do(block: bellis.Block) -> None:
            seen.append((block.task_id, block.resources, os.environ.get("CUDA_VISIBLE_DEVICES")))

        def set_up(config, resources):
            seen.append(("setup", resources, None))

        options = {"resources": {"gpu": 2}, "workers": 0}
        with unittest.mock.patch.dict(os.environ, {"CUDA_VISIBLE_DEVICES": "3,5"}):
            one = self.task(lambda block, state: do(block), "one", requires={"gpu": 1}, setup=set_up)
            both = bellis.Task("both", do, TOTAL, BLOCK, requires={"gpu": 2}, read_write_conflict=False)
            self.assertTrue(bellis.run(one >> both, **options))
            self.assertEqual(os.environ["CUDA_VISIBLE_DEVICES"], "3,5")
        self.assertEqual(seen[0], ("setup", {"gpu": [0]}, None))
        self.assertEqual(seen.count(("one", {"gpu": [0]}, "3")), 8, seen)
        self.assertEqual(seen.count(("both", {"gpu": [0, 1]}, "3,5")), 8, seen)
        with self.assertRaisesRegex(bellis.CannotRun, r'needs gpu 1, and the run has 0: give the run more \(resources=\{"gpu": 1\}\), or'):
            bellis.run(one, workers=0)

    def test_0_have_no_time_limits_since_they_may_stand_at_a_breakpoint(self) -> None:
        task = self.task(lambda block: time.sleep(1 if block.index == 1 else 0), timeout=0.2)
        events = []
        result = bellis.run(task, workers=0, timeout=0.2, stall=0.2, on_stall="report", progress=events.append)
        self.assertTrue(result, result)
        self.assertEqual({event["type"] for event in events} & {"warning", "block-retried", "block-failed", "worker-died"}, set())

    def test_of_one_task_are_limited(self) -> None:
        def do(block: bellis.Block) -> None:
            (self.folder / f"at-work-{os.getpid()}").touch()
            if len(list(self.folder.glob("at-work-*"))) > 1:
                self.note("two")
            time.sleep(0.01)
            (self.folder / f"at-work-{os.getpid()}").unlink()

        self.assertTrue(bellis.run(self.task(do, workers=1), workers=4))
        self.assertEqual(self.noted(), [])


class Blocks(InFolder):
    def test_that_fail_have_their_traceback_and_log(self) -> None:
        def fail(block: bellis.Block) -> None:
            print("about to fail")
            if block.index == 2:
                raise ValueError("no such neuron")

        result = bellis.run(self.task(fail, max_retries=1), workers=1)
        self.assertFalse(result)
        self.assertEqual((result["t"].completed, result["t"].failed), (7, 1))
        [failure] = result["t"].failures
        self.assertEqual((failure.block, failure.error, failure.attempts), (2, "ValueError: no such neuron", 2))
        self.assertEqual(failure.write_roi, Roi((2,), (1,)))
        self.assertIn('raise ValueError("no such neuron")', failure.traceback)
        assert failure.log is not None
        self.assertIn("about to fail", failure.log.read_text())
        self.assertIn("Traceback", failure.log.read_text())
        with self.assertRaisesRegex(bellis.RunFailed, "7 of 8 blocks completed, 1 failed(.|\n)*raise ValueError"):
            result.raise_for_failures()
        self.assertIn("no such neuron", result._repr_html_())

    def test_in_the_calling_thread_can_be_examined_after_they_have_failed(self) -> None:
        tried = []

        def fail(block: bellis.Block) -> None:
            tried.append(block.index)
            neuron = f"neuron {block.index}"
            raise ValueError(neuron)

        try:
            many = bellis.Task("t", fail, ((0,), (5000,)), BLOCK, read_write_conflict=False, max_retries=1)
            bellis.run(many, workers=0, raise_on_failure=True)
            self.fail("nothing was raised")
        except bellis.RunFailed as failed:
            # assertRaises would clear the frames.
            self.assertIn("ValueError: neuron", str(failed))
            self.assertIsInstance(failed.__cause__, ValueError)
            for error in (failed, failed.__cause__):
                innermost = list(traceback.walk_tb(error.__traceback__))[-1][0]
                self.assertEqual(innermost.f_locals["neuron"], str(failed.__cause__))
        self.assertEqual([index for index in tried if tried.count(index) > 1], [tried[-1]] * 2, "blocks were tried after the first failure")

        done = []

        def fail_one(block: bellis.Block) -> None:
            done.append(block.index)
            if block.index == 3:
                block.fail("three")

        for retries in (0, None):
            done.clear()
            with self.assertRaisesRegex(bellis.RunFailed, "three"):
                bellis.run(self.task(fail_one, max_retries=retries), workers=0, raise_on_failure=True)
            self.assertEqual((done[-1], done.count(3)), (3, 1 if retries == 0 else 3))

        result = bellis.run(self.task(fail), workers=0)
        self.assertEqual(result["t"].failed, 8)
        self.assertRegex(result.exception.args[0], "^neuron [0-7]$")
        self.assertIsNone(bellis.run(self.task(lambda block: None), workers=0).exception)

    def test_in_the_calling_thread_end_the_run_when_their_debugger_or_program_is_left(self) -> None:
        tried = []
        for error in (bdb.BdbQuit(), SystemExit(3), KeyboardInterrupt()):

            def leave(block: bellis.Block) -> None:
                tried.append(block.index)
                raise error

            tried.clear()
            with self.assertRaises(type(error)):
                bellis.run(self.task(leave, max_retries=2), workers=0)
            self.assertEqual(tried, [0])

    def test_that_end_their_program_have_failed(self) -> None:
        def leave(block: bellis.Block) -> None:
            if block.index == 2:
                sys.exit(3)

        for method in ("fork", "spawn"):
            result = bellis.run(self.task(leave), workers=1, start_method=method)
            self.assertEqual((result["t"].completed, result["t"].failed), (7, 1))
            [failure] = result["t"].failures
            self.assertEqual((failure.error, failure.code, failure.attempts), ("SystemExit: 3", "BLOCK_FAILED", 1))
            self.assertIn("in leave", failure.traceback)

    def test_that_interrupt_their_worker_have_failed(self) -> None:
        def interrupt(block: bellis.Block) -> None:
            if block.index == 2:
                raise KeyboardInterrupt("no more")
            if block.index == 3:
                raise BaseException("nothing")

        for method in ("fork", "spawn"):
            result = bellis.run(self.task(interrupt), workers=1, start_method=method)
            self.assertEqual((result["t"].completed, result["t"].failed), (6, 2))
            errors = sorted((failure.error, failure.attempts) for failure in result["t"].failures)
            self.assertEqual(errors, [("BaseException: nothing", 1), ("KeyboardInterrupt: no more", 1)])

    def test_are_not_done_by_functions_that_only_promise_to_run(self) -> None:
        async def promise(block):
            self.note("ran")

        def generate(block):
            yield self.note("ran")

        class Promise:
            async def __call__(self, block):
                pass

        for function, text in (
            (promise, 'Task "t": its function .*promise is an async function.*asyncio.run'),
            (functools.partial(promise), "is an async function"),
            (Promise(), "is an async function"),
            (generate, "its function .*generate is a generator function"),
        ):
            with self.assertRaisesRegex(TypeError, text):
                self.task(function)
        with self.assertRaisesRegex(TypeError, "its is_done .*promise is an async function"):
            self.task(print, is_done=promise)
        with self.assertRaisesRegex(TypeError, "its setup .*promise is an async function"):
            self.task(print, setup=promise)
        for hidden in (lambda block: promise(block), lambda block: generate(block)):
            result = bellis.run(self.task(hidden), workers=0)
            self.assertEqual(result["t"].failed, 8)
            self.assertRegex(result["t"].failures[0].error, "returned a (coroutine|generator), which nobody runs")
        self.assertEqual(self.noted(), [])

    def test_may_say_themselves_how_they_ended(self) -> None:
        def do(block: bellis.Block) -> None:
            if block.index == 0:
                block.fail("not good")
            elif block.index == 1:
                block.skip()

        for workers in (0, 1):
            result = bellis.run(self.task(do), workers=workers)
            self.assertEqual((result["t"].completed, result["t"].skipped, result["t"].failed), (7, 1, 1))

    def test_are_checked_before_and_after(self) -> None:
        done = {0, 1}

        def do(block: bellis.Block) -> None:
            if block.index != 5:
                done.add(block.index)

        result = bellis.run(self.task(do, is_done=lambda block: block.index in done), workers=0)
        self.assertEqual((result["t"].completed, result["t"].skipped, result["t"].failed), (7, 2, 1))
        self.assertIn("is_done", result["t"].failures[0].error)

    def test_that_take_too_long_are_ended(self) -> None:
        def hang(block: bellis.Block) -> None:
            if block.index == 1:
                time.sleep(600)

        result = bellis.run(self.task(hang, timeout=5), workers=2)
        self.assertEqual(result["t"].failed, 1)
        self.assertEqual(result["t"].failures[0].code, "BLOCK_TIMEOUT")

    def test_of_workers_that_do_not_advance_are_done_by_others(self) -> None:
        def stop_once(block: bellis.Block) -> None:
            if block.index == 1 and not (self.folder / "stopped").exists():
                self.note("stopped")
                os.kill(os.getpid(), signal.SIGSTOP)

        for method in ("fork", "spawn"):
            (self.folder / "stopped").unlink(missing_ok=True)
            died = []

            def watch(event) -> None:
                if event["type"] == "worker-died":
                    died.append(event["reason"])

            # Tried again: the attempt has failed.
            task = self.task(stop_once, max_retries=5)
            result = bellis.run(task, workers=2, stall=2, start_method=method, progress=watch)
            self.assertTrue(result, result)
            self.assertEqual(self.noted(), ["stopped"])
            self.assertTrue(any("has not advanced" in reason for reason in died), died)

    def test_of_a_later_task_wait_for_what_they_read(self) -> None:
        order: list[tuple[str, int]] = []

        @bellis.task(total_roi=TOTAL, read_roi=BLOCK, read_write_conflict=False)
        def first(block: bellis.Block) -> None:
            order.append(("first", block.index))

        @bellis.task(total_roi=TOTAL, read_roi=BLOCK, read_write_conflict=False)
        def second(block: bellis.Block) -> None:
            order.append(("second", block.index))

        self.assertTrue(bellis.run(first >> second, workers=0))
        self.assertEqual(len(order), 16)
        for index in range(8):
            self.assertLess(order.index(("first", index)), order.index(("second", index)))

    def test_know_the_part_of_an_array_that_they_cover(self) -> None:
        slices = []
        task = bellis.Task(
            "t",
            lambda block: slices.append((block.to_slices(), block.to_slices(block.read_roi))),
            total_roi=((100, 0), (40, 8)),
            read_roi=((100, 0), (40, 8)),
            write_roi=((120, 0), (20, 8)),
            voxel_size=(10, 2),
            offset=(100, 0),
        )
        self.assertTrue(bellis.run(task, workers=0))
        self.assertEqual(slices, [((slice(2, 4), slice(0, 4)), (slice(0, 4), slice(0, 4)))])


class Runs(InFolder):
    def test_with_a_name_continue_where_they_were(self) -> None:
        def fail(block: bellis.Block) -> None:
            if block.index > 4:
                raise ValueError("later")

        def note(block: bellis.Block) -> None:
            self.note(block.index)

        first = bellis.run(self.task(fail), workers=1, name="mine")
        self.assertEqual(first["t"].completed, 5)
        second = bellis.run(self.task(note), workers=1, name="mine")
        self.assertTrue(second)
        self.assertEqual(self.noted(), ["5", "6", "7"])
        self.assertTrue(bellis.run(self.task(note), workers=1, name="other"))
        self.assertEqual(len(self.noted()), 8)

    def test_continue_with_a_larger_volume_if_they_may_grow(self) -> None:
        def note(block: bellis.Block) -> None:
            self.note(block.write_roi.offset[0])

        def run(start: int, length: int, **options) -> bellis.Result:
            task = bellis.Task("t", note, ((start,), (length,)), ((start,), (2,)), read_write_conflict=False, fit="shrink")
            return bellis.run(task, workers=1, name="mine", progress="none", **options)

        self.assertTrue(run(4, 5))
        self.assertEqual(self.noted(), ["4", "6", "8"])
        for name in self.noted():
            (self.folder / name).unlink()
        with self.assertRaisesRegex(bellis.CannotRun, "grow"):
            run(0, 12)
        # Two blocks at the start, and those from the one that the old end has cut.
        grown = run(0, 12, grow=True)
        self.assertEqual((grown["t"].total, grown["t"].completed, grown["t"].skipped), (6, 6, 2))
        self.assertEqual(self.noted(), ["0", "10", "2", "8"])
        self.assertEqual(run(0, 12, grow=True)["t"].skipped, 6)
        with self.assertRaisesRegex(bellis.CannotRun, "not whole blocks"):
            run(-1, 13, grow=True)

    def test_without_a_name_leave_nothing_behind_if_they_succeed(self) -> None:
        with unittest.mock.patch.object(tempfile, "tempdir", str(self.folder)):
            for method in ("fork", "spawn"):
                result = bellis.run(self.task(lambda block: None), workers=1, start_method=method)
                self.assertTrue(result, result)
                self.assertIsNone(result.folder)
                self.assertEqual(list(self.folder.iterdir()), [])

    def test_are_refused_when_their_task_is_made_if_there_is_no_block(self) -> None:
        for total, read, write, text in (
            (((0,), (4,)), ((0,), (8,)), None, r"no block fits: write_roi has the shape \(8,\), but total_roi only \(4,\)"),
            (((0,), (8,)), ((0,), (10,)), ((4,), (2,)), r"nothing to write: .* \(0,\) are left without the context of read_roi \(10,\)"),
            (((0,), (8,)), ((0,), (0,)), None, "nothing to write"),
            (((0, 0), (8, 8)), ((0,), (1,)), None, "total_roi, read_roi and write_roi have 2, 1 and 1 axes"),
        ):
            with self.assertRaisesRegex(ValueError, text):
                bellis.Task("t", print, total, read, write)
        # Exactly one.
        bellis.Task("t", print, ((0, 0), (5, 9)), ((0, 0), (5, 9)), ((1, 1), (3, 7)))
        for fit in ("shrink", "overhang"):
            task = bellis.Task("t", lambda block: None, ((0,), (4,)), ((0,), (8,)), fit=fit)
            self.assertTrue(bellis.run(task, workers=0, progress="none"))

    def test_that_can_not_start_say_why(self) -> None:
        with self.assertRaisesRegex(bellis.CannotRun, "write") as raised:
            bellis.run(bellis.Task("t", print, TOTAL, ((0,), (1,)), ((0,), (2,))), workers=1)
        self.assertEqual(raised.exception.code, "WRITE_ROI_OUTSIDE_READ_ROI")
        with self.assertRaisesRegex(TypeError, "is not a task"):
            bellis.run(print)  # type: ignore[arg-type]

    @unittest.skipUnless(sys.platform == "linux" and shutil.which("unshare"), "needs namespaces")
    def test_on_a_machine_without_a_network_of_its_own_say_what_is_missing(self) -> None:
        apart = ["unshare", "--net"] if os.getuid() == 0 else ["unshare", "--net", "--map-root-user"]
        if subprocess.run([*apart, "true"], capture_output=True).returncode != 0:
            self.skipTest("may make no namespaces")
        program = 'import bellis; bellis.run(bellis.Task("t", print, ((0,), (1,)), ((0,), (1,))), workers=1)'
        done = subprocess.run([*apart, sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
        self.assertIn("CannotRun: This machine can't reach itself at 127.0.0.1", done.stderr)
        self.assertIn("ip link set lo up", done.stderr)

    def test_are_started_and_joined_by_other_programs(self) -> None:
        with bellis.start(self.task(self.fail), pool="none", progress="none") as run:
            done = [block.index for block in bellis.blocks(run.context)]
            self.assertTrue(run.result())
        self.assertEqual(sorted(done), list(range(8)))

    def test_say_how_workers_are_added(self) -> None:
        def note(block: bellis.Block) -> None:
            self.note(f"{block.index}-{block.config['suffix']}")

        # Files that their group may change.
        self.addCleanup(os.umask, os.umask(0o002))
        with bellis.start(self.task(note, config={"suffix": "x"}), pool="none", progress="none") as run:
            # Anywhere, and without what this program has in its environment.
            environment = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
            subprocess.run(run.command, shell=True, cwd="/", env=environment, check=True, timeout=120)
            self.assertTrue(run.result())
        self.assertEqual(self.noted(), [f"{index}-x" for index in range(8)])

    def test_refuse_workers_of_the_command_line_and_say_what_to_start(self) -> None:
        worker = [sys.executable, "-m", "bellis", "worker"]
        with bellis.start(self.task(lambda block: None), pool="none", progress="none", name="mine") as run:
            done = subprocess.run([*worker, run.folder], capture_output=True, text=True, timeout=120)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn("functions of the program that started the run, which this worker does not have; run.command", done.stderr)
            self.assertEqual(len(list(bellis.blocks(run.context))), 8)
            self.assertTrue(run.result())

    def test_are_continued_by_the_command_that_started_them(self) -> None:
        (self.folder / "mine.py").write_text(
            textwrap.dedent(
                """
                import bellis, os, sys
                def do(block):
                    if block.index > 4 and not os.path.exists("go"):
                        raise ValueError("later")
                    open(f"{block.index}-{sys.argv[1]}", "w").close()
                task = bellis.Task("t", do, ((0,), (8,)), ((0,), (1,)), read_write_conflict=False, max_retries=0)
                sys.exit(not bellis.run(task, workers=1, name="mine"))
                """
            )
        )
        first = subprocess.run([sys.executable, "mine.py", "x"], timeout=120)
        self.assertEqual(first.returncode, 1)
        (self.folder / "go").touch()
        call = [sys.executable, "-m", "bellis"]
        status = subprocess.run([*call, "status", "last"], capture_output=True, text=True, timeout=120)
        self.assertIn(f"To continue: {sys.executable} mine.py x", status.stdout)
        resumed = subprocess.run([*call, "resume", "last"], capture_output=True, text=True, timeout=120)
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        self.assertEqual([name for name in self.noted() if name.endswith("-x")], [f"{index}-x" for index in range(8)])

    def test_pass_events_to_a_function(self) -> None:
        events = []
        self.assertTrue(bellis.run(self.task(lambda block: None), workers=0, progress=events.append))
        self.assertEqual(events[0]["type"], "run-started")
        self.assertEqual(events[-1]["tasks"][0]["completed"], 8)

    def test_show_bars(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()) as shown:
            bellis.run(self.task(lambda block: None), workers=0, progress="bar")
        self.assertIn("t: 100%", shown.getvalue())


PROGRAM = """
import bellis, os, subprocess, sys, time
has_programs = "programs" in sys.argv
def slow(block):
    if block.index in (0, 1) and has_programs:
        program = subprocess.Popen(["sleep", "600"])
        open(f"pid-{program.pid}", "w").close()
    open(f"pid-{os.getpid()}", "w").close()
    if block.index in (0, 1):
        while not os.path.exists("go"):
            time.sleep(0.01)
task = bellis.Task("t", slow, ((0,), (50,)), ((0,), (1,)), read_write_conflict=False)
from bellis import _run
taken = _run.take_engine
def take():
    engine = taken()
    with open("engine", "w") as file:
        file.write(str(engine._process.pid))
    open(f"pid-{engine._process.pid}", "w").close()
    return engine
_run.take_engine = take
result = bellis.run(task, workers=2, start_method=sys.argv[1])
print(result.ok, result.interrupted, flush=True)
"""


class Ends(InFolder):
    def start(self, method: str = "fork", *more: str) -> subprocess.Popen:
        program = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PROGRAM), method, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.addCleanup(lambda: (program.kill(), program.communicate()))
        until(lambda: len(self.pids()) == (5 if more else 3) or program.poll() is not None)
        self.assertIsNone(program.poll(), program.poll() is not None and program.communicate())
        return program

    def pids(self) -> list[int]:
        return [int(path.name.removeprefix("pid-")) for path in self.folder.glob("pid-*")]

    def test_ctrl_c_lets_running_blocks_end(self) -> None:
        program = self.start()
        program.send_signal(signal.SIGINT)
        line = program.stderr.readline()
        self.assertIn("Stopping when the running blocks have ended", line)
        (self.folder / "go").touch()
        out, err = program.communicate(timeout=60)
        self.assertEqual((out, program.returncode), ("False True\n", 0), err)
        until(lambda: not any(map(is_running, self.pids())))

    def test_ctrl_c_ends_a_run_in_the_calling_thread_after_its_block(self) -> None:
        def interrupt(block: bellis.Block) -> None:
            if block.index == 2:
                os.kill(os.getpid(), signal.SIGINT)

        with contextlib.redirect_stderr(io.StringIO()) as shown:
            result = bellis.run(self.task(interrupt), workers=0)
        self.assertIn("Stopping when the running blocks have ended; Ctrl-C again ends them, too.", shown.getvalue())
        self.assertTrue(result.interrupted)
        self.assertEqual(result["t"].failed, 0)
        self.assertLess(result["t"].completed, 8)

    def test_sigterm_ends_a_run_in_the_calling_thread_after_its_block_but_not_the_program(self) -> None:
        def end(block: bellis.Block) -> None:
            if block.index == 2:
                os.kill(os.getpid(), signal.SIGTERM)

        with contextlib.redirect_stderr(io.StringIO()) as shown:
            result = bellis.run(self.task(end), workers=0)
        self.assertIn("SIGTERM has ended the run, after the running block.", shown.getvalue())
        self.assertNotIn("Ctrl-C", shown.getvalue())
        self.assertTrue(result.interrupted)
        self.assertLess(result["t"].completed, 8)

    def test_ctrl_c_twice_ends_running_blocks(self) -> None:
        program = self.start()
        program.send_signal(signal.SIGINT)
        program.stderr.readline()
        program.send_signal(signal.SIGINT)
        _, err = program.communicate(timeout=60)
        self.assertIn("KeyboardInterrupt", err)
        until(lambda: not any(map(is_running, self.pids())))

    def test_nothing_is_left_running_after_the_program_was_killed(self) -> None:
        for method in ("fork", "spawn"):
            for path in self.folder.glob("pid-*"):
                path.unlink()
            program = self.start(method, "programs")
            program.kill()
            program.communicate()
            until(lambda: not any(map(is_running, self.pids())))

    def test_nothing_is_left_on_the_disk_by_programs_that_were_killed_once_the_next_one_runs(self) -> None:
        temporary = self.folder / "temporary"
        temporary.mkdir()
        stranger = temporary / "bellis-of-others"
        stranger.mkdir()
        left = lambda: sorted(path.name for path in temporary.iterdir() if path != stranger)
        with unittest.mock.patch.dict(os.environ, {"TMPDIR": str(temporary)}):
            program = self.start("spawn")
        program.kill()
        program.communicate()
        until(lambda: not any(map(is_running, self.pids())))
        self.assertEqual(len(left()), 1)
        with unittest.mock.patch.object(tempfile, "tempdir", str(temporary)):
            # What a run that has failed leaves is there for a week after a run has found that its program has ended.
            failed = bellis.run(self.task(lambda block: 1 // 0), workers=1)
            self.assertEqual(left(), [failed.folder.parent.name])
            owner = failed.folder.parent / "owner.json"
            past = time.time() - 8 * 86_400
            os.utime(owner.parent, (past, past))
            for started, age, is_left in ((None, None, True), ("1", None, True), ("1", 6, True), ("1", 8, False)):
                about = json.loads(owner.read_text())
                about.update({} if started is None else {"processStart": started})
                if age is not None:
                    self.assertAlmostEqual(about["seenEnded"], time.time(), delta=7 * 86_400)
                    about["seenEnded"] = time.time() - age * 86_400
                owner.write_text(json.dumps(about))
                self.assertTrue(bellis.run(self.task(lambda block: None), workers=0))
                self.assertEqual(left(), [owner.parent.name] if is_left else [])
        self.assertTrue(stranger.exists())

    def test_the_program_is_told_when_the_engine_was_killed(self) -> None:
        program = self.start()
        os.kill(int((self.folder / "engine").read_text()), signal.SIGKILL)
        _, err = program.communicate(timeout=60)
        self.assertIn("EngineEnded: The engine ended unexpectedly (killed by signal 9)", err)
        until(lambda: not any(map(is_running, self.pids())))


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] != b"Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def until(condition, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        time.sleep(0.02)


if __name__ == "__main__":
    unittest.main()
