"""The arrays that Daisy had at first, over zarr and h5py; later versions have none. funlib.persistence has their successors."""

from __future__ import annotations

import importlib
import json
import os
import shutil
from typing import Any, Iterable, Literal, Mapping, Sequence, overload

from .._task import whole_numbers
from .geometry import AnyCoordinate, Coordinate, Roi

_zarr: Any = importlib.import_module("zarr")
_numpy: Any = importlib.import_module("numpy")

#: Whether this is version 2 of zarr, the last one for Python 3.10.
_IS_OLD = int(_zarr.__version__.split(".")[0]) < 3
#: Voxels per axis of a chunk, if the blocks that write it can be divided so.
_USUAL_CHUNK = 256


class Array:
    """A part of an array, its Roi, with its voxel size, both in world units. Axes before those of the Roi are channels.

    data: an array of NumPy, zarr or h5py. data_offset: the position of its first voxel; that of the Roi by default.
    """

    def __init__(self, data: Any, roi: Roi, voxel_size: Iterable[int], data_offset: Iterable[int] | None = None) -> None:
        self.data = data
        self.roi = roi
        self.voxel_size = Coordinate(whole_numbers(voxel_size, "voxel_size"))
        if self.voxel_size.dims != roi.dims or len(data.shape) < roi.dims:
            raise ValueError(
                f"Array: the Roi has {roi.dims} axes, the voxel size {self.voxel_size.dims}, and the data {len(data.shape)}; "
                "expected as many in the Roi as in the voxel size, and no more than in the data."
            )
        self.n_channel_dims = len(data.shape) - roi.dims
        start = roi.begin if data_offset is None else Coordinate(whole_numbers(data_offset, "data_offset"))
        #: What the data covers.
        self.data_roi = Roi(start, self.voxel_size * Coordinate(data.shape[self.n_channel_dims :]))
        for what, position in (("offset", roi.begin), ("shape", roi.shape), ("data_offset", start)):
            self._assert_whole_voxels(what, position)
        if not roi.empty and not self.data_roi.contains(roi):
            raise ValueError(f"Array: the Roi {roi} is not inside the data, which covers {self.data_roi}.")

    def _assert_whole_voxels(self, what: str, position: AnyCoordinate) -> None:
        if not position.is_multiple_of(self.voxel_size):
            raise ValueError(f"Array: {what} {position} is not a multiple of the voxel size {self.voxel_size}.")

    @property
    def shape(self) -> tuple[int, ...]:
        """Voxels along each axis, channels first."""
        return (*self.data.shape[: self.n_channel_dims], *(self.roi.shape / self.voxel_size))

    @property
    def dtype(self) -> Any:
        return self.data.dtype

    @overload
    def __getitem__(self, key: Roi) -> Array: ...

    @overload
    def __getitem__(self, key: AnyCoordinate) -> Any: ...

    def __getitem__(self, key: Roi | AnyCoordinate) -> Any:
        """The part in a Roi, without reading it; or the value at a position. Raises IndexError outside of this array's Roi."""
        if not self.roi.contains(key):
            raise IndexError(f"{key} is not inside this array, which covers {self.roi}; to_ndarray(roi, fill_value=0) reads more.")
        if isinstance(key, Roi):
            return Array(self.data, key, self.voxel_size, self.data_roi.begin)
        return self.data[(..., *((key - self.data_roi.begin) / self.voxel_size))]

    def __setitem__(self, roi: Roi, value: Any) -> None:
        """Writes an Array, an array or a value into a Roi. Raises IndexError outside of this array's Roi."""
        if not self.roi.contains(roi):
            raise IndexError(f"{roi} is not inside this array, which covers {self.roi}.")
        for what, position in (("offset", roi.begin), ("shape", roi.shape)):
            self._assert_whole_voxels(what, position)
        self.data[self._slices(roi)] = value.to_ndarray() if isinstance(value, Array) else value

    def to_ndarray(self, roi: Roi | None = None, fill_value: Any = None) -> Any:
        """A copy of what is in a Roi, that of this array by default.

        Raises IndexError if it is not inside that of this array, unless there is a fill_value for what is outside.
        """
        if roi is None:
            return _numpy.array(self.data[self._slices(self.roi)])
        if fill_value is None:
            return self[roi].to_ndarray()
        for what, position in (("offset", roi.begin), ("shape", roi.shape)):
            self._assert_whole_voxels(what, position)
        shape = (*self.data.shape[: self.n_channel_dims], *(roi.shape / self.voxel_size))
        found = _numpy.full(shape, fill_value, dtype=self.data.dtype)
        shared = self.roi.intersect(roi)
        if not shared.empty:
            Array(found, roi, self.voxel_size)[shared] = self[shared]
        return found

    def intersect(self, roi: Roi) -> Array:
        """The part that is in a Roi, too."""
        return self[self.roi.intersect(roi)]

    def materialize(self) -> None:
        """Reads all of it into memory."""
        self.data = self.to_ndarray()
        self.data_roi = Roi(self.roi.offset, self.roi.shape)

    def _slices(self, roi: Roi) -> tuple[slice, ...]:
        inner = (roi - self.data_roi.begin) / self.voxel_size
        return (*[slice(None)] * self.n_channel_dims, *inner.to_slices())


