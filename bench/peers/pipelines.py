"""Does the work of a Bellis command with the libraries that people use instead.

python pipelines.py smooth IN OUT mp|daisy [--sigma 2] [--chain]    SciPy in processes, or in Daisy's workers; chunks by tensorstore
python pipelines.py convert FILE:DATASET OUT tensorstore|zarr       h5py in processes
python pipelines.py copy IN OUT tensorstore|zarrs                   tensorstore's own threads; zarrs' own threads
python pipelines.py downsample IN OUT tensorstore
python pipelines.py map IN OUT numpy|dask                           255 - x
python pipelines.py reduce IN - numpy|dask                          prints a histogram of 256 bins
python pipelines.py label IN OUT cc3d|scipy                         the whole volume in memory
"""

import argparse
import json

from arrays import blocks, create, metadata_of, open_tensorstore, opened, pool


def shape_option(text):
    return tuple(int(part) for part in text.split(","))


def smooth_block(job):
    source, target, sigma, radius, block = job
    from scipy.ndimage import gaussian_filter

    array = opened("tensorstore", source)
    read = tuple(slice(max(0, axis.start - radius), min(length, axis.stop + radius)) for axis, length in zip(block, array.shape))
    smoothed = gaussian_filter(array[read], sigma, mode="constant")
    inside = tuple(slice(axis.start - around.start, axis.stop - around.start) for axis, around in zip(block, read))
    opened("tensorstore", target)[block] = smoothed[inside]


def smooth(options):
    metadata = metadata_of(options.source)
    shape, dtype = metadata["shape"], metadata["data_type"]
    radius = int(4 * options.sigma + 0.5)
    names = [options.source, *([f"{options.target}_1"] if options.chain else []), options.target]
    steps = list(zip(names, names[1:]))
    for _, target in steps:
        create(target, shape, dtype, options.chunk, options.codec)
    if options.kind == "daisy":
        smooth_with_daisy(options, shape, radius, steps)
        return
    for source, target in steps:
        jobs = [(source, target, options.sigma, radius, block) for block in blocks(shape, options.block)]
        pool(smooth_block, jobs, options.workers)


def smooth_with_daisy(options, shape, radius, steps):
    import daisy

    def worker(source, target):
        def process(block):
            begin, end = block.write_roi.get_begin(), block.write_roi.get_end()
            voxels = tuple(slice(int(a), min(int(b), length)) for a, b, length in zip(begin, end, shape))
            smooth_block((source, target, options.sigma, radius, voxels))

        return process

    tasks = []
    around = (radius,) * 3
    for number, (source, target) in enumerate(steps):
        tasks.append(
            daisy.Task(
                f"smooth{number}",
                daisy.Roi((0, 0, 0), shape).grow(around, around),
                daisy.Roi((0, 0, 0), options.block).grow(around, around),
                daisy.Roi((0, 0, 0), options.block),
                process_function=worker(source, target),
                num_workers=options.workers,
                read_write_conflict=False,
                fit="shrink",
                upstream_tasks=tasks[-1:] or None,
            )
        )
    if daisy.run_blockwise(tasks) is False:
        raise SystemExit("Daisy reports a failure")


def copy_block(job):
    source_library, target_library, source, target, block = job
    opened(target_library, target)[block] = opened(source_library, source)[block]


def convert(options):
    import h5py

    file, _, dataset = options.source.partition(":")
    with h5py.File(file, "r") as opened_file:
        shape, dtype = opened_file[dataset].shape, str(opened_file[dataset].dtype)
    create(options.target, shape, dtype, options.chunk, options.codec)
    jobs = [("h5py", options.kind, options.source, options.target, block) for block in blocks(shape, options.block)]
    pool(copy_block, jobs, options.workers)


def copy(options):
    metadata = metadata_of(options.source)
    create(options.target, metadata["shape"], metadata["data_type"], options.chunk, options.codec, options.shard)
    if options.kind == "tensorstore":
        open_tensorstore(options.target, options.workers).write(open_tensorstore(options.source, options.workers)).result()
        return
    source, target = opened(options.kind, options.source, options.workers), opened(options.kind, options.target, options.workers)
    for block in blocks(metadata["shape"], options.block):
        target[block] = source[block]


def downsample(options):
    import tensorstore as ts

    source, metadata = options.source, metadata_of(options.source)
    shape = metadata["shape"]
    for level in range(1, options.levels + 1):
        shape = [-(-length // 2) for length in shape]
        target = f"{options.target}/s{level}"
        create(target, shape, metadata["data_type"], [min(a, b) for a, b in zip(options.chunk, shape)], options.codec)
        coarse = ts.downsample(open_tensorstore(source, options.workers), [2, 2, 2], "mean")
        open_tensorstore(target, options.workers).write(coarse).result()
        source = target


def map_block(job):
    source, target, block = job
    opened("tensorstore", target)[block] = 255 - opened("tensorstore", source)[block]


def map_voxels(options):
    metadata = metadata_of(options.source)
    create(options.target, metadata["shape"], metadata["data_type"], options.chunk, options.codec)
    if options.kind == "dask":
        import dask
        import dask.array
        import zarr

        with dask.config.set(scheduler="threads", num_workers=options.workers):
            voxels = 255 - dask.array.from_zarr(options.source, chunks=options.block)
            dask.array.store(voxels, zarr.open_array(options.target, mode="r+"), lock=False)
        return
    pool(map_block, [(options.source, options.target, block) for block in blocks(metadata["shape"], options.block)], options.workers)


def count_block(job):
    import numpy

    source, block = job
    return numpy.bincount(opened("tensorstore", source)[block].ravel(), minlength=256)


def reduce(options):
    import numpy

    if options.kind == "dask":
        import dask
        import dask.array

        with dask.config.set(scheduler="threads", num_workers=options.workers):
            voxels = dask.array.from_zarr(options.source, chunks=options.block)
            counts, _ = dask.array.histogram(voxels, bins=256, range=(0, 256))
            counts, *_ = dask.compute(counts, voxels.min(), voxels.max(), voxels.mean(), voxels.std())
    else:
        jobs = [(options.source, block) for block in blocks(metadata_of(options.source)["shape"], options.block)]
        counts = sum(pool(count_block, jobs, options.workers))
        values = numpy.arange(256)
        mean = (counts * values).sum() / counts.sum()
        numpy.sqrt((counts * (values - mean) ** 2).sum() / counts.sum())
    print(json.dumps([int(count) for count in counts]))


def label(options):
    mask = open_tensorstore(options.source, options.workers).read().result()
    create(options.target, mask.shape, "uint64", options.chunk, options.codec)
    if options.kind == "scipy":
        from scipy.ndimage import label as label_voxels

        labels, _ = label_voxels(mask)
    else:
        import cc3d

        labels = cc3d.connected_components(mask, connectivity=6)
    open_tensorstore(options.target, options.workers).write(labels.astype("uint64")).result()


COMMANDS = {"smooth": smooth, "convert": convert, "copy": copy, "downsample": downsample, "map": map_voxels, "reduce": reduce, "label": label}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=COMMANDS)
    for name in ("source", "target", "kind"):
        parser.add_argument(name)
    parser.add_argument("--sigma", type=float, default=2)
    parser.add_argument("--chain", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--levels", type=int, default=4)
    parser.add_argument("--codec", default="zstd:3")
    parser.add_argument("--chunk", type=shape_option, default=(64, 64, 64))
    parser.add_argument("--shard", type=shape_option)
    parser.add_argument("--block", type=shape_option, default=(128, 128, 128))
    options = parser.parse_args()
    COMMANDS[options.command](options)


if __name__ == "__main__":
    main()
