"""The command `bellis`: the engine's own, run by the Node that was found."""

import os
import signal
import subprocess
import sys
from typing import NoReturn

from ._node import NodeMissing, engine_call, engine_environment


def main() -> NoReturn:
    """Becomes the engine's command, with the arguments of this program."""
    try:
        call = [*engine_call(), *sys.argv[1:]]
    except NodeMissing as error:
        print(f"bellis: {error}", file=sys.stderr)
        sys.exit(2)
    environment = engine_environment()
    if os.name != "nt":
        os.execve(call[0], call, environment)
    # Windows cannot replace a process. The terminal's Ctrl-C is for the command.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(subprocess.call(call, env=environment))
