"""Reads the datasets that index.json lists with h5py, and prints what it found.

    python read_written.py FILE INDEX
"""

import json
import sys

import h5py
import numpy as np

with h5py.File(sys.argv[1], "r") as file:
    for entry in json.load(open(sys.argv[2])):
        dataset = file[entry["inner"]]
        expected = np.fromfile(entry["data"], entry["dtype"]).reshape(entry["shape"])
        assert dataset.dtype == np.dtype(entry["dtype"]), (entry, dataset.dtype)
        assert dataset.shape == expected.shape, (entry, dataset.shape)
        assert list(dataset.chunks) == entry["chunkShape"], (entry, dataset.chunks)
        assert (dataset.compression, dataset.compression_opts) == (
            (None, None) if entry["level"] is None else ("gzip", entry["level"])
        ), (entry, dataset.compression)
        assert dataset[...].tobytes() == expected.tobytes(), entry
        found = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in dataset.attrs.items()}
        assert found == entry["attributes"], (found, entry["attributes"])
    stored = {name: file[name].id.get_num_chunks() for name in ("sparse",)}
print(json.dumps(stored))