def open_ds(filename: str, ds_name: str, mode: Literal["r", "r+", "a"] = "r") -> Array:
    """Opens a dataset of a Zarr container, an HDF5 file, or a JSON file that has container, offset and size of a part.

    Its attributes `resolution` and `offset` place it.
    """
    if filename.endswith(".json"):
        with open(filename) as file:
            part = json.load(file)
        whole = open_ds(part["container"], ds_name, mode)
        return Array(whole.data, Roi(part["offset"], part["size"]), whole.voxel_size, whole.roi.begin)
    if filename.rstrip("/").endswith(".n5"):
        raise ValueError(f"{filename}: open_ds has no N5; open it with tensorstore, and pass it to bellis.daisy.Array.")
    if filename.endswith((".h5", ".hdf", ".hdf5")):
        data = importlib.import_module("h5py").File(filename, mode)[ds_name]
    else:
        data = _zarr.open_group(filename, mode=mode)[ds_name.strip("/")]
    what = f"{filename}/{ds_name}"
    placed = data.attrs.get("resolution"), data.attrs.get("offset")
    rank = next((len(each) for each in placed if each is not None), data.ndim)
    voxel_size = Coordinate(whole_numbers((1,) * rank if placed[0] is None else placed[0], f"resolution of {what}"))
    offset = whole_numbers((0,) * rank if placed[1] is None else placed[1], f"offset of {what}")
    if len(voxel_size) != len(offset):
        raise ValueError(f"{what}: its attributes resolution and offset have {len(voxel_size)} and {len(offset)} axes.")
    return Array(data, Roi(offset, Coordinate(data.shape[data.ndim - rank :]) * voxel_size), voxel_size)


