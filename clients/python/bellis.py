"""Process the blocks of a Bellis run in Python: one file, standard library only.

    import bellis

    for block in bellis.blocks():
        with block:                      # an exception in here is a failed attempt at this block
            work(block.read_roi, block.write_roi, block.config)

A block is reported as done when the loop asks for the next one, or at once by `block.done()`. `block.fail("why")` and an
exception inside `with block` report a failed attempt instead, `block.skip()` that there was nothing to do. `block.progress()` says
that a long block advances. `bellis.run(function)` is this loop around a function.

The run is found by the environment variable BELLIS_CONTEXT, or by `run=` with the path of the run's folder. A program
that is started by a command task of Bellis uses its standard input and output; the same loop handles that.
The protocol is described in docs/PROTOCOL.md.
"""

from __future__ import annotations

import atexit
import collections
import dataclasses
import hashlib
import hmac
import json
import os
import random
import re
import secrets
import selectors
import signal
import socket
import ssl
import sys
import textwrap
import threading
import time
import traceback
import types
import urllib.parse
from typing import Any, Callable, Deque, Dict, Iterable, Iterator, List, Mapping, Optional, Set, Tuple, Type

__version__ = "0.1.0"
__all__ = ["BellisError", "Block", "ConnectionLost", "ProtocolError", "Refused", "Roi", "blocks", "run"]

PROTOCOL_VERSION = 2
MAX_LINE_BYTES = 8_388_608
# The longest line of a coordinator that has not proved itself.
MAX_UNPROVED_BYTES = 8192
MAX_ENTRIES = 65_536
MAX_LEASES = 2
MAX_ERROR_TEXT = 8192
MAX_INTEGER = 2**53 - 1
# After this time, finished blocks are reported before the next block starts.
REPORT_SECONDS = 0.02
# Blocks of a lease that have not started after this are returned: other workers may be waiting for them.
GIVE_BACK_SECONDS = 0.5
# Usage is reported at most this often, unless the peak memory has grown by a tenth.
USAGE_SECONDS = 1.0
# Progress of a block is reported at most this often.
PROGRESS_SECONDS = 1.0
# The most characters of errors in one message: the length of a line is limited.
MAX_REPORT_TEXT = 262_144
CONNECT_SECONDS = 15.0
RECONNECT_SECONDS = 300.0
FIRST_PAUSE_SECONDS = 0.1
MAX_PAUSE_SECONDS = 5.0
MAX_UNANSWERED = 3
# Time limit for the coordinator's welcome: a frozen coordinator still accepts connections.
WELCOME_SECONDS = 30.0
# How long a block may continue after the program that started this one has ended: nobody would receive its outcome.
ORPHAN_GRACE_SECONDS = 2.0
# How long the other side may take to close its end of a connection that this side has closed.
LINGER_SECONDS = 2.0
FLUSH_SECONDS = 1.0
STDIO = "stdio:"
# How often a process looks, during a block, whether another run has taken the arrays that it writes.
WATCH_SECONDS = 0.5
# How long its files stay beside them after a block, since another one may follow at once.
IDLE_SECONDS = 1.0
# How often it touches these files.
BEAT_SECONDS = 10.0


class BellisError(Exception):
    """The base class of all errors that this module raises."""


class ConnectionLost(BellisError):
    """The coordinator could not be reached for five minutes."""


class ProtocolError(BellisError):
    """The coordinator sent something that is not a message of this protocol."""


class Refused(BellisError):
    """The coordinator refused this worker; `code` is the reason."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclasses.dataclass(frozen=True)
class Roi:
    """A half-open box in world units (`block.unit`), one number per axis, zyx."""

    offset: Tuple[int, ...]
    shape: Tuple[int, ...]

    @property
    def end(self) -> Tuple[int, ...]:
        return tuple(start + length for start, length in zip(self.offset, self.shape))

    def grow(self, lower: Iterable[int], upper: Optional[Iterable[int]] = None) -> "Roi":
        """This box with a context: so much more at the low end of each axis and at the high end, as at the low end by default."""
        before = tuple(lower)
        after = before if upper is None else tuple(upper)
        if not len(before) == len(after) == len(self.offset):
            raise ValueError(f"Roi.grow: expected {len(self.offset)} numbers, one per axis, got {len(before)} and {len(after)}.")
        return Roi(
            tuple(start - more for start, more in zip(self.offset, before)),
            tuple(length + low + high for length, low, high in zip(self.shape, before, after)),
        )

    def to_slices(self, voxel_size: Tuple[int, ...], offset: Optional[Tuple[int, ...]] = None) -> Tuple[slice, ...]:
        """The part of an array that this box covers, without what lies before the start of the array.

        voxel_size: world units per voxel. offset: the position of the array's first voxel, in world units; 0 by default.
        """
        origin = offset if offset is not None else (0,) * len(self.offset)
        return tuple(
            slice(max(0, (start - first) // size), max(0, -((first - end) // size)))
            for start, end, size, first in zip(self.offset, self.end, voxel_size, origin)
        )


@dataclasses.dataclass(frozen=True)
class _Context:
    host: str
    port: int
    token: str
    fingerprint: Optional[str]


class _NotTheCoordinator(OSError):
    """Another program listens there, as far as this worker can know: nothing was sent to it."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class _Handshake:
    """Lets the coordinator prove that it knows the token, and then proves that this worker does. The token is not sent."""

    def __init__(self, context: _Context) -> None:
        self._context = context
        self._nonce = secrets.token_hex(32)

    def hello(self) -> Dict[str, Any]:
        return {"type": "hello", "protocol": PROTOCOL_VERSION, "nonce": self._nonce}

    def answer(self, message: Mapping[str, Any]) -> Dict[str, Any]:
        """The proof to send, if the answer to the hello proves that it came from the coordinator."""
        kind = message["type"]
        if kind == "refused":
            raise self._refused(message)
        nonce, proof = message.get("nonce"), message.get("proof")
        if kind != "challenge" or not _is_hex(nonce) or not _is_hex(proof):
            raise self._stranger("PROTOCOL_ERROR", "it did not answer the hello as a coordinator does")
        if not hmac.compare_digest(str(proof), self._prove("coordinator", str(nonce))):
            reason = "it does not know the context's token: it is another program, or the run was started again"
            raise self._stranger("UNAUTHORIZED", reason)
        return {"type": "proof", "proof": self._prove("worker", str(nonce))}

    def _prove(self, role: str, nonce: str) -> str:
        # The role, both nonces and the certificate: a proof is of no use for another connection or another role.
        context = self._context
        text = f"bellis|{role}|{PROTOCOL_VERSION}|{self._nonce}|{nonce}|{context.fingerprint or ''}"
        return hmac.new(context.token.encode(), text.encode(), hashlib.sha256).hexdigest()

    def _refused(self, message: Mapping[str, Any]) -> OSError:
        code, text = str(message.get("code"))[:64], str(message.get("message"))[:300]
        reason = f"it refused the hello ({code!r}: {text!r})"
        if code in ("TOO_MANY_CONNECTIONS", "TOO_LATE"):
            return OSError(reason)
        # A coordinator of this version asks for a proof before it checks whether a worker is authorized.
        if code == "UNAUTHORIZED":
            reason += (
                f", as a run with protocol version 1 does; this module speaks version {PROTOCOL_VERSION}. "
                "Use the same version of Bellis everywhere"
            )
        return self._stranger("PROTOCOL_ERROR", reason)

    def _stranger(self, code: str, reason: str) -> _NotTheCoordinator:
        return _not_the_coordinator(self._context, code, reason)


