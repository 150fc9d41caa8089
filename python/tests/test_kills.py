"""Programs, workers and engines that are killed at any moment: nothing is left running, the same call continues, the result is right."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest
from pathlib import Path

import bellis

#: Each block adds its number to its voxel, once, and leaves a note of each attempt.
PROGRAM = textwrap.dedent(
    """
    import os, sys, time
    import bellis
    import numpy as np

    def add(block):
        voxels = np.lib.format.open_memmap("voxels.npy", mode="r+")
        open(f"attempts/{block.index}-{os.getpid()}-{time.monotonic_ns()}", "w").close()
        time.sleep(0.004)
        voxels[block.index] = block.index + 1
        voxels.flush()

    task = bellis.Task("add", add, ((0,), (BLOCKS,)), ((0,), (1,)), read_write_conflict=False)
    if __name__ == "__main__":
        result = bellis.run(task, workers=3, name="add", start_method=sys.argv[1], progress="none")
        sys.exit(0 if result else 3)
    """
)
BLOCKS = 300
PATIENCE = 120.0


def processes_of(session: int) -> dict[int, str]:
    """The processes of a session that are running, with their command lines."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            state, _, _, its_session = (path / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(its_session) == session and state != "Z":
                found[int(path.name)] = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, ValueError):
            pass
    return found


@unittest.skipUnless(sys.platform == "linux", "looks at /proc")
class Kills(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        (self.folder / "attempts").mkdir()
        (self.folder / "program.py").write_text(PROGRAM.replace("BLOCKS", str(BLOCKS)))
        import numpy

        voxels = numpy.lib.format.open_memmap(self.folder / "voxels.npy", mode="w+", dtype="int64", shape=(BLOCKS,))
        voxels.flush()

    def start(self, method: str) -> subprocess.Popen[bytes]:
        program = subprocess.Popen(
            [sys.executable, "program.py", method], cwd=self.folder, start_new_session=True, stderr=subprocess.PIPE
        )
        self.addCleanup(self.end, program)
        return program

    def end(self, program: subprocess.Popen[bytes]) -> None:
        for pid in processes_of(program.pid):
            os.kill(pid, signal.SIGKILL)
        program.wait()
        program.stderr.close()

    def wait_until(self, is_so, why: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            self.assertLess(time.monotonic(), deadline, why)
            time.sleep(0.005)

    def attempts(self) -> list[int]:
        return [int(path.name.split("-")[0]) for path in (self.folder / "attempts").iterdir()]

    def victim_of(self, program: subprocess.Popen[bytes], whom: str) -> int | None:
        running = processes_of(program.pid)
        engines = [pid for pid, command in running.items() if "bellis.js engine" in command]
        workers = [pid for pid in running if pid not in engines and pid != program.pid]
        return {"parent": program.pid, "engine": next(iter(engines), None), "worker": min(workers, default=None)}[whom]

    def try_kills(self, seed: int, method: str, rounds: int) -> None:
        chance = random.Random(seed)
        kills = 0
        code = None
        while code != 0:
            before = len(self.attempts())
            program = self.start(method)
            if kills < rounds:
                more = chance.randrange(0, BLOCKS // 2)
                self.wait_until(lambda: len(self.attempts()) >= before + more or program.poll() is not None, "no block was done")
                whom = chance.choice(["parent", "worker", "engine"])
                victim = self.victim_of(program, whom)
                if victim is not None:
                    try:
                        os.kill(victim, signal.SIGKILL)
                        kills += 1
                    except ProcessLookupError:
                        pass
            _, errors = program.communicate(timeout=PATIENCE)
            code = program.returncode
            self.wait_until(lambda: not processes_of(program.pid), f"{processes_of(program.pid)} are left")
            self.assertNotEqual(code, 3, errors.decode())
        self.check(kills)

    def check(self, kills: int) -> None:
        import numpy

        voxels = numpy.load(self.folder / "voxels.npy")
        self.assertEqual(voxels.tolist(), list(range(1, BLOCKS + 1)))
        attempts = self.attempts()
        self.assertEqual(set(attempts), set(range(BLOCKS)))
        # What was done stays done, but for what no message had told of yet: a kill costs some tens of milliseconds of blocks.
        self.assertLess(len(attempts), BLOCKS + (kills + 1) * 100)

    def test_of_parents_workers_and_engines_at_random_moments(self) -> None:
        for seed, method in ((1, "fork"), (2, "forkserver"), (3, "spawn")):
            with self.subTest(seed=seed, method=method):
                self.setUp()
                self.try_kills(seed, method, rounds=5 if method == "fork" else 2)

    def test_of_the_parent_need_no_pause_before_the_same_call(self) -> None:
        before = self.start("fork")
        self.wait_until(lambda: self.attempts() or before.poll() is not None, "no block was done")
        before.kill()
        before.wait()
        after = self.start("fork")
        _, errors = after.communicate(timeout=PATIENCE)
        self.assertEqual(after.returncode, 0, errors.decode())
        self.check(1)


@unittest.skipUnless(sys.platform == "linux", "forks")
class Many(unittest.TestCase):
    def test_workers_of_one_program_work_at_the_same_time(self) -> None:
        count = 500
        with tempfile.TemporaryDirectory() as folder:

            def meet(block):
                Path(folder, str(os.getpid())).touch()
                deadline = time.monotonic() + PATIENCE
                while len(os.listdir(folder)) < count:
                    if time.monotonic() > deadline:
                        raise TimeoutError("the others did not come")
                    time.sleep(0.1)

            task = bellis.Task("meet", meet, ((0,), (count,)), ((0,), (1,)), read_write_conflict=False)
            result = bellis.run(task, workers=count, start_method="fork", progress="none")
            self.assertTrue(result, result)
            self.assertEqual(len(os.listdir(folder)), count)


if __name__ == "__main__":
    unittest.main()
