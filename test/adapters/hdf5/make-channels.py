"""make-channels.py DIR: channels.h5, volumes whose channel axis stands anywhere, as ilastik, Fiji and others name it."""

import json
import os
import sys

import h5py
import numpy as np

SIZES = {"t": 2, "c": 3, "z": 6, "y": 7, "x": 8}
with h5py.File(os.path.join(sys.argv[1], "channels.h5"), "w") as f:

    def volume(name, axes, labels=None, tags=None, **attributes):
        """Voxels are 100 times their channel, so that a channel that is mixed with another shows."""
        shape = [SIZES[axis] for axis in axes]
        channel = np.arange(3) * 100 if "c" in axes else np.zeros(1)
        place = [3 if axis == "c" else 1 for axis in axes]
        d = f.create_dataset(name, data=np.broadcast_to(channel.reshape(place if "c" in axes else [1] * len(axes)), shape).astype("f4"))
        if labels is not None:
            for i, label in enumerate(labels):
                d.dims[i].label = label
        if tags is not None:
            d.attrs["axistags"] = json.dumps({"axes": [{"key": key, "typeFlags": 2, "resolution": 0, "description": ""} for key in tags]})
        d.attrs.update(attributes)

    volume("labels-last", "zyxc", labels="zyxc")
    volume("labels-words", "zyxc", labels=["z", "y", "x", "channel"])
    volume("tags-last", "zyxc", tags="zyxc")
    volume("tags-time", "tzyxc", tags="tzyxc")
    volume("tags-middle", "zcyx", tags="zcyx")
    volume("tags-plane", "yxc", tags="yxc")
    volume("placed", "zyxc", labels="zyxc", resolution=[40.0, 4.0, 4.0], offset=[80.0, 0.0, 8.0])
    volume("fiji", "zyxc", labels="zyxc", element_size_um=[2.0, 0.5, 0.5])
    volume("names", "zyxc", axis_names=["z", "y", "x", "c^"], voxel_size=[40, 4, 4])
    volume("leading", "czyx", resolution=[40.0, 4.0, 4.0])
