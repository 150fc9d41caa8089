"""Programs, workers and engines that are killed at any moment: nothing is left running, the same call continues, the result is right."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
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


class Programs(unittest.TestCase):
    """Starts programs in a folder and a session of their own, and ends all that is left of them."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def launch(self, text: str, *words: str, **options) -> subprocess.Popen[bytes]:
        (self.folder / "program.py").write_text(text)
        program = subprocess.Popen(
            [sys.executable, "program.py", *words], cwd=self.folder, start_new_session=True, stderr=subprocess.PIPE, **options
        )
        self.addCleanup(self.end, program)
        return program

    def end(self, program: subprocess.Popen[bytes]) -> None:
        for pid in processes_of(program.pid):
            os.kill(pid, signal.SIGKILL)
        program.wait()
        for pipe in filter(None, (program.stdout, program.stderr)):
            pipe.close()

    def wait_until(self, is_so, why: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not is_so():
            self.assertLess(time.monotonic(), deadline, why)
            time.sleep(0.005)


@unittest.skipUnless(sys.platform == "linux", "looks at /proc")
class Kills(Programs):
    def setUp(self) -> None:
        super().setUp()
        (self.folder / "attempts").mkdir()
        import numpy

        voxels = numpy.lib.format.open_memmap(self.folder / "voxels.npy", mode="w+", dtype="int64", shape=(BLOCKS,))
        voxels.flush()

    def start(self, method: str) -> subprocess.Popen[bytes]:
        return self.launch(PROGRAM.replace("BLOCKS", str(BLOCKS)), method)

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


#: The first call holds Python's global lock in native code, in all of its workers, and would write a 1 after it; further ones write a 2.
HOLDING = textwrap.dedent(
    """
    import ctypes, os, subprocess, sys
    import bellis

    value, method = sys.argv[1:]

    def write(block):
        if value == "1":
            program = subprocess.Popen(["sleep", "600"])
            open(f"begun-{os.getpid()}-{program.pid}", "w").close()
            # Of all functions of the library, this kind gives the lock to nobody while they run.
            ctypes.PyDLL(None).sleep(int(os.environ["HELD_SECONDS"]))
        with open(f"voxel-{block.index}", "w") as file:
            file.write(value)

    task = bellis.Task("write", write, ((0,), (2,)), ((0,), (1,)), read_write_conflict=False)
    if __name__ == "__main__":
        sys.exit(0 if bellis.run(task, workers=2, name="write", start_method=method, progress="none") else 3)
    """
)


@unittest.skipUnless(sys.platform == "linux", "looks at /proc")
class HeldLocks(Programs):
    """Functions that keep all threads of their worker from running, so that it can't see that its program has ended."""

    def start(self, value: int, method: str, seconds: int = 600) -> subprocess.Popen[bytes]:
        return self.launch(HOLDING, str(value), method, env={**os.environ, "HELD_SECONDS": str(seconds)})

    def until_held(self, program: subprocess.Popen[bytes]) -> None:
        begun_or_ended = lambda: len(list(self.folder.glob("begun-*"))) >= 2 or program.poll() is not None
        self.wait_until(begun_or_ended, "the blocks have not begun")
        self.assertIsNone(program.poll())

    def until_gone(self, pids: set[int], program: subprocess.Popen[bytes]) -> None:
        self.wait_until(lambda: not pids & processes_of(program.pid).keys(), f"{processes_of(program.pid)} are left")

    def workers(self) -> set[int]:
        return {int(path.name.split("-")[1]) for path in self.folder.glob("begun-*")}

    def programs_of_workers(self) -> set[int]:
        return {int(path.name.split("-")[2]) for path in self.folder.glob("begun-*")}

    def voxels(self) -> list[str]:
        return [path.read_text() for path in sorted(self.folder.glob("voxel-*"))]

    def test_keep_no_worker_alive_after_its_program_and_no_program_of_a_worker(self) -> None:
        for method in ("fork", "spawn"):
            with self.subTest(method=method):
                self.setUp()
                killed = self.start(1, method)
                self.until_held(killed)
                killed.kill()
                self.until_gone(self.workers() | self.programs_of_workers(), killed)
                self.assertEqual(self.voxels(), [])

    def test_keep_no_worker_alive_if_all_other_processes_of_the_program_are_killed_with_it(self) -> None:
        killed = self.start(1, "fork")
        self.until_held(killed)
        running = processes_of(killed.pid)
        [keeper] = [pid for pid, command in running.items() if "_keeper.py" in command]
        [engine] = [pid for pid, command in running.items() if "bellis.js engine" in command]
        for pid in (keeper, engine, killed.pid):
            os.kill(pid, signal.SIGKILL)
        self.until_gone(self.workers(), killed)

    def test_write_nothing_into_the_result_of_the_next_call(self) -> None:
        killed = self.start(1, "fork", seconds=6)
        self.until_held(killed)
        killed.kill()
        after = self.start(2, "fork")
        _, errors = after.communicate(timeout=PATIENCE)
        self.assertEqual(after.returncode, 0, errors.decode())
        self.until_gone(self.workers(), killed)
        self.assertEqual(self.voxels(), ["2", "2"])

    def test_of_workers_keep_the_next_call_waiting_as_long_as_they_are_there(self) -> None:
        def hold(block):
            while not (self.folder / "go").exists():
                time.sleep(0.005)

        task = bellis.Task("hold", hold, ((0,), (1,)), ((0,), (1,)))
        for method in ("fork", "spawn"):
            (self.folder / "go").unlink(missing_ok=True)
            begun = threading.Event()
            show = lambda event: begun.set() if any(each["processing"] for each in event.get("tasks", [])) else None
            with bellis.start(task, workers=1, name=method, start_method=method, run_dir=self.folder, progress=show) as run:
                self.assertTrue(begun.wait(PATIENCE))
                with self.assertRaisesRegex(sqlite3.OperationalError, "locked"):
                    lock_alone(run.folder / "workers.lock")
                (self.folder / "go").touch()
                self.assertTrue(run.result())
            lock_alone(run.folder / "workers.lock")


#: The first call is joined by a worker that takes its time over each block; further ones have workers of their own.
JOINED = textwrap.dedent(
    """
    import os, subprocess, sys, time
    import bellis

    def write(block):
        is_joined = "JOINED" in os.environ
        with open("attempts", "a") as file:
            file.write("joined\\n" if is_joined else "own\\n")
        if is_joined:
            time.sleep(4)
            open(f"ended-{block.index}", "w").close()

    task = bellis.Task("write", write, ((0,), (1,)), ((0,), (1,)), read_write_conflict=False)
    if __name__ == "__main__":
        if sys.argv[1] == "join":
            with bellis.start(task, pool="none", name="write", progress="none") as run:
                subprocess.Popen(run.command, shell=True, env={**os.environ, "JOINED": "1"})
                run.result()
        assert bellis.run(task, workers=1, name="write", progress="none")
        print(open("attempts").read().split(), os.path.exists("ended-0"))
    """
)


@unittest.skipUnless(sys.platform == "linux", "looks at /proc")
class JoinedWorkers(Programs):
    """Workers that `run.command` has added, which outlive the program, and only its end."""

    def start(self, kind: str) -> subprocess.Popen[bytes]:
        return self.launch(JOINED, kind, stdout=subprocess.PIPE)

    def begin(self) -> subprocess.Popen[bytes]:
        program = self.start("join")
        self.wait_until(lambda: (self.folder / "attempts").exists() or program.poll() is not None, "no block was begun")
        self.assertIsNone(program.poll())
        return program

    def output_of_next(self) -> str:
        out, errors = self.start("own").communicate(timeout=PATIENCE)
        return out.decode() + errors.decode()

    def test_write_nothing_into_the_result_of_the_next_call(self) -> None:
        self.begin().kill()
        self.assertEqual(self.output_of_next(), "['joined', 'own'] True\n")

    def test_keep_their_blocks_if_the_engine_is_killed_too(self) -> None:
        program = self.begin()
        # The record of who has which block is written meanwhile.
        time.sleep(1)
        engines = [pid for pid, command in processes_of(program.pid).items() if "bellis.js engine" in command]
        for pid in (*engines, program.pid):
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(self.output_of_next(), "['joined'] True\n")


def lock_alone(path: Path) -> None:
    """Locks a file as the next start of a run does, for a moment. Raises OperationalError if a worker has locked it."""
    connection = sqlite3.connect(path, timeout=0, isolation_level=None)
    try:
        connection.execute("BEGIN EXCLUSIVE")
    finally:
        connection.close()


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
