"""Arrays as the peers read and write them. Zarr 3 is made by writing its metadata, so that all of them get the same chunks and codecs."""

import itertools
import json
import os

OPENED = {}


def codecs(name, shard=None, inner=None):
    kind, _, level = name.partition(":")
    packed = {
        "raw": [],
        "zstd": [{"name": "zstd", "configuration": {"level": int(level or 3), "checksum": False}}],
        "gzip": [{"name": "gzip", "configuration": {"level": int(level or 6)}}],
        "blosc-lz4": [
            {
                "name": "blosc",
                "configuration": {"cname": "lz4", "clevel": int(level or 5), "shuffle": "shuffle", "typesize": 1, "blocksize": 0},
            }
        ],
    }[kind]
    little = {"name": "bytes", "configuration": {"endian": "little"}}
    if shard is None:
        return [little, *packed]
    index = [little, {"name": "crc32c"}]
    sharding = {"chunk_shape": list(inner), "codecs": [little, *packed], "index_codecs": index, "index_location": "end"}
    return [{"name": "sharding_indexed", "configuration": sharding}]


def metadata_of(path):
    with open(f"{path}/zarr.json") as file:
        return json.load(file)


def create(path, shape, dtype, chunk, codec, shard=None):
    os.makedirs(path, exist_ok=True)
    metadata = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(shard or chunk)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "codecs": codecs(codec, shard, chunk),
        "fill_value": False if dtype == "bool" else 0,
        "attributes": {},
    }
    with open(f"{path}/zarr.json", "w") as file:
        json.dump(metadata, file)


def open_tensorstore(path, threads=1):
    import tensorstore as ts

    context = {"data_copy_concurrency": {"limit": threads}, "file_io_concurrency": {"limit": max(4, threads)}, "file_io_sync": False}
    return ts.open({"driver": "zarr3", "kvstore": {"driver": "file", "path": path}, "context": context}).result()


class TensorStore:
    """A tensorstore that is indexed like a NumPy array."""

    def __init__(self, path, threads=1):
        self.array = open_tensorstore(path, threads)
        self.shape = self.array.shape

    def __getitem__(self, where):
        return self.array[where].read().result()

    def __setitem__(self, where, values):
        self.array[where].write(values).result()


def use_zarrs(threads):
    import zarr
    import zarrs  # noqa: F401

    zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline", "threading.max_workers": threads})
    zarr.config.set({"codec_pipeline.chunk_concurrent_maximum": threads})


def opened(library, path, threads=1):
    """Opened once per process."""
    key = (library, path)
    if key in OPENED:
        return OPENED[key]
    if library == "h5py":
        import h5py

        file, _, dataset = path.partition(":")
        OPENED[key] = h5py.File(file, "r")[dataset]
    elif library == "tensorstore":
        OPENED[key] = TensorStore(path, threads)
    else:
        import zarr

        if library == "zarrs":
            use_zarrs(threads)
        else:
            zarr.config.set({"threading.max_workers": threads})
        OPENED[key] = zarr.open_array(path, mode="r+")
    return OPENED[key]


def blocks(shape, block):
    starts = itertools.product(*(range(0, length, step) for length, step in zip(shape, block)))
    return [tuple(slice(at, min(length, at + step)) for at, length, step in zip(start, shape, block)) for start in starts]


def pool(job, jobs, workers):
    """The results of all jobs, in any order, from processes that start from nothing."""
    import multiprocessing

    if workers == 1:
        return [job(item) for item in jobs]
    with multiprocessing.get_context("spawn").Pool(workers) as processes:
        results = list(processes.imap_unordered(job, jobs))
        processes.close()
        processes.join()
    return results