def _not_the_coordinator(context: _Context, code: str, reason: str) -> _NotTheCoordinator:
    return _NotTheCoordinator(
        code,
        f"{context.host}:{context.port} is not the coordinator of this context: {reason}. "
        "Nothing was sent to it. Check that the context is of this run.",
    )


def _is_hex(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _parse_context(text: str) -> _Context:
    url: Optional[urllib.parse.SplitResult]
    host: Optional[str] = None
    port: Optional[int] = None
    fingerprint: Optional[str] = None
    try:
        url = urllib.parse.urlsplit(text.strip())
        host, port = url.hostname, url.port
        fingerprint = dict(urllib.parse.parse_qsl(url.query)).get("tls")
    except ValueError:
        url = None
    if (
        url is None
        or not host
        or not port
        or url.scheme != "bellis"
        or not re.fullmatch("[0-9a-f]{32}", url.username or "")
        or (fingerprint is not None and not re.fullmatch("[0-9a-f]{64}", fingerprint))
    ):
        # The text itself is a secret.
        raise BellisError("The context of the run is invalid: expected bellis://TOKEN@HOST:PORT. Copy it completely.")
    return _Context(host, port, url.username or "", fingerprint)


class Block:
    """One block to do. Rois are in world units (`unit`)."""

    def __init__(self, index: int, task: Mapping[str, Any], read_roi: Roi, write_roi: Roi, lease: "_Lease") -> None:
        self.index = index
        self.task_id: str = task["id"]
        self.read_roi = read_roi
        self.write_roi = write_roi
        #: The configuration of the task.
        self.config: Any = task.get("config")
        #: The unit of the Rois: "nm", "pm", …
        self.unit: str = task.get("unit", "nm")
        #: World units per voxel of the array to write, and the position of its first voxel, as far as the run knows them.
        voxels = task.get("voxels") or {}
        self.voxel_size: Tuple[int, ...] = tuple(voxels.get("voxelSize") or ())
        self.array_offset: Tuple[int, ...] = tuple(voxels.get("offset") or ())
        #: The folder in which relative paths of `config` start.
        self.folder: str = task.get("folder") or os.getcwd()
        #: The units of counted resources that only this program may use: {"gpu": [3]}.
        self.resources: Dict[str, List[int]] = task.get("resources") or {}
        self._lease = lease
        self._error: Optional[Dict[str, str]] = None
        self._is_skipped = False
        self._is_settled = False
        self._started = time.monotonic()
        self._process = os.getpid()

    def __repr__(self) -> str:
        return f"<Block {self.task_id}/{self.index}>"

    def path(self, name: str) -> str:
        """A path of the configuration, as this process can open it."""
        return os.path.join(self.folder, name)

    def to_slices(self, roi: Optional[Roi] = None) -> Tuple[slice, ...]:
        """The part of an array that a box covers, the write Roi by default, without what lies before its first voxel.

        Uses `voxel_size` and `array_offset`: the index is for the array that the blocks write, or one in the same place.
        """
        box = self.write_roi if roi is None else roi
        return box.to_slices(self.voxel_size or (1,) * len(box.shape), self.array_offset or None)

    @property
    def is_cancelled(self) -> bool:
        """True if the block was given to others, or another run has taken the output: stop working on it."""
        return self._lease.is_revoked or self._lease.taken is not None

    def fail(self, why: str) -> None:
        """Reports a failed attempt at this block, instead of done, when the loop continues."""
        self._set_error(str(why))

    def skip(self) -> None:
        """Reports that this block was done before, instead of done, when the loop continues."""
        self._is_skipped = True

    def progress(self) -> None:
        """Says that a long block advances, so that this worker does not count as stalled. May be called as often as you like."""
        self._lease.beat()

    def done(self) -> None:
        """Reports this block now, as done (or as failed or skipped), and not when the loop asks for the next one."""
        self._lease.settle_block(self)

    def _set_error(self, message: str, stack: Optional[str] = None) -> None:
        self._error = {"code": "BLOCK_FAILED", "message": message[:MAX_ERROR_TEXT]}
        if stack is not None:
            # The reason is at the end of a traceback.
            self._error["stack"] = stack[-MAX_ERROR_TEXT:]

    def _take(self, error: BaseException) -> None:
        text = _describe(error)
        stack = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        self._set_error(text, stack)
        # The log of the worker, which the failure names.
        print(f"block {self.task_id}/{self.index} failed:\n{textwrap.indent(stack, '  ')}", end="", file=sys.stderr, flush=True)
        # Every other block would fail, too: this code stops the run, which can continue later.
        if isinstance(error, OSError) and error.errno in _DISK_FULL and self._error is not None:
            self._error["code"] = "DISK_FULL"

    def _is_elsewhere(self) -> bool:
        """Whether this is a process that the code of the block has forked: what becomes of it says nothing of the block."""
        return os.getpid() != self._process

    def __enter__(self) -> "Block":
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[types.TracebackType],
    ) -> bool:
        if not isinstance(error, Exception) or self._is_elsewhere():
            return False
        self._take(error)
        return True


def _describe(error: BaseException) -> str:
    kind = type(error).__name__
    return f"{kind}: {error}" if str(error) else kind


def _disk_full() -> Tuple[int, ...]:
    import errno

    return tuple(getattr(errno, name) for name in ("ENOSPC", "EDQUOT") if hasattr(errno, name))


_DISK_FULL = _disk_full()


