"""Rois of funlib.geometry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterable

from .._client import Roi as OwnRoi
from .._client import _Grid
from .._task import as_roi

try:
    from funlib.geometry.coordinate import Coordinate as AnyCoordinate
    from funlib.geometry.roi import Roi
except ImportError as error:
    raise ImportError("bellis.daisy needs funlib.geometry: pip install bellis[daisy]") from error

if TYPE_CHECKING:

    class Coordinate(AnyCoordinate):
        """Whole numbers, one per axis, as funlib.geometry has them; its constructor has no types there."""

        def __new__(cls, *numbers: int | Iterable[int]) -> Coordinate: ...

else:
    Coordinate = AnyCoordinate

__all__ = ["AnyCoordinate", "Coordinate", "Roi", "grid_of", "to_funlib"]


def to_funlib(roi: OwnRoi) -> Roi:
    """A Roi of Bellis as one of funlib.geometry."""
    return Roi(roi.offset, roi.shape)


def grid_of(total_roi: Roi, read_roi: Roi, write_roi: Roi, fit: str) -> _Grid:
    """The grid of blocks of a task. Raises ValueError if its Rois do not fit together."""
    total, read, write = (as_roi(roi, name) for roi, name in ((total_roi, "total_roi"), (read_roi, "read_roi"), (write_roi, "write_roi")))
    inside = all(r <= w and we <= re for r, w, we, re in zip(read.offset, write.offset, write.end, read.end))
    if not inside or len(read.offset) != len(write.offset):
        raise ValueError(f"write_roi {write} is not inside read_roi {read}.")
    return _Grid(total, read, write, fit)
