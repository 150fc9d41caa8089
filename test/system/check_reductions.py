"""Compares reductions of volumes with NumPy's results for the complete volumes.

Standard input: a list of { input, slices, bins, range, reduction } as JSON, `slices` a pair for each axis or null for all.
"""

import json
import sys

import numpy as np
import zarr

np.seterr(all="ignore")
for case in json.load(sys.stdin):
    volume = zarr.open_array(case["input"], mode="r")[...]
    if case["slices"] is not None:
        volume = volume[tuple(slice(*ends) for ends in case["slices"])]
    found = case["reduction"]
    values = volume[~np.isnan(volume)] if volume.dtype.kind == "f" else volume.ravel()
    assert found["count"] == values.size, case
    assert found["nan"] == volume.size - values.size, case
    assert found["nonzero"] == np.count_nonzero(values), case
    if values.size == 0:
        assert "mean" not in found and "min" not in found, case
        continue
    # Exact: Python's JSON has integers of any size.
    assert (found["min"], found["max"]) == (values.min().item(), values.max().item()), case
    wide = values.astype(np.float64)
    # As exact as a float64 of that magnitude: NumPy's own sums are no better.
    step = np.finfo(np.float64).eps * np.abs(wide).max()
    np.testing.assert_allclose([found["mean"], found["std"]], [wide.mean(), wide.std()], rtol=1e-12, atol=step)
    if case["bins"] is not None:
        counts, edges = np.histogram(wide, bins=case["bins"], range=case["range"])
        np.testing.assert_array_equal(found["histogram"]["counts"], counts, err_msg=str(case))
        np.testing.assert_allclose(found["histogram"]["edges"], edges, rtol=1e-12, atol=1e-12)