def _peak_memory() -> Optional[int]:
    """The peak memory of this process, in bytes; None if the system does not report it."""
    # On Linux, getrusage starts with the memory of the process that started this one.
    try:
        # Bytes: at the end of the interpreter there are no codecs any more.
        with open("/proc/self/status", "rb") as file:
            for line in file:
                if line.startswith(b"VmHWM:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class _Lease:
    def __init__(
        self, number: int, task_id: str, indices: List[int], rois: Optional[List[Tuple[Roi, Roi]]] = None
    ) -> None:
        self.id = number
        self.task_id = task_id
        self.indices = indices
        #: One pair per block; None if the grid of the task has them.
        self.rois = rois
        self.outcomes: List[Dict[str, Any]] = []
        #: How many outcomes have been sent over the current connection.
        self.sent = 0
        self.is_revoked = False
        #: Reports one of its blocks, once it is being done.
        self.settle_block: Callable[[Block], None] = lambda block: None
        #: Says that its running block advances.
        self.beat: Callable[[], None] = lambda: None
        #: Why nothing may be written for it any more, if another run has taken an array.
        self.taken: Optional[str] = None


class _Lines:
    """Splits the received bytes into messages. A line that is too long is refused before it is complete."""

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self.limit = limit
        self._parts: List[bytes] = []
        self._length = 0

    def feed(self, data: bytes) -> Iterator[Dict[str, Any]]:
        while data:
            line, end, data = data.partition(b"\n")
            self._parts.append(line)
            self._length += len(line)
            if self._length > self.limit:
                raise ProtocolError(f"The coordinator sent a line of more than {self.limit} bytes.")
            if end:
                complete = b"".join(self._parts)
                self._parts, self._length = [], 0
                yield _parse_message(complete)


def _parse_message(line: bytes) -> Dict[str, Any]:
    try:
        message = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"The coordinator sent a line that is not JSON: {line[:80]!r}") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ProtocolError("The coordinator sent a message that is not an object with a type.")
    return message


def _whole(value: Any, what: str) -> int:
    if type(value) is int and 0 <= value <= MAX_INTEGER:
        return value
    raise ProtocolError(f"Invalid message: {what} must be a whole number, 0 or more.")


def _text(value: Any, what: str) -> str:
    if isinstance(value, str):
        return value
    raise ProtocolError(f"Invalid message: {what} must be a string.")


def _list(value: Any, what: str) -> List[Any]:
    if isinstance(value, list) and len(value) <= MAX_ENTRIES:
        return value
    raise ProtocolError(f"Invalid message: {what} must be a list of at most {MAX_ENTRIES} entries.")


def _roi(value: Any) -> Roi:
    if isinstance(value, dict):
        offset, shape = _list(value.get("offset"), "offset"), _list(value.get("shape"), "shape")
        numbers = all(type(number) is int and abs(number) <= MAX_INTEGER for number in offset + shape)
        if numbers and len(offset) == len(shape) and all(length >= 0 for length in shape):
            return Roi(tuple(offset), tuple(shape))
    raise ProtocolError("Invalid message: a Roi must have an offset and a shape of whole numbers, one per axis.")


def _lease(message: Mapping[str, Any]) -> _Lease:
    indices = [_whole(index, "A block") for index in _list(message.get("blocks"), "blocks")]
    rois: Optional[List[Tuple[Roi, Roi]]] = None
    if "rois" in message:
        rois = []
        for pair in _list(message.get("rois"), "rois"):
            if not isinstance(pair, dict):
                raise ProtocolError("Invalid message: rois must be objects with read and write.")
            rois.append((_roi(pair.get("read")), _roi(pair.get("write"))))
        if len(rois) != len(indices):
            raise ProtocolError(f"Invalid message: a lease has {len(indices)} blocks, but {len(rois)} Rois.")
    return _Lease(_whole(message.get("lease"), "lease"), _text(message.get("taskId"), "taskId"), indices, rois)


def _check_task(task: Mapping[str, Any]) -> None:
    """Checks the optional parts of a description on which the blocks rely."""
    for name in ("unit", "folder"):
        if task.get(name) is not None:
            _text(task[name], name)
    for name in ("voxels", "resources", "owns"):
        if task.get(name) is not None and not isinstance(task[name], dict):
            raise ProtocolError(f"Invalid message: {name} must be an object.")
    voxels = task.get("voxels") or {}
    for name in ("voxelSize", "offset"):
        if not all(type(number) in (int, float) for number in _list(voxels.get(name) or [], name)):
            raise ProtocolError(f"Invalid message: {name} must be a list of numbers.")
    _list((task.get("owns") or {}).get("outputs") or [], "outputs")


