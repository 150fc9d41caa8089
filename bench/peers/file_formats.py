"""file_formats.py FOLDER SHAPE ROUNDS: writes one volume as each format has it, with the reference library of the format, and reads it again.

Prints, as JSON, what is read as `path`, with the processor seconds of the reference library in one thread, the best of the rounds.
"""

import gzip
import json
import os
import shutil
import sys
import time

import h5py
import hdf5plugin
import mrcfile
import nibabel
import nrrd
import numpy as np
import tensorstore as ts
import tifffile

folder, shape, rounds = sys.argv[1], tuple(map(int, sys.argv[2].split(","))), int(sys.argv[3])
os.chdir(folder)
context = ts.Context({"data_copy_concurrency": {"limit": 1}, "file_io_concurrency": {"limit": 4}, "file_io_sync": False})
rows = []
z, y, x = np.ogrid[tuple(map(slice, shape))]
image = np.round(128 + 60 * np.sin(y / 23 + z / 31) + 40 * np.sin(x / 17) + np.random.default_rng(1).integers(0, 8, shape)).astype("u1")
words = image.astype("u2") * 16
labels = ((z // 11) * 10_000 + (y // 13) * 100 + x // 17).astype("u8")


def fastest(work):
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def measure(name, path, voxels, library, read, write=None, settings=None, exact=True):
    """`settings`: what Bellis writes the same with; formats that it does not write have none."""
    if exact:
        assert (np.asarray(read()) == voxels).all(), name
    row = {"name": name, "path": path, "library": library, "read": fastest(read), "megabytes": voxels.nbytes / 1e6}
    if settings is not None:
        row |= {"write": fastest(write), "settings": settings}
    rows.append(row)


def hdf5(name, voxels, **options):
    with h5py.File(f"{name}.h5", "w") as f:
        f.create_dataset("raw", data=voxels, **options)

    def read():
        with h5py.File(f"{name}.h5") as f:
            return f["raw"][...]

    measure(f"HDF5 {name}", f"{name}.h5/raw", voxels, "h5py", read)


chunk = (32, 64, 64)
hdf5("in one piece", words)
hdf5("chunks", words, chunks=chunk)
hdf5("gzip", words, chunks=chunk, compression="gzip")
hdf5("gzip and shuffle", words, chunks=chunk, compression="gzip", shuffle=True)
hdf5("szip", words, chunks=chunk, compression="szip")
hdf5("lzf", words, chunks=chunk, compression="lzf", shuffle=True)
for name, options in (
    ("blosc lz4", hdf5plugin.Blosc(cname="lz4")), ("blosc2 zstd", hdf5plugin.Blosc2(cname="zstd")), ("bitshuffle lz4", hdf5plugin.Bitshuffle()), ("lz4", hdf5plugin.LZ4()), ("zstd", hdf5plugin.Zstd()), ("bzip2", hdf5plugin.BZip2()),
):
    hdf5(name, words, chunks=chunk, **options)
with h5py.File("image.ims", "w") as f:
    data = f.create_dataset("DataSet/ResolutionLevel 0/TimePoint 0/Channel 0/Data", data=words, chunks=chunk, compression="gzip", compression_opts=2)
    for axis, length in zip("ZYX", shape):
        data.parent.attrs[f"ImageSize{axis}"] = np.frombuffer(str(length).encode(), "S1")


def read_imaris():
    with h5py.File("image.ims") as f:
        return f["DataSet/ResolutionLevel 0/TimePoint 0/Channel 0/Data"][...]


measure("Imaris", "image.ims/DataSet/ResolutionLevel 0/TimePoint 0/Channel 0/Data", words, "h5py", read_imaris)


def tensorstore(name, path, voxels, spec, turned, settings=None, exact=True):
    def opened(create, where=path):
        store = {"path": os.path.abspath(where) + "/", "driver": "file"}
        kind = {key: value for key, value in spec.items() if create or key == "driver"}
        return ts.open({**kind, "kvstore": store}, create=create, open=not create, context=context).result()

    def as_stored(data):
        return data if not turned else data.T if spec["driver"] == "n5" else data.T[..., None]

    def write(where=None):
        target = where or f"copy-of-{path}"
        shutil.rmtree(target, ignore_errors=True)
        opened(True, target).write(as_stored(voxels)).result()

    def read():
        array = opened(False).read().result()
        return array if not turned else array.T.reshape(voxels.shape)

    write(path)
    measure(name, path, voxels, "tensorstore", read, write, settings, exact)
    shutil.rmtree(f"copy-of-{path}", ignore_errors=True)


def zarr(version, name, compressor, codec):
    if version == 2:
        metadata = {"shape": shape, "chunks": (64, 64, 64), "dtype": "<u2", "compressor": compressor, "fill_value": 0, "dimension_separator": "/"}
    else:
        codecs = [{"name": "bytes", "configuration": {"endian": "little"}}, *compressor]
        if codec is not None and "shard" in codec:
            codecs = [{"name": "sharding_indexed", "configuration": {"chunk_shape": (64, 64, 64), "codecs": codecs}}]
        grid = {"name": "regular", "configuration": {"chunk_shape": (64, 128, 128) if codec is not None and "shard" in codec else (64, 64, 64)}}
        metadata = {"shape": shape, "data_type": "uint16", "chunk_grid": grid, "codecs": codecs}
    settings = None if codec is None else {"zarrFormat": version, "chunkShape": [64, 64, 64], "codec": codec.removesuffix(" shards"), **({"shardShape": [64, 128, 128]} if "shard" in codec else {})}
    tensorstore(f"Zarr {version} {name}", f"{name}-{version}.zarr", words, {"driver": "zarr" if version == 2 else "zarr3", "metadata": metadata}, False, settings)


for name, compressor, codec in (
    ("raw", None, "raw"), ("zlib", {"id": "zlib", "level": 6}, "zlib:6"), ("zstd", {"id": "zstd", "level": 3}, "zstd:3"), ("bz2", {"id": "bz2", "level": 9}, None),
    *[(f"blosc {cname}", {"id": "blosc", "cname": cname, "clevel": 5, "shuffle": 1}, f"blosc-{cname}:5") for cname in ("lz4", "lz4hc", "zstd", "zlib", "blosclz")],
    ("blosc bits", {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 2}, None),
):
    zarr(2, name, compressor, codec)
zstd = {"name": "zstd", "configuration": {"level": 3}}
for name, codecs, codec in (("raw", [], "raw"), ("gzip", [{"name": "gzip", "configuration": {"level": 6}}], "gzip:6"), ("zstd", [zstd], "zstd:3"), ("zstd in shards", [zstd], "zstd:3 shards")):
    zarr(3, name, codecs, codec)

for name, compression, codec in (
    ("raw", {"type": "raw"}, "raw"), ("gzip", {"type": "gzip", "level": 6}, "gzip:6"), ("zstd", {"type": "zstd", "level": 3}, "zstd:3"), ("blosc", {"type": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1}, "blosc-lz4:5"),
    ("bzip2", {"type": "bzip2", "blockSize": 9}, None), ("xz", {"type": "xz", "preset": 1}, None),
):
    metadata = {"dimensions": shape[::-1], "blockSize": (64, 64, 64), "dataType": "uint16", "compression": compression}
    settings = None if codec is None else {"codec": codec, "chunkShape": [64, 64, 64]}
    tensorstore(f"N5 {name}", f"{name}.n5", words, {"driver": "n5", "metadata": metadata}, True, settings)

for name, voxels, scale, settings in (
    ("raw", words, {"encoding": "raw"}, {"codec": "raw"}), ("png", image, {"encoding": "png"}, None), ("jpeg", image, {"encoding": "jpeg"}, None),
    ("compressed_segmentation", labels, {"encoding": "compressed_segmentation", "compressed_segmentation_block_size": [8, 8, 8]}, {"codec": "compressed_segmentation"}),
    ("gzip in shards", words, {"encoding": "raw", "sharding": {"@type": "neuroglancer_uint64_sharded_v1", "preshift_bits": 3, "minishard_bits": 1, "shard_bits": 1, "hash": "identity", "data_encoding": "gzip", "minishard_index_encoding": "gzip"}}, None),
):
    metadata = {"data_type": voxels.dtype.name, "num_channels": 1, "type": "segmentation" if voxels is labels else "image"}
    spec = {
        "driver": "neuroglancer_precomputed", "multiscale_metadata": metadata,
        "scale_metadata": {"size": shape[::-1], "resolution": [1, 1, 1], "chunk_size": [64, 64, 64], **scale},
    }
    settings = None if settings is None else {**settings, "chunkShape": [64, 64, 64]}
    tensorstore(f"precomputed {name}", f"{name}.precomputed", voxels, spec, True, settings, exact=name != "jpeg")

for name, options in (
    ("strips", {}), ("LZW", {"compression": "lzw"}), ("deflate", {"compression": "zlib", "predictor": True}), ("zstd", {"compression": "zstd"}), ("PackBits", {"compression": "packbits"}), ("LZMA", {"compression": "lzma"}),
    ("tiles", {"tile": (64, 64)}), ("tiles deflate", {"tile": (64, 64), "compression": "zlib"}),
):
    path = f"{name}.tif"
    voxels = image if name == "PackBits" else words
    tifffile.imwrite(path, voxels, photometric="minisblack", metadata=None, **options)
    measure(f"TIFF {name}", path, voxels, "tifffile", lambda path=path: tifffile.imread(path, maxworkers=1, ioworkers=1))
with mrcfile.new("volume.mrc", overwrite=True) as mrc:
    mrc.set_data(words)


def read_mrc():
    with mrcfile.open("volume.mrc") as mrc:
        return mrc.data.copy()


measure("MRC", "volume.mrc", words, "mrcfile", read_mrc)
for name, encoding in (("raw", "raw"), ("gzip", "gzip")):
    nrrd.write(f"{name}.nrrd", words.T, {"encoding": encoding}, compression_level=6)
    measure(f"NRRD {name}", f"{name}.nrrd", words, "pynrrd", lambda name=name: nrrd.read(f"{name}.nrrd")[0].T)
nibabel.save(nibabel.Nifti1Image(words.T, np.eye(4)), "volume.nii")
with open("volume.nii", "rb") as file, gzip.open("packed.nii.gz", "wb", 6) as packed:
    packed.write(file.read())
for name in ("volume.nii", "packed.nii.gz"):
    measure(f"NIfTI {'gzip' if name.endswith('gz') else 'raw'}", name, words, "nibabel", lambda name=name: np.asanyarray(nibabel.load(name, mmap=False).dataobj).T)
np.save("volume.npy", words)
measure("NumPy", "volume.npy", words, "NumPy", lambda: np.load("volume.npy"))
print(json.dumps(rows))
