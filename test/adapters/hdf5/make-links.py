"""make-links.py DIR: HDF5 files that name others, and what h5py reads through each of them from several working folders.

Prints a list of {cwd, file, name, value}: the value that all voxels have, or null where h5py finds nothing (an error, or the fill
value 77 of a virtual dataset).
"""

import json
import os
import sys

import h5py
import numpy as np

top = os.path.realpath(sys.argv[1])
os.chdir(top)
for folder in ("data/sub", "other", "link", "cwd/sub", "empty"):
    os.makedirs(folder)


def source(path, value):
    with h5py.File(path, "w") as f:
        f["x"] = np.full((4, 4), value, "u1")
        f["g/y"] = np.full((4, 4), value + 1, "u1")
        f["g/soft"] = h5py.SoftLink("y")
        f["onwards"] = h5py.ExternalLink("sub/b.h5", "/g/y")


source("data/a.h5", 10)
source("data/sub/b.h5", 20)
source("other/c.h5", 30)
source("cwd/a.h5", 40)
source("cwd/d.h5", 50)
source("cwd/sub/b.h5", 60)
for path in ("data/d.h5", "link/e.h5"):
    with open(path, "w") as f:
        f.write("not HDF5")
source("cwd/e.h5", 70)
os.makedirs("data/folder.h5")
source("cwd/folder.h5", 80)

NAMED = {
    "relative": "a.h5",
    "dotted": "./a.h5",
    "below": "sub/b.h5",
    "up": "../other/c.h5",
    "absolute": f"{top}/data/a.h5",
    "moved": "/nowhere/a.h5",
    "moved-deep": "/nowhere/data/sub/a.h5",
    "moved-below": "/nowhere/sub/b.h5",
    "elsewhere": f"{top}/other/c.h5",
    "text": "d.h5",
    "folder": "folder.h5",
    "missing": "none.h5",
    "spelled": "../data/a.h5",
}
with h5py.File("data/links.h5", "w") as f:
    f["x"] = np.full((4, 4), 1, "u1")
    f["g/z"] = np.full((4, 4), 2, "u1")
    f["hard"] = f["x"]
    f["g/hard-group"] = f["g"]
    f["soft"] = h5py.SoftLink("/g/z")
    f["soft-relative"] = h5py.SoftLink("g/z")
    f["g/soft-relative"] = h5py.SoftLink("z")
    f["g/soft-absolute"] = h5py.SoftLink("/x")
    f["g/soft-soft"] = h5py.SoftLink("soft-relative")
    f["soft-group"] = h5py.SoftLink("/g")
    f["soft-external"] = h5py.SoftLink("/external-relative")
    f["dangling"] = h5py.SoftLink("/none")
    f["cycle"] = h5py.SoftLink("/cycle")
    for name, path in NAMED.items():
        f["external-" + name] = h5py.ExternalLink(path, "/x")
    f["external-group"] = h5py.ExternalLink("a.h5", "/g")
    f["external-soft"] = h5py.ExternalLink("a.h5", "/g/soft")
    f["external-external"] = h5py.ExternalLink("a.h5", "/onwards")
    f["external-no-object"] = h5py.ExternalLink("a.h5", "/none")
with h5py.File("data/virtual.h5", "w") as f:
    for name, path in NAMED.items():
        layout = h5py.VirtualLayout(shape=(4, 4), dtype="u1")
        layout[:] = h5py.VirtualSource(path, "x", shape=(4, 4))
        f.create_virtual_dataset(name, layout, fillvalue=77)
    for name, inner in {"deep": "g/y", "soft": "g/soft", "onwards": "onwards", "no-object": "none"}.items():
        layout = h5py.VirtualLayout(shape=(4, 4), dtype="u1")
        layout[:] = h5py.VirtualSource("a.h5", inner, shape=(4, 4))
        f.create_virtual_dataset(name, layout, fillvalue=77)
for name in ("links.h5", "virtual.h5"):
    os.symlink("../data/" + name, "link/" + name)
os.symlink("data", "folder-link")

INNER = ["hard", "g/hard-group/z", "soft", "soft-relative", "g/soft-relative", "g/soft-absolute", "g/soft-soft", "soft-group/z"]
INNER += ["soft-external", "dangling", "cycle", "external-group/y", "external-soft", "external-external", "external-no-object"]
INNER += ["external-" + name for name in NAMED]
answers = []
for cwd in ("", "cwd", "data", "empty"):
    os.chdir(os.path.join(top, cwd))
    for folder in ("data", "link", "folder-link"):
        for file, names in (("links.h5", INNER), ("virtual.h5", [*NAMED, "deep", "soft", "onwards", "no-object"])):
            path = os.path.join(top, folder, file)
            # Some users give a path that starts at the working folder.
            with h5py.File(path if cwd == "cwd" else os.path.relpath(path), "r") as f:
                for name in names:
                    try:
                        voxels = f[name][:]
                        assert (voxels == voxels[0, 0]).all()
                        value = None if file == "virtual.h5" and voxels[0, 0] == 77 else int(voxels[0, 0])
                    except (KeyError, OSError, RuntimeError):
                        value = None
                    answers.append({"cwd": cwd, "file": f"{folder}/{file}", "name": name, "value": value})
print(json.dumps(answers))
