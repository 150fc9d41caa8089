"""Writes TIFF files with tifffile, and beside each, as NAME.npy, its voxels, channels first and the slowest axis first; expected.json has the
voxel sizes. Usage: make-files.py FOLDER"""

import json
import sys
from pathlib import Path

import numpy as np
import tifffile

folder = Path(sys.argv[1])
random = np.random.default_rng(7)
expected: dict[str, object] = {}
TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8")


def noise(dtype, shape):
    if np.dtype(dtype).kind == "f":
        return random.normal(0, 50, shape).astype(dtype)
    info = np.iinfo(dtype)
    # With runs, so that compressors find matches.
    values = random.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)
    values[..., ::3] = values[..., 0:1]
    return values


def write(name, voxels, *, as_read=None, facts=None, **options):
    tifffile.imwrite(folder / name, voxels, **options)
    np.save(folder / f"{name}.npy", np.ascontiguousarray(voxels if as_read is None else as_read))
    expected[name] = facts or {}


for dtype in TYPES:
    for order in "<>":
        write(f"plain-{dtype}-{'big' if order == '>' else 'little'}.tif", noise(dtype, (3, 33, 29)), byteorder=order, photometric="minisblack", metadata=None)
    write(f"tiles-{dtype}.tif", noise(dtype, (3, 50, 70)), tile=(32, 16), photometric="minisblack", compression="zlib", metadata=None)
    for predictor in (3,) if np.dtype(dtype).kind == "f" else (2,):
        for order in "<>":
            name = f"predictor-{predictor}-{dtype}-{'big' if order == '>' else 'little'}.tif"
            write(name, noise(dtype, (2, 33, 29)), byteorder=order, photometric="minisblack", compression="zlib", predictor=predictor, rowsperstrip=7, metadata=None)
for compression in ("zlib", "adobe_deflate", "lzw", "packbits", "zstd", "lzma"):
    for rows in (1, 7, 64):
        write(f"{compression}-{rows}.tif", noise("u2", (2, 64, 61)), photometric="minisblack", compression=compression, rowsperstrip=rows, metadata=None)
write("lzw-long.tif", (np.add.outer(np.arange(700), np.arange(900)) % 251).astype("u1"), photometric="minisblack", compression="lzw", metadata=None)
write("lzw-noise.tif", random.integers(0, 255, (300, 301), dtype="u1"), photometric="minisblack", compression="lzw", rowsperstrip=300, metadata=None)
write("big.tif", noise("u2", (3, 20, 30)), bigtiff=True, photometric="minisblack", metadata=None)
write("single.tif", noise("u2", (20, 30)), photometric="minisblack", metadata=None)
colours = noise("u1", (4, 20, 30, 3))
write("rgb.tif", colours, as_read=colours.transpose(3, 0, 1, 2), photometric="rgb", metadata=None)
write("rgb-tiles.tif", colours, as_read=colours.transpose(3, 0, 1, 2), photometric="rgb", tile=(16, 16), compression="lzw", predictor=2, metadata=None)
apart = noise("u2", (4, 3, 20, 30))
write("rgb-apart.tif", apart, as_read=apart.transpose(1, 0, 2, 3), photometric="rgb", planarconfig="separate", metadata=None)

micron = {"voxelSize": [50, 4.6, 4.6]}
write("imagej.tif", noise("u2", (5, 20, 30)), imagej=True, resolution=(1 / 0.0046, 1 / 0.0046), metadata={"spacing": 0.05, "unit": "um", "axes": "ZYX"}, facts=micron)
hyper = noise("u1", (2, 5, 3, 20, 30))
write("imagej-hyperstack.tif", hyper, as_read=hyper.transpose(2, 0, 1, 3, 4), imagej=True, metadata={"axes": "TZCYX"})
write("imagej-big-endian.tif", noise("f4", (5, 20, 30)), imagej=True, byteorder=">", metadata={"axes": "ZYX"})
write("imagej-compressed.tif", noise("u2", (5, 20, 30)), imagej=True, compression="zlib", metadata={"axes": "ZYX"})
sizes = {"PhysicalSizeX": 4.6, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 4.6, "PhysicalSizeYUnit": "nm", "PhysicalSizeZ": 0.05}
write("ome.ome.tif", noise("u2", (5, 20, 30)), ome=True, metadata={"axes": "ZYX", **sizes}, facts=micron)
for axes, order in (("TCZYX", (1, 0, 2, 3, 4)), ("CZTYX", (0, 2, 1, 3, 4)), ("ZTCYX", (2, 1, 0, 3, 4))):
    voxels = noise("u1", (2, 3, 4, 20, 30))
    write(f"ome-{axes}.ome.tif", voxels, as_read=voxels.transpose(order), ome=True, photometric="minisblack", metadata={"axes": axes})
write("ome-rgb.ome.tif", colours, as_read=colours.transpose(3, 0, 1, 2), ome=True, photometric="rgb", metadata={"axes": "ZYXS"})
with tifffile.TiffWriter(folder / "pyramid.ome.tif") as tif:
    full = noise("u2", (64, 96))
    tif.write(full, subifds=1, tile=(32, 32), metadata={"axes": "YX"})
    tif.write(full[::2, ::2], subfiletype=1, tile=(32, 32))
np.save(folder / "pyramid.ome.tif.npy", full)
expected["pyramid.ome.tif"] = {}
with tifffile.TiffWriter(folder / "thumbnails.tif") as tif:
    stack = noise("u2", (3, 40, 50))
    for plane in stack:
        tif.write(plane, photometric="minisblack", metadata=None)
        tif.write(noise("u1", (4, 5, 3)), photometric="rgb", metadata=None)
np.save(folder / "thumbnails.tif.npy", stack)
expected["thumbnails.tif"] = {}

WAYS = [
    {}, {"rowsperstrip": 7}, {"compression": "zlib"}, {"compression": "lzw", "predictor": 2}, {"tile": (32, 16)}, {"tile": (16, 48), "compression": "zstd"},
    {"compression": "packbits", "rowsperstrip": 5},
]
for name, samples in (("mixed.tif", ()), ("mixed-rgb.tif", (3,))):
    stack = noise("u2", (len(WAYS), 40, 50, *samples))
    kind = {"photometric": "rgb" if samples else "minisblack", "metadata": None}
    with tifffile.TiffWriter(folder / name) as tif:
        for plane, way in zip(stack, WAYS):
            tif.write(plane, **kind, **way)
        if samples:
            tif.write(stack[0].transpose(2, 0, 1), planarconfig="separate", **kind)
    read = np.concatenate([stack, stack[:1]]).transpose(3, 0, 1, 2) if samples else stack
    np.save(folder / f"{name}.npy", np.ascontiguousarray(read))
    expected[name] = {}

(folder / "expected.json").write_text(json.dumps(expected))
