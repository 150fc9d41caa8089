# Datasets whose chunks decode to far more bytes than they have: 128 MiB of zeros instead of 4096 bytes.
import struct, sys, zlib
import h5py
import numpy as np

packer = zlib.compressobj(9)
bomb = b"".join(packer.compress(bytes(1 << 24)) for _ in range(8)) + packer.flush()

with h5py.File(sys.argv[1] + "/bombs.h5", "w") as f:
    def dataset(name, *filters, chunk=None):
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_chunk((64, 64))
        for add in filters:
            add(plist)
        space = h5py.h5s.create_simple((64, 64))
        made = h5py.Dataset(h5py.h5d.create(f.id, name.encode(), h5py.h5t.NATIVE_UINT8, space, plist))
        if chunk is None:
            made[...] = np.arange(4096).reshape(64, 64) % 15
        else:
            made.id.write_direct_chunk((0, 0), chunk)

    gzip = lambda plist: plist.set_deflate(4)
    scale = lambda plist: plist.set_scaleoffset(2, 4)
    szip = lambda plist: plist.set_szip(32, 8)
    dataset("gzip", gzip, chunk=bomb)
    dataset("gzip-gzip", gzip, lambda plist: plist.set_filter(1, 0, (4,)), chunk=zlib.compress(bomb))
    dataset("scaleoffset-gzip", scale, gzip, chunk=bomb)
    dataset("szip", szip, chunk=struct.pack("<I", 2**31 - 1) + bytes(1000))
    dataset("szip-gzip", szip, gzip, chunk=zlib.compress(struct.pack("<I", 2**31 - 1) + bytes(1000)))
    dataset("sound", scale, gzip)
    # A little more than the chunk has, which the library reads.
    dataset("long", gzip, chunk=zlib.compress(bytes(4096) + b"more"))

# The settings of scaleoffset, among them the number of elements, are HDF5's own unless they are changed in the file.
path = sys.argv[1] + "/settings.h5"
with h5py.File(path, "w") as f:
    f.create_dataset("scaleoffset", data=np.arange(4096).reshape(64, 64) % 15, dtype="u1", chunks=(64, 64), scaleoffset=4)
with open(path, "rb") as file:
    content = file.read()
settings = struct.pack("<III", 2, 4, 4096)
assert content.count(settings) == 1
with open(path, "wb") as file:
    file.write(content.replace(settings, struct.pack("<III", 2, 4, 2**30)))
