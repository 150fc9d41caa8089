"""Writes the same array into several kinds of zip files.

    python write_zips.py FOLDER
"""

import os
import sys
import zipfile

import numpy as np
import zarr
from zarr.storage import LocalStore, ZipStore

folder = sys.argv[1]
data = (np.arange(480) * 7 % 251).astype("u1").reshape(24, 20)


def write(store, **options):
    array = zarr.create_array(store, name="raw", shape=data.shape, dtype="u1", chunks=(5, 7), **options)
    array[:] = data


with ZipStore(os.path.join(folder, "zarr-python.zarr.zip"), mode="w") as store:
    write(store)
write(LocalStore(os.path.join(folder, "sharded")), shards=(10, 14))
plain = os.path.join(folder, "plain")
write(LocalStore(plain))


def pack(source, name, compression=zipfile.ZIP_STORED, comment=b"", wide=False):
    with zipfile.ZipFile(os.path.join(folder, name), "w", compression) as target:
        target.comment = comment
        for root, folders, names in os.walk(source):
            for entry in folders:
                target.writestr(os.path.relpath(os.path.join(root, entry), source) + "/", b"")
            for entry in names:
                path = os.path.join(root, entry)
                with open(path, "rb") as file, target.open(os.path.relpath(path, source), "w", force_zip64=wide) as out:
                    out.write(file.read())


pack(os.path.join(folder, "sharded"), "sharded.zip")
pack(plain, "commented.zip", comment=b"PK\x05\x06 is how a directory ends" * 50)
pack(plain, "deflated.zip", compression=zipfile.ZIP_DEFLATED)
# As if each of its numbers needed 64 bits.
zipfile.ZIP64_LIMIT = 10
zipfile.ZIP_FILECOUNT_LIMIT = 1
pack(plain, "wide.zip", wide=True)
