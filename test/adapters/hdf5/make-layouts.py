"""make-layouts.py DIR: image.ims as Imaris writes it, and data.h5 with data.xml as BigDataViewer writes them."""

import os
import sys

import h5py
import numpy as np

folder = sys.argv[1]
shape = (5, 6, 7)
voxels = np.arange(np.prod(shape), dtype="u2").reshape(shape)


def letters(text):
    return np.frombuffer(text.encode(), "S1")


with h5py.File(os.path.join(folder, "image.ims"), "w") as f:
    for level, (size, chunks) in enumerate([(shape, (4, 4, 4)), ((3, 3, 4), (4, 4, 4))]):
        group = f.create_group(f"DataSet/ResolutionLevel {level}/TimePoint 0/Channel 0")
        padded = [-(-length // chunk) * chunk for length, chunk in zip(size, chunks)]
        data = group.create_dataset("Data", padded, "u2", chunks=chunks, compression="gzip")
        # What fills up the chunks is no part of the image.
        data[:] = 999
        data[: size[0], : size[1], : size[2]] = voxels[: size[0], : size[1], : size[2]]
        for axis, length in zip("ZYX", size):
            group.attrs[f"ImageSize{axis}"] = letters(str(length))
    image = f.create_group("DataSetInfo/Image")
    for i, (start, end) in enumerate([("-3.5", "0"), ("10", "13"), ("1.5", "4")]):
        image.attrs[f"ExtMin{i}"], image.attrs[f"ExtMax{i}"] = letters(start), letters(end)
    image.attrs["Unit"] = letters("um")

with h5py.File(os.path.join(folder, "data.h5"), "w") as f:
    for setup in (0, 1):
        f[f"s{setup:02}/resolutions"] = np.array([[1.0, 1, 1], [2, 2, 1]])
        f[f"s{setup:02}/subdivisions"] = np.array([[4, 4, 4], [4, 4, 4]], "i4")
        for level in (0, 1):
            data = (voxels if level == 0 else voxels[:, ::2, ::2]) + 40_000
            f.create_dataset(f"t00000/s{setup:02}/{level}/cells", data=data.view("i2") if data.flags.c_contiguous else np.ascontiguousarray(data).view("i2"), chunks=(4, 3, 3), compression="gzip")
with open(os.path.join(folder, "data.xml"), "w") as xml:
    xml.write("""<?xml version="1.0"?><SpimData version="0.2"><SequenceDescription><ImageLoader format="bdv.hdf5"><hdf5 type="relative">data.h5</hdf5></ImageLoader>
    <ViewSetups><ViewSetup><id>0</id><name>a</name><size>7 6 5</size><voxelSize><unit>um</unit><size>0.1 0.2 0.5</size></voxelSize></ViewSetup>
    <ViewSetup><id>1</id><voxelSize><unit>pixel</unit><size>1.0 1.0 3.0</size></voxelSize></ViewSetup></ViewSetups></SequenceDescription></SpimData>""")