class _Grid:
    """The blocks of a task: their Rois, computed from their numbers, last axis fastest."""

    def __init__(self, total: Roi, read: Roi, write: Roi, fit: str) -> None:
        axes = range(len(write.shape))
        if not axes or any(len(part) != len(axes) for roi in (total, read) for part in (roi.offset, roi.shape)):
            raise ProtocolError("Invalid message: the Rois of a grid must have the same number of axes, at least 1.")
        if any(length < 1 for length in write.shape) or fit not in ("valid", "shrink", "overhang"):
            raise ProtocolError("Invalid message: the grid has a write Roi without voxels, or an unknown fit.")
        self._step = write.shape
        self._read_shape = read.shape
        self._lower = tuple(write.offset[axis] - read.offset[axis] for axis in axes)
        self._start = tuple(total.offset[axis] + self._lower[axis] for axis in axes)
        ends = [total.end[axis] - (read.end[axis] - write.end[axis]) for axis in axes]
        lengths = [ends[axis] - self._start[axis] for axis in axes]
        #: Blocks per axis.
        self.shape = tuple(
            max(0, length // step if fit == "valid" else -(-length // step)) for length, step in zip(lengths, self._step)
        )
        self.count = 1
        for count in self.shape:
            self.count *= count
        #: Where blocks are cut at the high ends of the axes.
        self._ends: Optional[List[int]] = ends if fit == "shrink" else None

    def rois(self, index: int) -> Tuple[Roi, Roi]:
        """The read and the write Roi of a block."""
        rest = index
        read, write = [], []
        for axis in range(len(self.shape) - 1, -1, -1):
            rest, at = divmod(rest, self.shape[axis])
            start = self._start[axis] + at * self._step[axis]
            write.append(start)
            read.append(start - self._lower[axis])
        read_offset, write_offset = tuple(reversed(read)), tuple(reversed(write))
        read_shape, write_shape = self._read_shape, self._step
        if self._ends is not None:
            beyond = [max(0, a + length - end) for a, length, end in zip(write_offset, self._step, self._ends)]
            if any(beyond):
                read_shape = tuple(length - cut for length, cut in zip(read_shape, beyond))
                write_shape = tuple(length - cut for length, cut in zip(write_shape, beyond))
        return Roi(read_offset, read_shape), Roi(write_offset, write_shape)


def _grid(task: Mapping[str, Any]) -> Optional[_Grid]:
    """The grid of a task; None if its leases have the Rois."""
    grid = task.get("grid")
    if grid is None:
        return None
    if not isinstance(grid, dict):
        raise ProtocolError("Invalid message: grid must be an object.")
    total, read, write = (_roi(grid.get(name)) for name in ("totalRoi", "readRoi", "writeRoi"))
    return _Grid(total, read, write, _text(grid.get("fit", "valid"), "fit"))


class _SocketConnection:
    """A connection over TCP or TLS. Only one thread reads and writes it, since TLS does not allow two."""

    def __init__(self, context: _Context) -> None:
        self.handshake: Optional[_Handshake] = _Handshake(context)
        raw = socket.create_connection((context.host, context.port), CONNECT_SECONDS)
        try:
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if hasattr(socket, "TCP_KEEPIDLE"):
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15)
            if hasattr(socket, "TCP_KEEPINTVL"):
                raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5)
            self._socket = raw if context.fingerprint is None else self._secure(raw, context)
        except BaseException:
            raw.close()
            raise
        self._socket.setblocking(False)
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._lock = threading.Lock()
        self._written = threading.Condition(self._lock)
        self._out = bytearray()
        self._closing = False
        self._over = False

    @staticmethod
    def _secure(raw: socket.socket, context: _Context) -> socket.socket:
        # The fingerprint identifies the certificate exactly, so no chain of signatures is needed.
        # Nothing is sent before the check.
        settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        settings.check_hostname = False
        settings.verify_mode = ssl.CERT_NONE
        try:
            secure = settings.wrap_socket(raw)
        except ssl.SSLError as error:
            if error.reason not in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
                raise
            reason = "it does not speak TLS, which the context requires"
            raise _not_the_coordinator(context, "PROTOCOL_ERROR", reason) from error
        shown = hashlib.sha256(secure.getpeercert(binary_form=True) or b"").hexdigest()
        if not hmac.compare_digest(shown, context.fingerprint or ""):
            secure.close()
            reason = f"it presented the certificate {shown}; expected {context.fingerprint}, as in the context"
            raise _not_the_coordinator(context, "UNAUTHORIZED", reason)
        return secure

    def send(self, data: bytes) -> None:
        with self._lock:
            self._out += data
        self._wake()

    def flush(self, seconds: float) -> None:
        """Waits until what was sent before is with the system, which sends it whatever becomes of this process."""
        with self._lock:
            self._written.wait_for(lambda: self._over or not self._out, seconds)

    def close(self) -> None:
        """Closes the connection when everything is sent."""
        self._closing = True
        self._wake()

    def _wake(self) -> None:
        try:
            self._wake_out.send(b"x")
        except OSError:
            # The pipe is full, so the thread will wake up, or closed, so the connection is over.
            pass

    def receive(self, take: Callable[[bytes], None], beat: Callable[[], Optional[float]]) -> None:
        """Reads and writes until the connection ends.

        Calls `beat`, which returns the seconds until it wants to be called again, if at all.
        """
        # Not select.select: it refuses file descriptors of 1024 and above, and a program may have that many open.
        selector = selectors.DefaultSelector()
        try:
            selector.register(self._wake_in, selectors.EVENT_READ)
            selector.register(self._socket, selectors.EVENT_READ)
            while True:
                wait = beat()
                with self._lock:
                    pending = bool(self._out)
                if self._closing and not pending:
                    self._linger()
                    return
                selector.modify(self._socket, selectors.EVENT_READ | (selectors.EVENT_WRITE if pending else 0))
                ready = {key.fileobj: events for key, events in selector.select(wait)}
                if self._wake_in in ready:
                    self._wake_in.recv(4096)
                events = ready.get(self._socket, 0)
                if events & selectors.EVENT_READ and not self._read(take):
                    return
                if events & selectors.EVENT_WRITE:
                    self._write()
        except _NotTheCoordinator:
            raise
        except OSError:
            return
        finally:
            selector.close()
            for each in (self._socket, self._wake_in, self._wake_out):
                each.close()
            with self._lock:
                self._over = True
                self._written.notify_all()

    def _linger(self) -> None:
        """Reads what is still on its way: closing with unread data would discard what was sent last."""
        self._socket.shutdown(socket.SHUT_WR)
        self._socket.settimeout(LINGER_SECONDS)
        deadline = time.monotonic() + LINGER_SECONDS
        while self._socket.recv(65_536) and time.monotonic() < deadline:
            pass

    def _read(self, take: Callable[[bytes], None]) -> bool:
        while True:
            try:
                data = self._socket.recv(65_536)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return True
            if not data:
                return False
            take(data)

    def _write(self) -> None:
        with self._lock:
            try:
                # TLS expects the same bytes again if it could not send them; additional bytes after them do no harm.
                sent = self._socket.send(bytes(self._out[:65_536]))
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                return
            del self._out[:sent]
            if not self._out:
                self._written.notify_all()


class _StdioConnection:
    """A connection over standard input and output. What the program itself prints goes to standard error instead."""

    # The program that started this one is trusted: only it can write to the standard input.
    handshake: Optional[_Handshake] = None

    def __init__(self) -> None:
        sys.stdout.flush()
        self._in = os.dup(0)
        self._out = os.dup(1)
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        os.close(null)
        os.dup2(2, 1)
        self._lock = threading.Lock()

    def send(self, data: bytes) -> None:
        with self._lock:
            try:
                while data:
                    data = data[os.write(self._out, data) :]
            except OSError:
                # The other side has ended, as the end of the input shows, too.
                pass

    def flush(self, _seconds: float) -> None:
        """Nothing waits to be sent."""

    def close(self) -> None:
        os.close(self._out)

    def receive(self, take: Callable[[bytes], None], _beat: Callable[[], Optional[float]]) -> None:
        while True:
            data = os.read(self._in, 65_536)
            if not data:
                return
            take(data)


