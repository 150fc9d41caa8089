"""`python -m bellis.daisy program.py …`, or `-m module …`: runs a program that finds Bellis when it imports daisy."""

import runpy
import sys

from bellis.daisy import install

USAGE = "usage: python -m bellis.daisy [-m MODULE | PROGRAM] [ARGUMENT …]"


def main() -> None:
    install()
    words = sys.argv[1:]
    if words[:1] == ["-m"] and len(words) > 1:
        sys.argv = words[1:]
        sys.path.insert(0, "")
        runpy.run_module(words[1], run_name="__main__", alter_sys=True)
    elif words and not words[0].startswith("-"):
        sys.argv = words
        sys.path.insert(0, str(__import__("pathlib").Path(words[0]).resolve().parent))
        runpy.run_path(words[0], run_name="__main__")
    else:
        sys.exit(USAGE)


main()
