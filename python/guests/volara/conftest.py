"""The arrays that volara's tests work on: 10 × 10 voxels."""

import daisy
import numpy as np
import pytest
from funlib.geometry import Coordinate, Roi
from funlib.persistence.arrays import prepare_ds
from volara.dbs import SQLite


def stored(path, data, voxel_size=(1, 1)):
    prepare_ds(path, shape=data.shape, voxel_size=Coordinate(voxel_size), dtype=data.dtype, mode="w")[:] = data
    return path, data


@pytest.fixture
def block_2d():
    whole = Roi((0, 0), (10, 10))
    return daisy.Block(total_roi=whole, read_roi=whole, write_roi=whole)


@pytest.fixture
def zarr_2d(tmp_path):
    return stored(tmp_path / "given.zarr" / "raw", np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10))


@pytest.fixture
def labels_2d(tmp_path):
    """One label per quadrant: 1 and 2 above 3 and 4."""
    labels = np.kron(np.array([[1, 2], [3, 4]]), np.ones((5, 5))).astype(np.uint64)
    return stored(tmp_path / "given.zarr" / "labels", labels)


@pytest.fixture
def frags_2d(tmp_path):
    """One fragment per row: 1 to 10."""
    return stored(tmp_path / "given.zarr" / "frags", np.repeat(np.arange(1, 11), 10).reshape(10, 10).astype(np.uint64))


@pytest.fixture
def affs_2d(tmp_path, labels_2d):
    """Affinities of neighbours in y and x: 1 within a label, 0 between labels."""
    labels = labels_2d[1]
    affinities = np.zeros((2, 10, 10), dtype=np.float32)
    affinities[0, :-1] = labels[1:] == labels[:-1]
    affinities[1, :, :-1] = labels[:, 1:] == labels[:, :-1]
    path = tmp_path / "given.zarr" / "affs"
    array = prepare_ds(path, shape=affinities.shape, voxel_size=Coordinate(1, 1), dtype=np.float32, mode="w")
    array[:] = affinities
    array._source_data.attrs["neighborhood"] = [[1, 0], [0, 1]]
    return path, affinities


@pytest.fixture
def sqlite_db_2d(tmp_path):
    (tmp_path / "graphs").mkdir()
    attributes = {"node_attrs": {"raw_intensity": 1}, "edge_attrs": {"y_aff": "float"}}
    database = SQLite(path=tmp_path / "graphs" / "db.sqlite", ndim=2, **attributes)
    database.init()
    return database
