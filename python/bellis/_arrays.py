"""What Bellis knows of a stored array; its voxels are read with zarr-python, tensorstore, h5py or any other library."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from decimal import Decimal
from typing import Any, Iterable

from ._client import Roi
from ._node import engine_call, engine_environment
from ._run import CannotRun
from ._task import AnyRoi, as_roi

#: Decimal digits of a world unit behind the point of nm.
_DIGITS = {"nm": 0, "pm": 3, "fm": 6}


@dataclasses.dataclass(frozen=True)
class Array:
    """The metadata of an array, as Bellis reads it: Zarr of both versions, OME-Zarr, HDF5 and others."""

    #: Of the array itself; of its largest one, if a group with a pyramid was named.
    path: str
    #: Voxels per axis, slowest axis first; leading axes that `axes` names as channels are not in Rois.
    shape: tuple[int, ...]
    #: A name of NumPy: "uint8", "float32", …
    dtype: str
    #: Voxels per chunk.
    chunk_shape: tuple[int, ...]
    axes: tuple[str, ...]
    #: World units (`unit`) per voxel.
    voxel_size: tuple[int, ...]
    #: The region that the array fills, world units.
    roi: Roi
    #: "nm", or "pm" or "fm" if the voxel size or the offset is not a whole number of nm.
    unit: str
    #: Everything that `bellis info --json` says; its lengths are in nm.
    info: dict[str, Any]

    @property
    def offset(self) -> tuple[int, ...]:
        """The low edge of the first voxel, world units."""
        return self.roi.offset

    @property
    def placement(self) -> dict[str, Any]:
        """The attributes of a Zarr array in the same place, with the same voxel size: `target.attrs.update(raw.placement)`."""
        units = {} if self.unit == "nm" else {"units": [self.unit] * len(self.voxel_size)}
        return {"resolution": list(self.voxel_size), "offset": list(self.offset), **units}

    def to_slices(self, roi: AnyRoi) -> tuple[slice, ...]:
        """The part of the array that a Roi covers: an index for the array as another library has opened it."""
        channels = (slice(None),) * (len(self.shape) - len(self.voxel_size))
        return (*channels, *as_roi(roi, "roi").to_slices(self.voxel_size, self.offset))


def open_array(path: str | os.PathLike[str]) -> Array:
    """Reads the metadata of an array: `raw.zarr/raw`, `sample.hdf/volumes/raw`, an address of the web.

    Raises CannotRun if there is no such array, or it can't be read.
    """
    call = [*engine_call(), "info", os.fspath(path), "--json", "--log-level", "error"]
    done = subprocess.run(call, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=engine_environment())
    if done.returncode != 0:
        raise CannotRun("NO_SUCH_DATASET", done.stderr.strip().removeprefix("bellis: ") or f"{path} can't be read.")
    info = json.loads(done.stdout)
    if "shape" not in info:
        raise CannotRun("NOT_A_DATASET", f"{os.fspath(path)} is a group or a container; name one of its arrays.")
    unit = info["worldUnit"]

    def whole(numbers: Iterable[float]) -> tuple[int, ...]:
        # The document has nm: 4.5 are 4500 pm. A float's shortest text is exact, its product may not be.
        return tuple(int(Decimal(repr(number)).scaleb(_DIGITS[unit])) for number in numbers)

    return Array(
        path=info["path"],
        shape=tuple(info["shape"]),
        dtype=info["dtype"],
        chunk_shape=tuple(info["chunkShape"]),
        axes=tuple(info["axes"]),
        voxel_size=whole(info["voxelSize"]),
        roi=Roi(whole(info["roi"]["offset"]), whole(info["roi"]["shape"])),
        unit=unit,
        info=info,
    )
