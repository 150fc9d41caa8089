"""The words of the engine as users of Python know them."""

from __future__ import annotations

import re

#: Flags that have no value.
_SWITCHES = frozenset(
    {
        "overwrite", "grow", "yes", "write-empty-chunks", "plain", "fsync", "verbose", "quiet", "allow-external", "dashboard",
        "dashboard-control", "no-open",
    }
)  # fmt: skip
#: Flags that are called differently.
_RENAMED = {"with": "inputs"}
#: Names of fields in messages about a task.
_FIELDS = {
    "totalRoi": "total_roi",
    "readRoi": "read_roi",
    "writeRoi": "write_roi",
    "readWriteConflict": "read_write_conflict",
    "maxRetries": "max_retries",
    "maxAhead": "max_ahead",
    "voxelSize": "voxel_size",
    "runDir": "run_dir",
    "isDone": "is_done",
    "timeoutMs": "timeout",
    "stallMs": "stall",
    "onStall": "on_stall",
    "maxHistoryMb": "max_history",
}
_FLAG = re.compile(r"(?<![\w-])--([a-z][a-z-]*)(?:=|[ ](?=[-\d\"'<.]))?")
_START = re.compile(r"^--([a-z][a-z-]*)((?:\[\d+\])?) (?=\S)")
_AMOUNTS = re.compile(r"--resources[ =]((?:[\w.-]+=[\d.]+)(?:,[\w.-]+=[\d.]+)*)")
_FIELD = re.compile(rf"\b({'|'.join(_FIELDS)})\b")


def in_python(message: str) -> str:
    """A message that names flags and fields, with the names of arguments: `--block-read 4: …` is `block_read=4: …`."""
    # The value that an error names first belongs to its flag.
    started = _START.sub(lambda found: f"{found[1].replace('-', '_')}{found[2]}=", message)
    with_amounts = _AMOUNTS.sub(lambda found: f"resources={{{_entries(found[1])}}}", started)
    return _FIELD.sub(lambda found: _FIELDS[found[1]], _FLAG.sub(_argument, with_amounts))


def _entries(amounts: str) -> str:
    """`gpu=1,cpu=4` as the entries of a dict."""
    return ", ".join(f'"{name}": {amount}' for name, amount in (each.split("=") for each in amounts.split(",")))


def _argument(found: re.Match[str]) -> str:
    flag = found[1]
    name = _RENAMED.get(flag, flag.replace("-", "_"))
    if flag in _SWITCHES:
        return found[0].replace(f"--{flag}", f"{name}=True")
    return f"{name}="
