"""The built-in tasks as functions. Each is the command of the same name; `bellis COMMAND --help` and docs/CLI.md have all flags."""

from __future__ import annotations

import json
import multiprocessing.connection
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Mapping, Sequence

from ._node import engine_call, engine_environment
from ._options import (
    AnyPath,
    CommandOptions,
    ConvertOptions,
    DownsampleOptions,
    LabelOptions,
    MapOptions,
    PerAxis,
    PlacedOptions,
    ReduceOptions,
    SmoothOptions,
    refuse_unknown,
)
from ._result import Result, parse_result
from ._run import CannotRun, _Interrupts
from ._task import as_roi
from ._words import in_python

if TYPE_CHECKING:
    from typing_extensions import Unpack

Mode = Literal["constant", "reflect", "nearest", "mirror", "wrap"]
#: A command for a shell.
_CONTINUATION = re.compile(r"^To continue: .*")
#: Options that are repeated for each of their texts, such as "TASK:OPTIONS".
_REPEATED = frozenset({"pool", "slurm", "sge", "pbs", "lsf"})


def convert(src: AnyPath, dst: AnyPath, **options: Unpack[ConvertOptions]) -> Result:
    """Copies a dataset into a new Zarr array, with other chunks, codecs or types if wanted.

    options: the flags of `bellis convert` with underscores: `chunk=(64, 64, 64)`, `codec="zstd:3"`, `workers=8`, `overwrite=True`.
        roi: only this region: a Roi in nm, or a text as the command takes it.
    """
    return _call("convert", [src, dst], options, ConvertOptions)


def smooth(src: AnyPath, dst: AnyPath, sigma: PerAxis = 2, mode: Mode | None = None, **options: Unpack[SmoothOptions]) -> Result:
    """Smooths a volume with a Gaussian, equal to scipy.ndimage.gaussian_filter.

    sigma: standard deviation in voxels, one or one per axis, or in nm as a text: "20nm".
    """
    return _call("smooth", [src, dst], options, SmoothOptions, {"sigma": sigma, "mode": mode})


def downsample(dataset: AnyPath, **options: Unpack[DownsampleOptions]) -> Result:
    """Makes the scale pyramid of a volume, beside it, with the flags of `bellis downsample` as options: `levels=2`, `method="mode"`."""
    return _call("downsample", [dataset], options, DownsampleOptions)


def label(src: AnyPath, dst: AnyPath, **options: Unpack[LabelOptions]) -> Result:
    """Labels connected components, with the flags of `bellis label` as options: `connectivity=3`."""
    return _call("label", [src, dst], options, LabelOptions)


def map(
    src: AnyPath, dst: AnyPath, expr: str, *, inputs: Mapping[str, AnyPath] | None = None, **options: Unpack[MapOptions]
) -> Result:
    """Evaluates an expression for every voxel `x`: "255 - x", "x > 128".

    inputs: other datasets, by their names in the expression: `bellis.map(a, b, "mask ? x : 0", inputs={"mask": m})`.
    """
    named = [f"{name}={os.fspath(path)}" for name, path in (inputs or {}).items()]
    return _call("map", [src, dst], options, MapOptions, {"expr": expr}, [word for each in named for word in ("--with", each)])


def threshold(
    src: AnyPath, dst: AnyPath, *, above: float | None = None, below: float | None = None, **options: Unpack[PlacedOptions]
) -> Result:
    """Makes a mask: true where voxels are above a value, below one, or both."""
    return _call("threshold", [src, dst], options, PlacedOptions, {"above": above, "below": below})


def reduce(src: AnyPath, **options: Unpack[ReduceOptions]) -> Result:
    """Computes count, minimum, maximum, mean, standard deviation and histogram, which `result.reduction` has."""
    return _call("reduce", [src], options, ReduceOptions)


def _path(path: AnyPath) -> str:
    text = os.fspath(path)
    # Not a flag.
    return f"./{text}" if text.startswith("-") else text


