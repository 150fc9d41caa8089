"""Compares two Zarr arrays and prints how many voxels differ: python compare.py voxels|partition A B.

`partition`: labels are equal if each of one array stands for one of the other, whatever their numbers.
"""

import sys

import numpy
from arrays import open_tensorstore

kind, *paths = sys.argv[1:]
first, second = (open_tensorstore(path, 2).read().result() for path in paths)
if first.shape != second.shape or first.dtype != second.dtype:
    raise SystemExit(f"{first.shape} {first.dtype} is not {second.shape} {second.dtype}")
if kind == "voxels":
    unsigned = f"u{first.dtype.itemsize}"
    print(int((numpy.ascontiguousarray(first).view(unsigned) != numpy.ascontiguousarray(second).view(unsigned)).sum()))
else:
    # The voxel of each label's first place decides which label of the other array it is.
    _, place, number = numpy.unique(first, return_index=True, return_inverse=True)
    expected = second.ravel()[place]
    wrong = int((expected[number.ravel()] != second.ravel()).sum())
    print(wrong + len(expected) - len(numpy.unique(expected)))
