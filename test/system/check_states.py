"""Reads exported block states with zarr-python.

Standard input: a list of { path, shape, values } as JSON, values flat in C order. The path may go into a group.
"""

import json
import sys

import numpy as np
import zarr

for case in json.load(sys.stdin):
    states = zarr.open_array(case["path"], mode="r")
    assert states.dtype == np.uint8, states.dtype
    assert states.shape == tuple(case["shape"]), states.shape
    np.testing.assert_array_equal(states[...].ravel(), np.array(case["values"], np.uint8), err_msg=case["path"])
    meaning = states.attrs["block_states"]
    assert meaning["task"] == case["task"], meaning
    assert meaning["values"] == {"0": "not done", "1": "done", "2": "failed", "3": "outside the mask"}, meaning
    if "group" in case:
        assert sorted(zarr.open_group(case["group"], mode="r").array_keys()) == case["arrays"]