def prepare_ds(
    filename: str,
    ds_name: str,
    total_roi: Roi,
    voxel_size: Sequence[int],
    dtype: Any,
    write_roi: Roi | None = None,
    write_size: Sequence[int] | None = None,
    num_channels: int = 1,
    compressor: Mapping[str, Any] | Literal["default"] | None = "default",
    delete: bool = False,
    force_exact_write_size: bool = False,
) -> Array:
    """Creates a dataset in a Zarr container, or opens the one that is there, with what it contains, if it is as described.

    write_size (or the shape of write_roi): what blocks write at a time, world units; chunks divide it, or equal it with
        force_exact_write_size. num_channels: more than one is the length of another axis, the first. compressor: settings of a codec of
        numcodecs; gzip by default, None for none.
    delete: replace a dataset that is there and differs. Raises RuntimeError without it; nothing is changed then.
    """
    size = Coordinate(whole_numbers(voxel_size, "voxel_size"))
    written = write_roi.shape if write_size is None and write_roi is not None else write_size
    lengths = [("total_roi", total_roi.begin), ("total_roi", total_roi.shape)]
    block = None if written is None else Coordinate(whole_numbers(written, "write_size"))
    for what, length in [*lengths, *([] if block is None else [("write_size", block)])]:
        if not length.is_multiple_of(size):
            raise ValueError(f"prepare_ds: {what} {length} is not a multiple of voxel_size {size}.")
    channels = (num_channels,) if num_channels > 1 else ()
    shape = (*channels, *(total_roi.shape / size))
    chunks = None
    if block is not None:
        voxels = tuple(block / size)
        chunks = (*channels, *(voxels if force_exact_write_size else map(_chunk_length, voxels)))
    _assert_zarr(filename)
    name = ds_name.strip("/")
    group = _open_container(filename)
    if name in group:
        there = open_ds(filename, name, "r+")
        differences = _differences(there, shape, total_roi, size, chunks, dtype)
        if not differences:
            return there
        if not delete:
            raise RuntimeError(f"{filename}/{name} is there, but its {'; its '.join(differences)}. Remove it, or pass delete=True.")
        shutil.rmtree(os.path.join(filename, *name.split("/")))
    if _IS_OLD:
        codec = _codec(compressor, 2)
        data = group.create_dataset(name, shape=shape, chunks=True if chunks is None else chunks, dtype=dtype, compressor=codec)
    else:
        codec = _codec(compressor, group.metadata.zarr_format)
        data = group.create_array(name, shape=shape, chunks="auto" if chunks is None else chunks, dtype=dtype, compressors=codec)
    data.attrs["resolution"] = list(size)
    data.attrs["offset"] = list(total_roi.offset)
    return open_ds(filename, name, "r+")


def _open_container(filename: str) -> Any:
    """The root of a Zarr container; a new one is of version 2, which all versions of zarr read."""
    if _IS_OLD or os.path.isdir(filename):
        return _zarr.open_group(filename, mode="a")
    return _zarr.open_group(filename, mode="a", zarr_format=2)


def _assert_zarr(filename: str) -> None:
    if filename.rstrip("/").endswith((".h5", ".hdf", ".hdf5", ".n5", ".json")):
        raise RuntimeError(f"prepare_ds writes Zarr, not {filename}; expected a name such as out.zarr.")


def _differences(there: Array, shape: tuple[int, ...], roi: Roi, size: Coordinate, chunks: tuple[int, ...] | None, dtype: Any) -> list[str]:
    wanted = {"shape": shape, "Roi": roi, "voxel size": size, "dtype": _numpy.dtype(dtype)}
    found = {"shape": there.shape, "Roi": there.roi, "voxel size": there.voxel_size, "dtype": there.dtype}
    if chunks is not None:
        # Zarr cuts chunks that are longer than the array.
        wanted["chunk shape"] = tuple(min(chunk, length) for chunk, length in zip(chunks, shape))
        found["chunk shape"] = tuple(min(chunk, length) for chunk, length in zip(there.data.chunks, shape))
    return [f"{name} is {found[name]}, not {value}" for name, value in wanted.items() if found[name] != value]


def _codec(compressor: Mapping[str, Any] | str | None, zarr_format: int) -> Any:
    if compressor is None:
        return None
    settings = {"id": "gzip", "level": 5} if isinstance(compressor, str) else dict(compressor)
    if zarr_format == 2:
        return importlib.import_module("numcodecs").get_codec(settings)
    name = settings.pop("id")
    return {"name": name, "configuration": settings}


def _chunk_length(block: int) -> int:
    """The divisor of a block's length that is nearest to the usual length, the longer of two."""
    divisors = [length for length in range(block, 0, -1) if block % length == 0]
    return min(divisors, key=lambda length: abs(length - _USUAL_CHUNK))
