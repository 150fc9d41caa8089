"""Rois of funlib.geometry, which has no types."""

from __future__ import annotations

import importlib
from typing import Any

from .._client import Roi, _Grid
from .._task import as_roi

#: A `funlib.geometry.Roi`.
AnyRoi = Any


def to_funlib(roi: Roi) -> AnyRoi:
    """A Roi of Bellis as one of funlib.geometry."""
    return importlib.import_module("funlib.geometry").Roi(roi.offset, roi.shape)


def grid_of(total_roi: AnyRoi, read_roi: AnyRoi, write_roi: AnyRoi, fit: str) -> _Grid:
    """The grid of blocks of a task. Raises ValueError if its Rois do not fit together."""
    total, read, write = (as_roi(roi, name) for roi, name in ((total_roi, "total_roi"), (read_roi, "read_roi"), (write_roi, "write_roi")))
    inside = all(r <= w and we <= re for r, w, we, re in zip(read.offset, write.offset, write.end, read.end))
    if not inside or len(read.offset) != len(write.offset):
        raise ValueError(f"write_roi {write} is not inside read_roi {read}.")
    return _Grid(total, read, write, fit)
