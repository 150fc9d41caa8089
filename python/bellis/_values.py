"""Checks of what users pass to tasks and runs, in the words of Python."""

from __future__ import annotations

import math
import numbers
import operator
import os
import re
from typing import Any, Callable, Iterable, Mapping, Protocol, Union, runtime_checkable

#: What JavaScript, and so the engine, has as exact whole numbers.
EXACT = 2**53 - 1


@runtime_checkable
class StoredArray(Protocol):
    """An array of a library that stores it where Bellis can find it: see `path_of_array`."""

    @property
    def shape(self) -> Any: ...

    @property
    def dtype(self) -> Any: ...


#: An array that blocks write: its path, or the array as a library has opened it.
Writable = Union[str, "os.PathLike[str]", StoredArray]


def checked_id(value: object) -> str:
    """The id of a task. Raises TypeError or ValueError."""
    if not isinstance(value, str):
        raise TypeError(f"The id of a task is {value!r}; expected a text.")
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value) is None:
        raise ValueError(f"The id of a task is {value!r}; use ASCII letters, digits, '.', '_' and '-', with a letter or a digit first.")
    return value


def whole_number(value: Any, what: str, least: int) -> int:
    """A whole number, also one of NumPy. Raises TypeError or ValueError."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} is {value!r}; expected a whole number from {least}.") from None
    if number < least:
        raise ValueError(f"{what} is {number}; expected a whole number from {least}.")
    return number


def positive_number(value: Any, what: str) -> float:
    """A finite number above 0, also one of NumPy. Raises TypeError or ValueError."""
    if isinstance(value, (str, bytes)) or not (isinstance(value, numbers.Real) or hasattr(value, "__float__")):
        raise TypeError(f"{what} is {value!r}; expected a number above 0.")
    number = float(value)
    if not (number > 0 and math.isfinite(number)):
        raise ValueError(f"{what} is {value!r}; expected a number above 0.")
    return number


def megabytes(value: Any, what: str) -> float:
    """A size in MB, as the engine takes it. Raises TypeError or ValueError."""
    size = positive_number(value, what)
    if not 1 <= size <= 1_000_000:
        raise ValueError(f"{what} is {value!r}; expected a number of MB from 1 to 1000000.")
    return size


def one_of(value: Any, what: str, allowed: Iterable[str]) -> str:
    """One of some texts. Raises ValueError."""
    names = list(allowed)
    if value not in names:
        raise ValueError(f"{what} is {value!r}; expected {', '.join(map(repr, names[:-1]))} or {names[-1]!r}.")
    return str(value)


def amounts(value: Mapping[str, Any] | None, what: str) -> dict[str, float]:
    """Amounts of resources by name. Raises TypeError or ValueError."""
    return {name: _plain_number(positive_number(amount, f"{what}[{name!r}]")) for name, amount in (value or {}).items()}


def _plain_number(number: float) -> float:
    return int(number) if number.is_integer() else number


def plain_config(value: Mapping[str, Any] | None, what: str) -> dict[str, Any]:
    """A configuration of values that JSON has; those of NumPy are converted. Raises TypeError or ValueError, naming the entry."""
    return {_key(key, what): _plain(each, f"{what}[{key!r}]") for key, each in (value or {}).items()}


def _key(key: object, what: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{what} has the key {key!r}; expected texts as keys.")
    return key


def _plain(value: Any, what: str) -> Any:
    if value is None or isinstance(value, (bool, str)):
        return value
    if hasattr(value, "tolist") and hasattr(value, "dtype"):
        # A scalar or an array of NumPy, or of a library like it.
        return _plain(value.tolist(), what)
    if isinstance(value, int):
        if abs(value) > EXACT:
            raise ValueError(f"{what} is {value}; expected a whole number between -2^53 and 2^53, or the number as a text.")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{what} is {value}; expected a finite number, or the number as a text.")
        return value
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return plain_config(value, what)
    if isinstance(value, (list, tuple)):
        entries = [_plain(each, f"{what}[{at}]") for at, each in enumerate(value)]
        return tuple(entries) if isinstance(value, tuple) else entries
    raise TypeError(
        f"{what} is a {type(value).__module__}.{type(value).__qualname__}; expected a value that JSON has: a text, a number, True, False, "
        "None, or a list or a dict of these. What is passed to the function alone can be a variable that it uses."
    )


def masked_bits(value: Any, shape: tuple[int, ...], what: str) -> bytes:
    """Which blocks are not run, as bits in the order of their numbers. Raises ValueError if there is not one value per block."""
    if hasattr(value, "tolist") and hasattr(value, "shape"):
        found, flat = tuple(value.shape), _flat(value.tolist(), len(value.shape))
    else:
        found = _shape(value)
        flat = _flat(value, len(found))
    if found != shape:
        raise ValueError(f"{what} has the shape {found}; expected {shape}, one value for each block of the grid.")
    bits = bytearray(-(-len(flat) // 8))
    for index, is_masked in enumerate(flat):
        if is_masked:
            bits[index // 8] |= 1 << index % 8
    return bytes(bits)


def _shape(value: Any) -> tuple[int, ...]:
    return (len(value), *(_shape(value[0]) if len(value) > 0 else ())) if isinstance(value, (list, tuple)) else ()


def _flat(value: Any, rank: int) -> list[Any]:
    return [value] if rank == 0 else [leaf for part in value for leaf in _flat(part, rank - 1)]


def written_paths(value: Writable | Iterable[Writable], what: str) -> tuple[str, ...]:
    """The paths of arrays that blocks write. Raises TypeError or ValueError for arrays without a path."""
    # By the type first: an array of a closed file can't be asked for its shape.
    is_one = isinstance(value, (str, os.PathLike)) or _finder_of(value) is not None or isinstance(value, StoredArray)
    each: Iterable[Any] = [value] if is_one else value  # type: ignore[assignment]
    if not hasattr(each, "__iter__"):
        raise TypeError(f"{what}: expected paths or arrays, got {value!r}.")
    return tuple(path_of_array(one, what) for one in each)


def path_of_array(array: Any, what: str) -> str:
    """The path of an array: of zarr-python, TensorStore, h5py, funlib.persistence, or of `bellis.open`.

    Raises TypeError or ValueError if it has none that names all of it, such as an array in memory.
    """
    if isinstance(array, (str, os.PathLike)):
        path = os.fspath(array)
        if not path:
            raise ValueError(f"{what}: expected the path of an array, got ''.")
        return path
    find = _finder_of(array)
    if find is not None:
        return find(array, what)
    if isinstance(array, StoredArray):
        raise _unnamed(array, what, "is not stored in a file")
    raise TypeError(f"{what}: expected the path of an array, or the array as a library has opened it, got {array!r}.")


def _finder_of(array: object) -> Callable[[Any, str], str] | None:
    """What finds the path of an array of a library, by the name of its type: none of the libraries has to be there."""
    for kind in type(array).__mro__:
        for package, name, find in _FINDERS:
            if f"{kind.__module__}.".startswith(f"{package}.") and kind.__qualname__ == name:
                return find
    return None


def _unnamed(array: object, what: str, why: str) -> ValueError:
    kind = type(array)
    return ValueError(f"{what}: the {kind.__module__.partition('.')[0]}.{kind.__qualname__} {why}; give the path of the array, or leave it out.")


def _path_of_bellis(array: Any, what: str) -> str:
    return path_of_array(array.path, what)


def _path_of_bellis_daisy(array: Any, what: str) -> str:
    return path_of_array(array.data, what)


def _path_of_zarr(array: Any, what: str) -> str:
    # Version 3 has a StorePath; version 2 a store and a path in it.
    store = array.store
    root = getattr(store, "root", None) if type(store).__name__ == "LocalStore" else None
    if root is None and type(store).__name__ in ("DirectoryStore", "NestedDirectoryStore", "ZipStore"):
        root = store.path
    if root is None:
        raise _unnamed(array, what, f"is in a {type(store).__name__}, which has no path")
    return os.path.join(os.path.abspath(os.fspath(root)), *filter(None, str(array.path).split("/")))


def _path_of_tensorstore(array: Any, what: str) -> str:
    spec = array.spec().to_json()
    driver, store = spec.get("driver"), spec.get("kvstore")
    if isinstance(store, dict) and store.get("driver") == "file":
        path = str(store["path"])
    elif isinstance(store, str) and store.startswith("file://"):
        path = store.removeprefix("file://")
    else:
        raise _unnamed(array, what, "is in no folder of this machine's")
    if driver not in ("zarr", "zarr3", "n5", "neuroglancer_precomputed"):
        raise _unnamed(array, what, f"has the driver {driver}, which names no array of its own")
    if any(entry != {"input_dimension": axis} for axis, entry in enumerate(spec.get("transform", {}).get("output", []))):
        raise _unnamed(array, what, "is a part or a view of an array")
    # The path of precomputed volumes names the volume; a scale is a folder in it.
    scale = spec.get("scale_metadata", {}).get("key", "") if driver == "neuroglancer_precomputed" else spec.get("path", "")
    return os.path.join(path.rstrip("/"), *filter(None, str(scale).split("/")))


def _path_of_h5py(array: Any, what: str) -> str:
    if not array:
        raise _unnamed(array, what, "is of a file that is closed")
    file = array.file
    if file.driver not in ("sec2", "stdio", "core") or (file.driver == "core" and not os.path.exists(file.filename)):
        raise _unnamed(array, what, "is in no file of this machine's")
    # What the library has not written yet, others don't see.
    file.flush()
    return os.path.join(os.path.abspath(os.fsdecode(file.filename)), *filter(None, str(array.name).split("/")))


def _path_of_funlib(array: Any, what: str) -> str:
    if array.lazy_ops:
        raise _unnamed(array, what, "is a part or a view of an array")
    return path_of_array(array._source_data, what)


_FINDERS: tuple[tuple[str, str, Callable[[Any, str], str]], ...] = (
    ("bellis.daisy", "Array", _path_of_bellis_daisy),
    ("bellis", "Array", _path_of_bellis),
    ("zarr", "Array", _path_of_zarr),
    ("tensorstore", "TensorStore", _path_of_tensorstore),
    ("h5py", "Dataset", _path_of_h5py),
    ("funlib.persistence", "Array", _path_of_funlib),
)
