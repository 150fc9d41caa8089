"""Compares pyramids with tensorstore's own downsampling, level by level, and their metadata with OME-NGFF.

Standard input: a list of { container, group, method, shapes } as JSON, one for each pyramid.
"""

import json
import sys

import numpy as np
import tensorstore as ts
import zarr

for pyramid in json.load(sys.stdin):
    where = f"{pyramid['container']}/{pyramid['group']}"
    group = zarr.open_group(pyramid["container"], mode="r")[pyramid["group"]]
    attributes = dict(group.attrs)
    [entry] = attributes.get("ome", attributes)["multiscales"]
    assert attributes.get("ome", entry)["version"] == ("0.5" if "ome" in attributes else "0.4"), where
    levels = [group[dataset["path"]] for dataset in entry["datasets"]]
    assert [list(level.shape) for level in levels] == pyramid["shapes"], (where, [level.shape for level in levels])
    edges = []
    for dataset in entry["datasets"]:
        scale, translation = dataset["coordinateTransformations"]
        assert (scale["type"], translation["type"]) == ("scale", "translation"), where
        space = [axis["type"] == "space" for axis in entry["axes"]]
        assert all(axis.get("unit") == "nanometer" for axis, is_space in zip(entry["axes"], space) if is_space), where
        size = np.where(space, scale["scale"], 0)
        edges.append((np.array(translation["translation"]) - size / 2, scale["scale"]))
    for finer, level, (edge, size), (finer_edge, finer_size) in zip(levels, levels[1:], edges[1:], edges):
        np.testing.assert_allclose(edge, finer_edge, atol=1e-9, err_msg=where)
        factor = np.divide(size, finer_size).round().astype(int).tolist()
        source = finer[...]
        expected = ts.downsample(ts.array(source), factor, pyramid["method"]).read().result()
        actual = level[...]
        assert actual.dtype == expected.dtype, (where, actual.dtype, expected.dtype)
        np.testing.assert_array_equal(actual, expected, err_msg=f"{where} {level.path}")
