"""Compares volumes computed from expressions with NumPy's results for the complete volumes.

Standard input: a list of { inputs: {name: path}, output, python, dtype } as JSON; `python` is the expression in Python. Values
are float64, or Python's whole numbers for arrays of 64-bit integers.
"""

import json
import sys

import numpy as np
import zarr


def values(path):
    data = zarr.open_array(path, mode="r")[...]
    is_big = data.dtype in (np.int64, np.uint64)
    return np.array(data.tolist(), dtype=object).reshape(data.shape) if is_big else data.astype(np.float64)


def stored(result, dtype):
    """Rounds to the nearest integer (halves to even) within the range of the type; NaN becomes 0."""
    if dtype == np.bool_:
        return (result != 0).astype(bool)
    if dtype.kind == "f":
        return result.astype(np.float64).astype(dtype)
    low, high = (int(bound) for bound in (np.iinfo(dtype).min, np.iinfo(dtype).max))

    def one(value):
        if isinstance(value, (float, np.floating)):
            if np.isnan(value):
                return 0
            value = low if value <= low else high if value >= high else int(np.rint(value))
        return min(max(int(value), low), high)

    return np.array([one(value) for value in result.ravel()], dtype=dtype).reshape(result.shape)


np.seterr(all="ignore")
for case in json.load(sys.stdin):
    inputs = {name: values(path) for name, path in case["inputs"].items()}
    result = eval(case["python"], {"np": np}, inputs)
    output = zarr.open_array(case["output"], mode="r")
    assert output.dtype == np.dtype(case["dtype"]), (case, output.dtype)
    expected = stored(np.broadcast_to(np.asarray(result), output.shape), output.dtype)
    np.testing.assert_array_equal(output[...], expected, err_msg=str(case))
