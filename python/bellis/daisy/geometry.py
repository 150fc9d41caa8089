"""Rois of funlib.geometry, which has no types."""

from __future__ import annotations

import importlib
from typing import Any

from .._client import Roi

#: A `funlib.geometry.Roi`.
AnyRoi = Any


def to_funlib(roi: Roi) -> AnyRoi:
    """A Roi of Bellis as one of funlib.geometry."""
    return importlib.import_module("funlib.geometry").Roi(roi.offset, roi.shape)