class _Writer:
    """Says in the folders of a run's arrays, while a block is being done, that this process may write them.

    A run that replaces them waits for it. The files are described in docs/PROTOCOL.md.
    """

    def __init__(self, record: str, folders: List[str], on_taken: Callable[[str], None]) -> None:
        self.record = record
        self._folders = folders
        self._on_taken = on_taken
        self._token = secrets.token_hex(16)
        self._files: List[str] = []
        self._touched = 0.0
        self._busy = False
        self._lease = 0
        self._idle_since = 0.0
        self._closed = False
        self._changed = threading.Condition()
        self._thread: Optional[threading.Thread] = None

    def begin(self, lease: int) -> Optional[str]:
        """A block of a lease begins. Returns why it must not, if another run has taken an array, or another worker the block."""
        with self._changed:
            self._busy = True
            self._lease = lease
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="bellis-writer", daemon=True)
                self._thread.start()
            # The other run takes the array and then looks for writers, so one of the two sees the other.
            self._announce()
            self._changed.notify_all()
            return self._taken()

    def end(self) -> None:
        with self._changed:
            self._busy = False
            self._idle_since = time.monotonic()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._withdraw()
            self._changed.notify_all()

    def _watch(self) -> None:
        while True:
            with self._changed:
                self._changed.wait(WATCH_SECONDS if self._files else None)
                if self._closed:
                    return
                taken = self._taken() if self._busy else None
                if self._busy and time.monotonic() - self._touched > BEAT_SECONDS:
                    self._touch()
                elif not self._busy and time.monotonic() - self._idle_since > IDLE_SECONDS:
                    self._withdraw()
            if taken is not None:
                self._on_taken(taken)

    def _taken(self) -> Optional[str]:
        for folder in self._folders:
            lock = _read_json(os.path.join(folder, ".bellis-lock")).get("about")
            replaces = lock.get("replaces") if isinstance(lock, dict) else None
            mark = _read_json(os.path.join(folder, ".bellis-run"))
            if replaces == self.record or (mark.get("id") != self.record and os.path.isdir(folder)):
                return (
                    f"{folder} was replaced, or taken by another run, so nothing may be written to it; "
                    "the run that this block belongs to is over."
                )
            if not _holds(mark.get("leases"), self._lease):
                return (
                    "This block was taken from its worker, which took too long or was away, and given to another one, "
                    f"so nothing more may be written to {folder}."
                )
        return None

    def _announce(self) -> None:
        if self._files:
            return
        text = json.dumps(
            {
                "token": self._token,
                "host": socket.gethostname(),
                "machine": _machine(),
                "pid": os.getpid(),
                "since": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "about": {"record": self.record},
                **_process_start(),
            }
        )
        for folder in self._folders:
            path = os.path.join(folder, ".bellis-writers", self._token)
            # Where nothing can be written, no array can be written either.
            if _create_in(path, text + "\n"):
                self._files.append(path)
        self._touched = time.monotonic()

    def _touch(self) -> None:
        self._touched = time.monotonic()
        for path in self._files:
            try:
                # The file system sets the time: its clock may differ from that of this machine.
                with open(os.open(path, os.O_WRONLY | _NO_LINK), "wb") as file:
                    file.write(b"{")
            except OSError:
                pass

    def _withdraw(self) -> None:
        for path in self._files:
            try:
                os.remove(path)
                os.rmdir(os.path.dirname(path))
            except OSError:
                # Others are writing, too, or the array is gone.
                pass
        self._files = []


def _holds(leases: Any, lease: int) -> bool:
    """Whether a lease holds by what a mark says of leases."""
    if not isinstance(leases, dict):
        return True
    start, held = leases.get("from"), leases.get("held")
    if not isinstance(start, int) or not isinstance(held, list):
        return True
    return lease >= start or lease in held


# A link that is put in place of a file could lead to any file of this user. Windows does not have the flags.
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def _create_in(path: str, text: str) -> bool:
    for _ in range(10):
        try:
            os.mkdir(os.path.dirname(path))
        except FileExistsError:
            pass
        except OSError:
            return False
        # A link in place of the folder leads to files that are no concern of this process.
        if os.path.islink(os.path.dirname(path)):
            return False
        try:
            with open(path, "x", encoding="utf-8") as file:
                file.write(text)
            return True
        except FileNotFoundError:
            # The last other writer has just removed the folder.
            continue
        except OSError:
            return False
    return False


def _read_json(path: str) -> Dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _machine() -> str:
    """This machine since it was started, and its process ids: containers may share a name, but not these."""
    name = socket.gethostname()
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return f"{name} {file.read().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return name


def _process_start() -> Dict[str, str]:
    try:
        with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
            # The name of the program, in parentheses, may contain anything; the start is the 20th field after it.
            return {"processStart": file.read().rpartition(")")[2].split()[19]}
    except (OSError, IndexError):
        return {}


