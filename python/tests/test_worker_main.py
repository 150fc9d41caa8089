"""Workers that get their tasks from a file."""

import os
import pickle
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any


class Planted:
    """Makes a file when it is unpickled."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (open, (self.path, "w"))


class Grouped(Planted):
    """Notes in a file, when it is unpickled, whether its process leads a group."""

    def __reduce__(self) -> Any:
        return (exec, (f"import os\nwith open({self.path!r}, 'w') as file: file.write(str(os.getpgrp() == os.getpid()))",))


@unittest.skipIf(os.name == "nt", "files have no owner and no mode there")
class TasksOfAFile(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.planted = Path(folder.name) / "planted"
        self.file = Path(folder.name) / "tasks"
        self.file.write_bytes(pickle.dumps(Planted(str(self.planted))))
        self.file.chmod(0o600)

    def run_worker(self) -> str:
        command = [sys.executable, "-m", "bellis._worker_main", str(self.file), "no run"]
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stderr

    def test_are_not_run_if_others_can_write_the_file(self) -> None:
        for mode in (0o620, 0o602):
            self.file.chmod(mode)
            self.assertIn("can be written by others, so its tasks are not run", self.run_worker())
        self.assertFalse(self.planted.exists())
        # What is one's own is run.
        self.file.chmod(0o600)
        self.run_worker()
        self.assertTrue(self.planted.exists())

    def test_are_loaded_by_the_leader_of_a_group_so_that_what_they_start_ends_with_the_worker(self) -> None:
        for more, leads in (([], True), (["no run"], False)):
            self.file.write_bytes(pickle.dumps(Grouped(str(self.planted))))
            command = [sys.executable, "-m", "bellis._worker_main", str(self.file), *more]
            subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
            # Ctrl-C in a terminal is for a worker that was added by hand.
            self.assertEqual(self.planted.read_text(), str(leads))

    @unittest.skipIf(os.name != "nt" and os.getuid() != 0, "only root can give files away")
    def test_are_not_run_if_the_file_belongs_to_another_user(self) -> None:
        os.chown(self.file, 65534, 65534)
        self.assertIn("belongs to another user", self.run_worker())
        self.assertFalse(self.planted.exists())