def _flags(options: Mapping[str, Any]) -> list[str]:
    flags = []
    for name, value in options.items():
        flag = f"--{name.replace('_', '-')}"
        if value is None or value is False:
            continue
        if value is True:
            flags.append(flag)
        elif name in _REPEATED and not isinstance(value, str):
            flags += [word for each in value for word in (flag, str(each))]
        else:
            text = _text(name, value)
            flags += [f"{flag}={text}"] if text.startswith("-") else [flag, text]
    # Nobody is there to answer.
    return flags + (["--yes"] if options.get("overwrite") else [])


def _text(name: str, value: Any) -> str:
    if isinstance(value, (str, os.PathLike)):
        return os.fspath(value)
    if name == "roi":
        roi = as_roi(value, "roi")
        return ":".join(",".join(str(number) for number in part) for part in (roi.offset, roi.shape))
    if isinstance(value, Mapping):
        return ",".join(f"{key}={amount}" for key, amount in value.items())
    if hasattr(value, "__iter__"):
        # From the least number of workers to the most.
        return (".." if name == "workers" else ",").join(str(part) for part in value)
    return str(value)


def _call(
    command: str,
    paths: Sequence[AnyPath],
    options: Mapping[str, Any],
    known: type[CommandOptions],
    more: Mapping[str, Any] | None = None,
    words: Sequence[str] = (),
) -> Result:
    refuse_unknown(command, options, known)
    flags = _flags({**(more or {}), **options})
    code, output, errors = _follow([*engine_call(), command, *[_path(path) for path in paths], *flags, *words, "--json"])
    try:
        result = json.loads(output)
    except ValueError:
        message = in_python("\n".join(errors[-20:]).strip())
        raise CannotRun("INVALID_CONFIG", message or f"bellis.{command}() ended with {code}.") from None
    for error in errors:
        print(error, file=sys.stderr, flush=True)
    run = result.get("run")
    return parse_result(result, Path(run) if isinstance(run, str) else None)


def _follow(call: Sequence[str]) -> tuple[int, str, list[str]]:
    """Runs a command and shows its messages. Returns its exit code, its output and why it could not run, if it says so.

    The first Ctrl-C has it end when the running blocks have ended; the second one ends it, and raises KeyboardInterrupt.
    """
    # In a session of its own: Ctrl-C in a terminal is for this process, and reaches the command once, as it does from a notebook.
    process = subprocess.Popen(
        call,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**engine_environment(), "BELLIS_ENDS_WITH_INPUT": "1"},
        start_new_session=True,
    )
    assert process.stdout is not None
    output: list[bytes] = []
    # Beside the messages: a pipe that nobody reads holds only so much, and then the command waits.
    reader = threading.Thread(target=lambda stream: output.append(stream.read()), args=[process.stdout], name="bellis-output", daemon=True)
    reader.start()
    try:
        with _Interrupts() as interrupts:
            errors = _show_messages(process, interrupts)
        if interrupts.count > 1:
            raise KeyboardInterrupt
    except BaseException:
        process.kill()
        raise
    finally:
        process.wait()
        reader.join()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
    return process.returncode, b"".join(output).decode(errors="replace"), errors


def _show_messages(process: subprocess.Popen[bytes], interrupts: _Interrupts) -> list[str]:
    """Prints what a command prints, and passes on Ctrl-C, until it ends. Returns its errors, which are not printed."""
    assert process.stderr is not None
    descriptor = process.stderr.fileno()
    errors: list[str] = []
    rest = b""
    while True:
        ready = multiprocessing.connection.wait([descriptor, interrupts.fileno()])
        if interrupts.is_new():
            process.send_signal(signal.SIGINT)
        if descriptor not in ready:
            continue
        data = os.read(descriptor, 65_536)
        *lines, rest = (rest + data).split(b"\n")
        # In a notebook, what a process prints is seen only if it is printed here.
        for line in lines if data else [rest]:
            text = line.decode(errors="replace")
            if text.startswith("bellis: "):
                errors.append(text.removeprefix("bellis: "))
            elif text:
                print(_CONTINUATION.sub("The same call continues it, without overwrite=True.", text), file=sys.stderr, flush=True)
        if not data:
            return errors