class _Worker:
    """A worker: one thread keeps the connection, the user's loop does the blocks."""

    def __init__(
        self, context: Optional[str], run: Optional[str], name: Optional[str] = None, task: Optional[str] = None
    ) -> None:
        self._run = run
        self._task = task
        #: What the loop yields.
        self.block_type: Type[Block] = Block
        #: Called before the first block of a task, each time its description has arrived; an exception means that it can't be set up.
        self.set_up: Callable[[Mapping[str, Any]], None] = lambda task: None
        #: Whether Ctrl-C in a terminal is for this process.
        self.takes_interrupts = True
        #: Called when the first Ctrl-C has it leave after the running block.
        self.on_interrupt: Callable[[], None] = lambda: None
        #: Called with True when the coordinator can't be reached, so that another start of the run may follow, and with False when one was
        #: found or is not looked for any more.
        self.on_search: Callable[[bool], None] = lambda is_searching: None
        #: Whether it left although the run had not asked it to: because of a signal, or since it could not set up a task.
        self.left_early = False
        self._context = context if context is not None or run is not None else os.environ.get("BELLIS_CONTEXT")
        if self._context is None and run is None:
            raise BellisError('No run is given: set BELLIS_CONTEXT, or pass run="path of its folder".')
        self._is_stdio = self._context == STDIO
        self._identity: Dict[str, str] = {}
        if name is None and context is None and run is None and not self._is_stdio:
            name = os.environ.get("BELLIS_WORKER")
        if name is not None:
            worker, _, session = name.partition(":")
            self._identity = {"worker": worker, "session": session}
        # Reentrant: a signal handler can interrupt the main thread anywhere.
        self._changed = threading.Condition(threading.RLock())
        self._connection: Any = None
        self._is_welcome = False
        self._was_ever_welcome = False
        self._tasks: Dict[str, Dict[str, Any]] = {}
        self._grids: Dict[str, Optional[_Grid]] = {}
        self._queue: Deque[_Lease] = collections.deque()
        self._kept: List[_Lease] = []
        self._current: Optional[_Lease] = None
        self._block: Optional[Block] = None
        self._writer: Optional[_Writer] = None
        self._reported_ready: Set[str] = set()
        #: The process that does the blocks.
        self._process = os.getpid()
        self._draining = False
        self._ended = False
        self._failure: Optional[BaseException] = None
        self._heartbeat_seconds = 0.0
        self._last_sent = 0.0
        self._welcome_by = 0.0
        self._unanswered = 0
        self._usage_reported = float("-inf")
        self._memory_reported = 0
        self._progress_reported = float("-inf")
        if run is not None or not self._is_stdio:
            self._read_context()
        self._thread = threading.Thread(target=self._connection_thread, name="bellis", daemon=True)

    # --- the connection, in its own thread

    def _read_context(self) -> _Context:
        # A file is read again each time: a run that is started again has another context.
        if self._run is None:
            return _parse_context(self._context or "")
        path = os.path.join(self._run, "context")
        try:
            with open(path, encoding="utf-8") as file:
                return _parse_context(file.read())
        except OSError as error:
            raise _NotRunning(f"The run in {self._run} is not running: {path} can't be read.") from error

    def _connection_thread(self) -> None:
        try:
            self._keep_connection()
        except BaseException as error:
            # Whatever the error: the loop over blocks must not wait for a thread that has ended.
            self._end(error)

    def _keep_connection(self) -> None:
        lost = time.monotonic()
        pause = 0.0
        while not self._ended:
            problem = "the connection ended"
            try:
                if pause > 0:
                    with self._changed:
                        self._changed.wait_for(lambda: self._ended, pause * (0.5 + random.random()))
                if self._ended:
                    return
                if self._use_connection(self._connect()):
                    lost, pause = time.monotonic(), 0.0
                else:
                    pause = min(MAX_PAUSE_SECONDS, max(FIRST_PAUSE_SECONDS, pause * 2))
            except _NotRunning as error:
                # The file is removed at the end of the run.
                self._end(None if self._was_ever_welcome else error)
            except BellisError as error:
                self._end(error)
            except OSError as error:
                # A run that is started again has another context; but only one in its file can change.
                if isinstance(error, _NotTheCoordinator) and self._run is None:
                    self._end(Refused(error.code, str(error)))
                problem = str(error)
                pause = min(MAX_PAUSE_SECONDS, max(FIRST_PAUSE_SECONDS, pause * 2))
            if self._ended:
                return
            if self._is_stdio:
                self._orphan()
                return
            if self._draining and self._current is None:
                self._end(None)
            elif time.monotonic() - lost >= RECONNECT_SECONDS:
                seconds = round(RECONNECT_SECONDS)
                self._end(ConnectionLost(f"The coordinator could not be reached for {seconds} s: {problem}"))

    def _orphan(self) -> None:
        """The program that started this one has ended."""
        busy = self._current is not None
        self._end(None)
        if busy:
            time.sleep(ORPHAN_GRACE_SECONDS)
            os._exit(1)

    def _connect(self) -> Any:
        if self._is_stdio:
            return _StdioConnection()
        context = self._read_context()
        try:
            return _SocketConnection(context)
        except OSError:
            self.on_search(True)
            raise

    def _use_connection(self, connection: Any) -> bool:
        """Joins the run and serves a connection to its end. Returns whether it was welcomed."""
        handshake: Optional[_Handshake] = connection.handshake
        lines = _Lines(MAX_LINE_BYTES if handshake is None else MAX_UNPROVED_BYTES)
        join: Dict[str, Any] = {
            "type": "join",
            "protocol": PROTOCOL_VERSION,
            "pid": os.getpid(),
            "host": socket.gethostname()[:1024],
        }
        if self._is_stdio:
            join["batches"] = True
        if self._task is not None:
            join["task"] = self._task
        with self._changed:
            self._connection = connection
            self._unanswered = 0
            self._welcome_by = time.monotonic() + WELCOME_SECONDS
            join.update(self._identity)
            if self._was_ever_welcome:
                join["leases"] = [lease.id for lease in self._kept]
            if self._ended:
                connection.close()
            connection.send(_encode(join if handshake is None else handshake.hello()))

        def take(data: bytes) -> None:
            nonlocal handshake
            for message in lines.feed(data):
                with self._changed:
                    if handshake is None:
                        self._receive(message)
                    else:
                        connection.send(_encode(handshake.answer(message)) + _encode(join))
                        handshake = None
                        lines.limit = MAX_LINE_BYTES
                    self._changed.notify_all()

        was_welcome = False
        try:
            connection.receive(take, self._beat)
        except ProtocolError as error:
            if handshake is not None:
                connection.close()
                reason = f"it did not answer the hello as a coordinator does ({error})"
                raise handshake._stranger("PROTOCOL_ERROR", reason) from error
            connection.close()
            raise
        finally:
            with self._changed:
                was_welcome, self._is_welcome = self._is_welcome, False
                self._connection = None
                self._changed.notify_all()
        return was_welcome

    def _beat(self) -> Optional[float]:
        """Shows that this worker is alive while it sends nothing else.

        Returns the seconds until it wants to be called again, if at all.
        """
        with self._changed:
            if not self._is_welcome:
                wait = self._welcome_by - time.monotonic()
                if wait <= 0:
                    raise OSError("the coordinator did not answer the hello")
                return wait
            if self._heartbeat_seconds <= 0:
                return None
            wait = self._last_sent + self._heartbeat_seconds - time.monotonic()
            if wait > 0:
                return wait
            if self._unanswered >= MAX_UNANSWERED:
                raise OSError("the coordinator did not answer three heartbeats")
            self._unanswered += 1
            self._send({"type": "heartbeat"})
            return self._heartbeat_seconds

    def _receive(self, message: Mapping[str, Any]) -> None:
        self._unanswered = 0
        kind = message["type"]
        if kind == "welcome":
            self._take_welcome(message)
        elif kind == "task":
            task = message.get("task")
            if not isinstance(task, dict):
                raise ProtocolError("Invalid message: a task must be an object.")
            task_id = _text(task.get("id"), "id")
            _check_task(task)
            self._grids[task_id] = _grid(task)
            self._tasks[task_id] = task
        elif kind == "lease":
            lease = _lease(message)
            if lease.task_id not in self._tasks:
                raise ProtocolError(f'The coordinator leased blocks of "{lease.task_id}" before it described the task.')
            grid = self._grids[lease.task_id]
            if lease.rois is None:
                if grid is None:
                    raise ProtocolError(f'A lease of "{lease.task_id}" has no Rois, and the task has no grid.')
                if any(index >= grid.count for index in lease.indices):
                    raise ProtocolError(f'A lease of "{lease.task_id}" has blocks beyond the {grid.count} of its grid.')
            if len(self._queue) >= MAX_LEASES:
                raise ProtocolError(f"The coordinator leased more than {MAX_LEASES} lots of blocks at once.")
            self._queue.append(lease)
            self._kept.append(lease)
            # A worker holds at most two leases, so all but this one and the one before are settled.
            del self._kept[:-MAX_LEASES]
        elif kind == "revoked":
            number = _whole(message.get("lease"), "lease")
            for lease in [lease for lease in self._kept if lease.id == number]:
                self._revoke(lease)
                return
            self._send({"type": "dropped", "lease": number})
        elif kind == "drain":
            self._draining = True
        elif kind == "refused":
            code, text = _text(message.get("code"), "code"), _text(message.get("message"), "message")
            if code == "RUN_OVER":
                self._end(None)
            elif code not in ("TOO_MANY_CONNECTIONS", "TOO_LATE"):
                self._end(Refused(code, text))

    def _take_welcome(self, message: Mapping[str, Any]) -> None:
        if message.get("protocol") != PROTOCOL_VERSION:
            raise ProtocolError(
                f"The run speaks protocol version {message.get('protocol')}; this module speaks version "
                f"{PROTOCOL_VERSION}. Use the same version of Bellis everywhere."
            )
        reported = {}
        for known in _list(message.get("leases", []), "leases"):
            if not isinstance(known, dict):
                raise ProtocolError("Invalid message: leases must be objects.")
            reported[_whole(known.get("lease"), "lease")] = _whole(known.get("reported"), "reported")
        self._identity = {
            "worker": _text(message.get("workerId"), "workerId"),
            "session": _text(message.get("session"), "session"),
        }
        self._heartbeat_seconds = _whole(message.get("heartbeatMs", 0), "heartbeatMs") / 1000
        self.on_search(False)
        self._is_welcome = self._was_ever_welcome = True
        self._last_sent = time.monotonic()
        self._reported_ready.clear()
        for lease in list(self._kept):
            if lease.id in reported:
                lease.sent = min(reported[lease.id], len(lease.outcomes))
                self._report(lease)
            else:
                self._revoke(lease)

    def _revoke(self, lease: _Lease) -> None:
        lease.is_revoked = True
        if lease in self._kept:
            self._kept.remove(lease)
        if lease in self._queue:
            self._queue.remove(lease)
        # The current lease is dropped when its running block has ended.
        if lease is not self._current:
            self._send({"type": "dropped", "lease": lease.id})

    def _send(self, message: Mapping[str, Any]) -> None:
        if self._connection is not None and self._is_welcome:
            self._last_sent = time.monotonic()
            self._connection.send(_encode(message))

    def _report(self, lease: _Lease) -> None:
        """Sends the outcomes that the coordinator does not have yet, or keeps them while there is no connection."""
        if not self._is_welcome or lease.is_revoked:
            return
        if lease.sent < len(lease.outcomes):
            self._report_usage()
        part: List[Dict[str, Any]] = []
        text = 0
        for outcome in lease.outcomes[lease.sent :]:
            part.append(outcome)
            error = outcome.get("error", {})
            text += len(error.get("message", "")) + len(error.get("stack", ""))
            if text >= MAX_REPORT_TEXT:
                self._send({"type": "outcomes", "lease": lease.id, "outcomes": part})
                part, text = [], 0
        if part:
            self._send({"type": "outcomes", "lease": lease.id, "outcomes": part})
        lease.sent = len(lease.outcomes)

    def _report_usage(self) -> None:
        """Called before outcomes are sent: once these have arrived, the run may be over."""
        peak, now = _peak_memory(), time.monotonic()
        if peak is None or (now - self._usage_reported < USAGE_SECONDS and peak < 1.1 * self._memory_reported):
            return
        self._usage_reported, self._memory_reported = now, peak
        # This process does not read or write arrays through Bellis.
        self._send({"type": "usage", "readBytes": 0, "writtenBytes": 0, "peakMemory": peak})

    def _end(self, failure: Optional[BaseException]) -> None:
        with self._changed:
            self._ended = True
            self._failure = self._failure or failure
            self.on_search(False)
            if self._connection is not None and not self._is_stdio:
                self._connection.close()
            self._changed.notify_all()

    # --- the blocks, in the user's thread

    def drain(self) -> None:
        """Lets the running block finish and returns the others."""
        with self._changed:
            self._draining = True
            if not self._is_welcome and self._current is None:
                self._end(None)
            self._changed.notify_all()

    def blocks(self) -> Iterator[Block]:
        self._process = os.getpid()
        self._thread.start()
        undo = self._watch_process()
        # A program may end without having left the loop.
        atexit.register(self._end_at_exit)
        try:
            while True:
                lease = self._next_lease()
                if lease is None:
                    break
                yield from self._do(lease)
        except GeneratorExit:
            if not self._is_forked():
                self._return_blocks()
            raise
        finally:
            atexit.unregister(self._end_at_exit)
            undo()
            # The connection is that of the process that was forked.
            if not self._is_forked():
                if self._writer is not None:
                    self._writer.close()
                self._leave()
        if self._failure is not None:
            raise self._failure

    def _next_lease(self) -> Optional[_Lease]:
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._ended or self._draining)
            if self._ended or not self._queue:
                return None
            self._current = self._queue.popleft()
            return self._current

    def _do(self, lease: _Lease) -> Iterator[Block]:
        start = reported = time.monotonic()
        task = self._tasks[lease.task_id]
        if lease.task_id not in self._reported_ready and not self._draining:
            try:
                self.set_up(task)
            except Exception as error:
                if self._is_forked():
                    raise
                self._fail_setup(task, error)
                return
            self._assert_not_forked()
        connection = None
        with self._changed:
            if lease.task_id not in self._reported_ready and not self._draining:
                self._reported_ready.add(lease.task_id)
                self._send({"type": "task-ready", "taskId": lease.task_id})
                connection = self._connection
        if connection is not None:
            # If the first block stops this process, the coordinator must know that it was the block, and not the set-up.
            connection.flush(FLUSH_SECONDS)
        lease.settle_block = self._settle_block
        lease.beat = self._say_progress
        grid = self._grids[task["id"]]
        for at, index in enumerate(lease.indices):
            now = time.monotonic()
            if now - reported > REPORT_SECONDS:
                with self._changed:
                    self._report(lease)
                reported = now
            if self._ended or lease.is_revoked:
                break
            if self._draining or now - start > GIVE_BACK_SECONDS:
                lease.outcomes.append({"status": "returned"})
                continue
            if lease.rois is not None:
                read_roi, write_roi = lease.rois[at]
            else:
                assert grid is not None
                read_roi, write_roi = grid.rois(index)
            block = self.block_type(index, task, read_roi, write_roi, lease)
            writer = self._writer_of(task)
            lease.taken = writer.begin(lease.id) if writer is not None else None
            if lease.taken is None:
                self._block = block
                yield block
                self._assert_not_forked()
                self._block = None
            if writer is not None:
                writer.end()
            self._finish(block)
        self._settle(lease)

    def _is_forked(self) -> bool:
        """Whether this is a process that the code of a block has forked from the worker."""
        return os.getpid() != self._process

    def _assert_not_forked(self) -> None:
        if self._is_forked():
            raise BellisError(
                f"Process {os.getpid()} was forked from a worker by the code of a block and would go on as that worker; "
                "end it with os._exit, or use multiprocessing."
            )

    def _writer_of(self, task: Mapping[str, Any]) -> Optional[_Writer]:
        owns = task.get("owns")
        # The worker that has started this program says itself that the program may write. Without arrays there is nothing to say.
        if self._is_stdio or not isinstance(owns, dict) or not owns.get("outputs"):
            return None
        record = str(owns.get("id"))
        if self._writer is None or self._writer.record != record:
            if self._writer is not None:
                self._writer.close()
            folder = task.get("folder") or os.getcwd()
            paths = [os.path.realpath(os.path.join(folder, str(path))) for path in owns.get("outputs") or []]
            self._writer = _Writer(record, paths, self._take_arrays)
        return self._writer

    def _take_arrays(self, why: str) -> None:
        with self._changed:
            if self._current is not None and self._block is not None:
                self._current.taken = why

    @staticmethod
    def _finish(block: Block) -> None:
        if block._is_settled:
            return
        block._is_settled = True
        if block._lease.taken is not None:
            block._set_error(block._lease.taken)
        outcome: Dict[str, Any] = {"status": "done", "ms": round((time.monotonic() - block._started) * 1000, 3)}
        if block._error is not None:
            outcome.update(status="failed", error=block._error)
        elif block._is_skipped:
            outcome = {"status": "skipped"}
        block._lease.outcomes.append(outcome)

    def _settle_block(self, block: Block) -> None:
        with self._changed:
            if block is self._block:
                self._finish(block)
                self._report(block._lease)

    def _say_progress(self) -> None:
        now = time.monotonic()
        if now - self._progress_reported >= PROGRESS_SECONDS:
            self._progress_reported = now
            with self._changed:
                self._send({"type": "progress"})

    def _fail_setup(self, task: Mapping[str, Any], error: Exception) -> None:
        """This worker can't do the task, so it leaves, and returns its blocks."""
        stack = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        print(f"setup of {task['id']} failed:\n{stack}", end="", file=sys.stderr, flush=True)
        why = {"code": "SETUP_FAILED", "message": _describe(error)[:MAX_ERROR_TEXT], "stack": stack[-MAX_ERROR_TEXT:]}
        with self._changed:
            self.left_early = True
            self._send({"type": "setup-failed", "taskId": task["id"], "error": why})
        self._return_blocks()

    def _settle(self, lease: _Lease) -> None:
        with self._changed:
            self._report(lease)
            self._current = None
            if lease.is_revoked:
                self._send({"type": "dropped", "lease": lease.id})

    def _return_blocks(self) -> None:
        """The loop was left, so its block may not be done."""
        with self._changed:
            lease = self._current
            self._draining = True
            if lease is None:
                return
            block, self._block = self._block, None
            if block is not None and block._error is not None:
                self._finish(block)
            missing = len(lease.indices) - len(lease.outcomes)
            lease.outcomes.extend({"status": "returned"} for _ in range(missing))
            self._settle(lease)

    def _leave(self) -> None:
        with self._changed:
            # Leases that have not started are returned, too.
            for lease in self._queue:
                lease.outcomes.extend({"status": "returned"} for _ in lease.indices)
                self._report(lease)
            self._queue.clear()
            if self._failure is None:
                self._send({"type": "goodbye"})
            self._end(None)
            connection = self._connection
        if self._is_stdio:
            if connection is not None:
                connection.close()
        else:
            self._thread.join(5)

    def _end_at_exit(self) -> None:
        if not self._is_forked():
            self._return_blocks()
            self._leave()

    def _watch_process(self) -> Callable[[], None]:
        """Handles SIGTERM and the first Ctrl-C; reports an exception that ends the program as a failure of its block."""
        old_hook = sys.excepthook

        def hook(kind: Type[BaseException], error: BaseException, trace: Optional[types.TracebackType]) -> None:
            block = self._block
            if block is not None and isinstance(error, Exception):
                block._take(error)
                self._return_blocks()
                self._leave()
            old_hook(kind, error, trace)

        sys.excepthook = hook
        old: Dict[int, Any] = {}

        def leave(number: int, _frame: Optional[types.FrameType]) -> None:
            if self._draining and number == signal.SIGINT:
                raise KeyboardInterrupt
            self.left_early = True
            self.drain()
            if number == signal.SIGINT:
                self.on_interrupt()

        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                # The worker that started this program gets the terminal's Ctrl-C, too, and decides what it means.
                ignored = number == signal.SIGINT and (self._is_stdio or not self.takes_interrupts)
                old[number] = signal.signal(number, signal.SIG_IGN if ignored else leave)

        def undo() -> None:
            _forks.undoing.pop(self, None)
            for number, handler in old.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)
            if sys.excepthook is hook:
                sys.excepthook = old_hook

        def forked() -> None:
            # It is told to end by signals, as by Process.terminate() and by pools. If this process ignores Ctrl-C, so does what it starts.
            for number in [number for number in old if signal.getsignal(number) is signal.SIG_IGN]:
                del old[number]
            undo()

        _forks.undoing[self] = forked
        return undo


