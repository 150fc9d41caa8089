"""The folders of runs that have no name: temporary ones, which nobody misses when their program has ended."""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path
from typing import Any

from ._client import _machine, _process_start, _read_json
from ._keeper import start_of

PREFIX = "bellis-"
#: In such a folder: which process made it, and whether it is kept for its logs.
OWNER = "owner.json"
#: How long the folder of a run that failed is kept after a run has found that its program has ended.
KEPT_SECONDS = 7 * 86_400


def make_scratch() -> Path:
    """Makes the folder of a run, and removes those that programs which were killed have left behind."""
    remove_left()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    _write_owner(folder, False)
    return folder


def keep_scratch(folder: Path) -> None:
    """The run has failed: its logs are kept for a week."""
    try:
        _write_owner(folder, True)
    except OSError:
        # It was removed, or the disk is full; the result says what matters.
        pass


def _write_owner(folder: Path, is_kept: bool) -> None:
    owner = {"pid": os.getpid(), "machine": _machine(), **_process_start(), "isKept": is_kept}
    (folder / OWNER).write_text(json.dumps(owner))


def remove_left() -> None:
    """Removes folders whose programs have ended: at once if they were killed, after a week if the run failed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        try:
            found = folder.lstat()
        except OSError:
            continue
        if not stat.S_ISDIR(found.st_mode) or (hasattr(os, "getuid") and found.st_uid != os.getuid()):
            continue
        owner = _read_json(str(folder / OWNER))
        if owner and _has_ended(owner) and not (owner.get("isKept") and _is_recent(folder, owner)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_recent(folder: Path, owner: dict[str, Any]) -> bool:
    """Whether it is not long ago that its program was found to have ended; from now on, if it was not until now."""
    seen = owner.get("seenEnded")
    if isinstance(seen, (int, float)):
        return time.time() - seen <= KEPT_SECONDS
    try:
        (folder / OWNER).write_text(json.dumps({**owner, "seenEnded": time.time()}))
    except OSError:
        # The disk is full: the next run looks again.
        pass
    return True


def _has_ended(owner: dict[str, Any]) -> bool:
    """False for a process of another machine or container, of which nothing is known here."""
    pid, start = owner.get("pid"), owner.get("processStart")
    if owner.get("machine") != _machine() or not isinstance(pid, int) or pid < 1:
        return False
    if isinstance(start, str):
        return start_of(pid) != start
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        pass
    return False
