"""The built-in tasks as functions: their options, their messages, their ends."""

import contextlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
from pathlib import Path

import numpy
import zarr

import bellis
from bellis import Roi

PATIENCE = 60.0


class InFolder(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)
        self.voxels = numpy.arange(8 * 16 * 16, dtype="uint16").reshape(8, 16, 16) % 251
        array = zarr.create_array("a.zarr", shape=(8, 16, 16), chunks=(4, 8, 8), dtype="uint16")
        array.attrs.update({"resolution": [40, 4, 4]})
        array[:] = self.voxels
        self.shown = io.StringIO()

    def call(self, function, *paths, **options):
        with contextlib.redirect_stderr(self.shown):
            return function(*paths, workers=1, **options)

    def read(self, name: str):
        return zarr.open_array(name, mode="r")[:]


class Options(InFolder):
    def test_are_those_of_the_commands(self) -> None:
        roi = Roi((40, 8, 0), (160, 32, 64))
        self.assertTrue(self.call(bellis.convert, "a.zarr", "b.zarr", roi=roi, chunk=(2, 4, 4), zarr_format=2, codec="gzip:1"))
        self.assertTrue((self.read("b.zarr") == self.voxels[1:5, 2:10]).all())
        self.assertEqual(zarr.open_array("b.zarr", mode="r").chunks, (2, 4, 4))
        self.assertTrue(self.call(bellis.threshold, "a.zarr", "mask.zarr", above=100))
        self.assertTrue((self.read("mask.zarr") == (self.voxels > 100)).all())
        self.assertTrue(self.call(bellis.map, "a.zarr", "c.zarr", "m ? x : 0", inputs={"m": "mask.zarr"}, resources={"cpu": 1}))
        self.assertTrue((self.read("c.zarr") == numpy.where(self.voxels > 100, self.voxels, 0)).all())
        self.assertTrue(self.call(bellis.label, "mask.zarr", "d.zarr", connectivity=3))
        self.assertTrue(self.call(bellis.smooth, Path("a.zarr"), "e.zarr", sigma=(0.5, 1, 1), mode="nearest", mask="mask.zarr"))

    def test_of_downsample_add_levels_beside_the_dataset(self) -> None:
        self.assertTrue(self.call(bellis.convert, "a.zarr", "p.zarr/s0"))
        result = self.call(bellis.downsample, "p.zarr/s0", levels=1, factor=(1, 2, 2), method="stride")
        self.assertTrue(result, result)
        self.assertTrue(any((self.read(f"p.zarr/{name}").shape == (8, 8, 8)) for name in os.listdir("p.zarr") if name not in ("s0", "zarr.json")))

    def test_that_are_wrong_are_named_as_arguments(self) -> None:
        for function, options, error, text in (
            (bellis.convert, {"wrokers": 2}, TypeError, r"bellis.convert\(\) has no option 'wrokers'; did you mean workers\?"),
            (bellis.convert, {"dry_run": True}, TypeError, "has no option 'dry_run'"),
            (bellis.smooth, {"sigma": -1}, bellis.CannotRun, "^sigma=-1: expected a number above 0"),
            (bellis.smooth, {"sigma": (0, 1, 1)}, bellis.CannotRun, r"^sigma\[0\]=0: expected a number above 0"),
            (bellis.smooth, {"sigma": 1, "mode": "up"}, bellis.CannotRun, "^mode=up: expected one of constant"),
            (bellis.smooth, {"block_write": (0, 1)}, bellis.CannotRun, "^block_write=0,1: expected comma-separated whole numbers"),
        ):
            with self.assertRaisesRegex(error, text), contextlib.redirect_stderr(self.shown):
                function("a.zarr", "out.zarr", **options)
        self.assertNotIn("--", self.shown.getvalue())

    def test_overwrite_is_named_where_an_output_exists(self) -> None:
        self.assertTrue(self.call(bellis.convert, "a.zarr", "b.zarr"))
        with self.assertRaisesRegex(bellis.CannotRun, "overwrite=True"):
            self.call(bellis.smooth, "a.zarr", "b.zarr")
        self.assertTrue(self.call(bellis.smooth, "a.zarr", "b.zarr", overwrite=True))


PROGRAM = textwrap.dedent(
    """
    import sys, bellis
    result = bellis.smooth("large.zarr", "b.zarr", sigma=1, workers=2, block_write=(1, 4, 4))
    print(result.ok, result.interrupted, flush=True)
    """
)


@unittest.skipUnless(sys.platform == "linux", "looks at /proc")
class Ends(InFolder):
    def start(self) -> subprocess.Popen[str]:
        """The program, with its workers stopped as soon as a block is done: most of its 8192 blocks are not."""
        zarr.create_array("large.zarr", shape=(32, 64, 64), chunks=(32, 64, 64), dtype="uint8")[:] = 1
        program = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.end, program)
        self.until(lambda: any(path.is_file() for path in Path("b.zarr/c").rglob("*")) or program.poll() is not None)
        self.assertEqual(len(self.workers(program)), 2)
        self.assertIsNone(program.poll(), "it ended before its workers were stopped")
        for worker in self.workers(program):
            os.kill(worker, signal.SIGSTOP)
        return program

    def end(self, program: subprocess.Popen[str]) -> None:
        for pid in self.started:
            if self.is_running(pid):
                os.kill(pid, signal.SIGKILL)
        program.kill()
        program.communicate()

    started: list[int] = []

    def descendants(self, pid: int) -> list[int]:
        children: list[int] = []
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                children += [int(child) for child in task.read_text().split()]
            except OSError:
                pass
        return [each for child in children for each in (child, *self.descendants(child))]

    def workers(self, program: subprocess.Popen[str]) -> list[int]:
        """The processes that the engine has started."""
        self.started = self.descendants(program.pid)
        return self.started[1:]

    def until(self, condition) -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)

    def is_running(self, pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    def test_ctrl_c_lets_running_blocks_end(self) -> None:
        program = self.start()
        program.send_signal(signal.SIGINT)
        for line in program.stderr:
            if "Ctrl-C again stops at once" in line:
                break
        for worker in self.started[1:]:
            os.kill(worker, signal.SIGCONT)
        out, err = program.communicate(timeout=PATIENCE)
        self.assertEqual((out, program.returncode), ("False True\n", 0), err)
        self.assertIn("The same call continues it", err)
        self.until(lambda: not any(map(self.is_running, self.started)))

    def test_ctrl_c_twice_ends_them(self) -> None:
        program = self.start()
        program.send_signal(signal.SIGINT)
        for line in program.stderr:
            if "Ctrl-C again stops at once" in line:
                break
        program.send_signal(signal.SIGINT)
        out, err = program.communicate(timeout=PATIENCE)
        self.assertEqual(out, "")
        self.assertRegex(err, "KeyboardInterrupt")
        self.until(lambda: not any(map(self.is_running, self.started)))

    def test_nothing_is_left_running_after_the_program_was_killed(self) -> None:
        program = self.start()
        program.kill()
        program.communicate(timeout=PATIENCE)
        self.until(lambda: not any(map(self.is_running, self.started)))


if __name__ == "__main__":
    unittest.main()
