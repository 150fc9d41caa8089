"""The arrays of Daisy 1.0, over zarr; later versions have none. funlib.persistence has its successors."""

from __future__ import annotations

import importlib
from typing import Any, Sequence

from .._task import whole_numbers
from .geometry import AnyRoi

_geometry: Any = importlib.import_module("funlib.geometry")
_zarr: Any = importlib.import_module("zarr")
_numpy: Any = importlib.import_module("numpy")


class Array:
    """An array with its Roi and its voxel size, both in world units."""

    def __init__(self, data: Any, roi: AnyRoi, voxel_size: Sequence[int], data_roi: AnyRoi = None) -> None:
        self.data = data
        self.roi = roi
        self.voxel_size = _geometry.Coordinate(whole_numbers(voxel_size, "voxel_size"))
        self.data_roi = roi if data_roi is None else data_roi
        self.dtype = data.dtype

    def _slices(self, roi: AnyRoi) -> tuple[slice, ...]:
        inner = (roi - self.data_roi.offset) / self.voxel_size
        return tuple(slice(int(begin), int(end)) for begin, end in zip(inner.begin, inner.end))

    def __getitem__(self, roi: AnyRoi) -> Array:
        return Array(self.data, roi, self.voxel_size, self.data_roi)

    def to_ndarray(self, roi: AnyRoi = None) -> Any:
        return _numpy.asarray(self.data[self._slices(self.roi if roi is None else roi)])

    def __setitem__(self, roi: AnyRoi, value: Any) -> None:
        self.data[self._slices(roi)] = value.to_ndarray() if isinstance(value, Array) else value


def open_ds(filename: str, ds_name: str, mode: str = "r") -> Array:
    """Opens a dataset of a Zarr container, with its attributes `resolution` and `offset`."""
    data = _zarr.open(filename, mode=mode)[ds_name]
    what = f"{filename}/{ds_name}"
    voxel_size = _geometry.Coordinate(whole_numbers(data.attrs.get("resolution", (1,) * data.ndim), f"resolution of {what}"))
    offset = whole_numbers(data.attrs.get("offset", (0,) * data.ndim), f"offset of {what}")
    return Array(data, _geometry.Roi(offset, _geometry.Coordinate(data.shape) * voxel_size), voxel_size)


def prepare_ds(
    filename: str,
    ds_name: str,
    total_roi: AnyRoi,
    voxel_size: Sequence[int],
    dtype: Any,
    write_size: Sequence[int] | None = None,
    **_: Any,
) -> Array:
    """Creates a dataset in a Zarr container, with a chunk per block, unless it is there."""
    size = _geometry.Coordinate(whole_numbers(voxel_size, "voxel_size"))
    group = _zarr.open_group(filename, mode="a", zarr_format=2)
    if ds_name not in group:
        shape = tuple(int(length) for length in total_roi.shape / size)
        chunks = shape if write_size is None else tuple(int(length) for length in _geometry.Coordinate(write_size) / size)
        data = group.create_array(ds_name, shape=shape, chunks=chunks, dtype=dtype)
        data.attrs["resolution"] = [int(number) for number in size]
        data.attrs["offset"] = [int(number) for number in total_roi.offset]
    return open_ds(filename, ds_name, "r+")