class _Forks:
    """Makes processes that the code of a block forks from a worker what they would be elsewhere: they end when they are told to by a signal."""

    def __init__(self) -> None:
        #: What each worker of this process undoes in processes that are forked from it.
        self.undoing: Dict[_Worker, Callable[[], None]] = {}
        self._masks = threading.local()

    def before(self) -> None:
        # A signal that comes right after the fork waits until the child has no handler of the worker any more.
        if self.undoing:
            self._masks.old = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))

    def in_parent(self) -> None:
        old = getattr(self._masks, "old", None)
        if old is not None:
            self._masks.old = None
            signal.pthread_sigmask(signal.SIG_SETMASK, old)

    def in_child(self) -> None:
        for undo in list(self.undoing.values()):
            undo()
        self.in_parent()


_forks = _Forks()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_forks.before, after_in_parent=_forks.in_parent, after_in_child=_forks.in_child)


class _NotRunning(BellisError):
    pass


def _encode(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode("utf-8") + b"\n"


def blocks(
    context: Optional[str] = None, *, run: Optional[str] = None, task: Optional[str] = None
) -> Iterator[Block]:
    """Yields the blocks of a run for this worker, until nothing is left to do or the worker is asked to leave.

    context: `bellis://TOKEN@HOST:PORT`; by default the environment variable BELLIS_CONTEXT.
    run: the path of the run's folder, whose file `context` is read instead.
    task: the id of the only task that this worker does, if the run has workers of their own for each of its tasks.
    On SIGTERM or the first Ctrl-C, the running block may finish and the others are returned. Leaving the loop with `break`
    returns the running block, too.
    Raises Refused, ConnectionLost or ProtocolError.
    """
    return _Worker(context, run, task=task).blocks()


def run(function: Callable[[Block], Any], context: Optional[str] = None, *, run: Optional[str] = None) -> int:
    """Calls a function with every block; an exception is a failed attempt. Returns how many blocks did not fail."""
    done = 0
    for block in blocks(context, run=run):
        with block:
            function(block)
        if block._error is None:
            done += 1
    return done
