"""The built-in tasks as functions. Each is the command of the same name; `bellis COMMAND --help` and docs/CLI.md have all flags."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Literal, Sequence, Union

from ._node import engine_call, engine_environment
from ._result import Result, parse_result
from ._run import CannotRun

Path_ = Union[str, "os.PathLike[str]"]
Mode = Literal["constant", "reflect", "nearest", "mirror", "wrap"]
PerAxis = Union[float, str, Sequence[float]]


def convert(src: Path_, dst: Path_, **options: Any) -> Result:
    """Copies a dataset into a new Zarr array, with other chunks, codecs or types if wanted.

    options: the flags of `bellis convert` with underscores: `chunk=(64, 64, 64)`, `codec="zstd:3"`, `workers=8`, `overwrite=True`.
    """
    return _call("convert", [src, dst], options)


def smooth(src: Path_, dst: Path_, sigma: PerAxis = 2, mode: Mode | None = None, **options: Any) -> Result:
    """Smooths a volume with a Gaussian, equal to scipy.ndimage.gaussian_filter.

    sigma: standard deviation in voxels, one or one per axis, or in nm as a text: "20nm".
    """
    return _call("smooth", [src, dst], {"sigma": sigma, "mode": mode, **options})


def downsample(src: Path_, dst: Path_, **options: Any) -> Result:
    """Makes the scale pyramid of a volume, with the flags of `bellis downsample` as options."""
    return _call("downsample", [src, dst], options)


def label(src: Path_, dst: Path_, **options: Any) -> Result:
    """Labels connected components, with the flags of `bellis label` as options."""
    return _call("label", [src, dst], options)


def map(src: Path_, dst: Path_, expr: str, **options: Any) -> Result:
    """Evaluates an expression for every voxel `x`: "255 - x", "x > 128"."""
    return _call("map", [src, dst], {"expr": expr, **options})


def reduce(src: Path_, **options: Any) -> Result:
    """Computes count, minimum, maximum, mean, standard deviation and histogram, which `result.reduction` has."""
    return _call("reduce", [src], options)


def _flags(options: dict[str, Any]) -> list[str]:
    flags = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is None or value is False:
            continue
        if value is True:
            flags.append(flag)
        elif isinstance(value, (list, tuple)):
            flags += [flag, ",".join(_text(part) for part in value)]
        else:
            flags += [flag, _text(value)]
    # Nobody is there to answer.
    return flags + (["--yes"] if options.get("overwrite") else [])


def _text(value: Any) -> str:
    return os.fspath(value) if isinstance(value, os.PathLike) else str(value)


def _call(command: str, paths: Sequence[Path_], options: dict[str, Any]) -> Result:
    call = [*engine_call(), command, *[os.fspath(path) for path in paths], *_flags(options), "--json"]
    process = subprocess.Popen(
        call, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=engine_environment()
    )
    assert process.stdout is not None and process.stderr is not None
    shown: list[str] = []
    output: list[str] = []

    def read_output() -> None:
        assert process.stdout is not None
        output.append(process.stdout.read())

    def follow() -> None:
        assert process.stderr is not None
        # In a notebook, what a process prints is seen only if it is printed here.
        for line in process.stderr:
            shown.append(line)
            sys.stderr.write(line)
            sys.stderr.flush()
        reader.join()
        process.wait()

    # Beside the messages: a pipe that nobody reads holds only so much, and then the command waits.
    reader = threading.Thread(target=read_output, name="bellis-output", daemon=True)
    reader.start()
    interrupts = 0
    is_over = False
    while not is_over:
        try:
            follow()
            is_over = True
        except KeyboardInterrupt:
            # The command has got it, too: the first lets running blocks end, the second ends them.
            interrupts += 1
            if interrupts > 2:
                process.kill()
    process.stdout.close()
    process.stderr.close()
    if interrupts > 1:
        raise KeyboardInterrupt
    try:
        result = json.loads("".join(output))
    except ValueError:
        message = "".join(line.removeprefix("bellis: ") for line in shown[-20:]).strip()
        raise CannotRun("INVALID_CONFIG", message or f"bellis {command} ended with {process.returncode}.") from None
    run = result.get("run")
    return parse_result(result, Path(run) if isinstance(run, str) else None)
