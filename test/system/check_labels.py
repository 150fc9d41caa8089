"""Compares labels with scipy.ndimage.label of the complete volume: the same components, whatever their numbers.

Standard input: a list of { input, output, connectivity, channels } as JSON. Prints the number of components of each.
"""

import json
import sys

import numpy as np
import scipy.ndimage
import zarr

counts = []
for case in json.load(sys.stdin):
    volume = zarr.open_array(case["input"], mode="r")[...]
    labels = zarr.open_array(case["output"], mode="r")[...]
    assert labels.dtype == np.uint64, labels.dtype
    rank = volume.ndim - case["channels"]
    structure = scipy.ndimage.generate_binary_structure(rank, case["connectivity"])
    for _ in range(case["channels"]):
        alone = np.zeros((3, *structure.shape), bool)
        alone[1] = structure
        structure = alone
    expected, count = scipy.ndimage.label(volume != 0, structure)
    np.testing.assert_array_equal(labels != 0, expected != 0, err_msg=str(case))
    pairs = np.unique(np.stack([labels.ravel(), expected.ravel()]), axis=1)
    # As many pairs as labels on either side: the numbers correspond one to one.
    assert pairs.shape[1] == len(np.unique(labels)) == len(np.unique(expected)), case
    assert sorted(set(pairs[0]) - {0}) == list(range(1, count + 1)), case
    counts.append(count)
print(json.dumps(counts))
