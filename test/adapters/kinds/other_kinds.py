"""other_kinds.py DIR: N5, precomputed and TIFF volumes as people have them, and other.json with what the reference library reads from each."""

import bz2
import gzip
import json
import lzma
import os
import struct
import sys
import zlib

import numpy as np
import tensorstore as ts
import tifffile
from kinds import expect, finish, write_bytes, write_json

os.chdir(sys.argv[1])
rng = np.random.default_rng(4)


def judge(driver, path):
    return ts.open({"driver": driver, "kvstore": {"driver": "file", "path": f"{path}/"}, "open": True}).result().read().result().T


def n5(path, shape, block, dtype, compression, **more):
    write_json(f"{path}/attributes.json", {"dimensions": shape, "blockSize": block, "dataType": np.dtype(dtype).name, "compression": compression, **more})


def n5_block(shape, data, mode=0, count=None):
    extra = b"" if count is None else struct.pack(">I", count)
    return struct.pack(">HH", mode, len(shape)) + struct.pack(f">{len(shape)}I", *shape) + extra + data


write_json("a.n5/attributes.json", {"n5": "2.0.0"})
BLOCKS = "N5: blocks at the end that are cropped, or not; blocks with a count"
full = (np.arange(16).reshape(4, 4) + 300).astype(">u2")
for name, last in (
    ("cropped", n5_block([2, 4], full[:, :2].tobytes())), ("whole", n5_block([4, 4], full.tobytes())), ("counted", n5_block([2, 4], full[:, :2].tobytes(), 1, 8)), ("missing", None),
):
    n5(f"a.n5/blocks/{name}", [6, 4], [4, 4], "u2", {"type": "raw"})
    write_bytes(f"a.n5/blocks/{name}/0/0", n5_block([4, 4], full.tobytes()))
    voxels = np.zeros((4, 6), "u2")
    voxels[:, :4] = full
    if last is not None:
        write_bytes(f"a.n5/blocks/{name}/1/0", last)
        voxels[:, 4:] = full[:, :2]
    if name in ("cropped", "missing"):
        assert (judge("n5", f"a.n5/blocks/{name}") == voxels).all()
    expect(BLOCKS, f"a.n5/blocks/{name}", voxels)

MULTISETS = "N5: label multisets"
for name, more in (("flag", {"isLabelMultiset": True}), ("flag-and-size", {"isLabelMultiset": True, "maxNumEntries": 5}), ("levels", {"isLabelMultiset": True, "downsamplingFactors": [2, 2, 1]})):
    n5(f"a.n5/labels/{name}", [4, 4], [4, 4], "u1", {"type": "gzip"}, **more)
    expect(MULTISETS, f"a.n5/labels/{name}", error="multiset")

XZ = "Zarr 2 and 3, N5, TIFF: LZMA (xz) with any checksum, several streams, or differences first"
ramp = (np.arange(80).reshape(8, 10) * 999).astype(">i4")
packed = {
    "xz": lzma.compress(ramp.tobytes(), check=lzma.CHECK_CRC32), "xz-none": lzma.compress(ramp.tobytes(), check=lzma.CHECK_NONE),
    "xz-differences": lzma.compress(ramp.tobytes(), filters=[{"id": lzma.FILTER_DELTA, "dist": 4}, {"id": lzma.FILTER_LZMA2}]),
    "xz-streams": lzma.compress(ramp.tobytes()[:50]) + lzma.compress(ramp.tobytes()[50:]),
}
for name, data in packed.items():
    n5(f"a.n5/{name}", [10, 8], [10, 8], "i4", {"type": "xz", "preset": 6})
    write_bytes(f"a.n5/{name}/0/0", n5_block([10, 8], data))
    expect(XZ, f"a.n5/{name}", ramp)
for name, dtype in (("bytes", "u1"), ("floats", "f4"), ("words", ">u2")):
    plane = (np.add.outer(np.arange(60), np.arange(50)) % 200).astype(dtype)
    tifffile.imwrite(f"lzma-{name}.tif", plane, compression="lzma", photometric="minisblack", predictor=name == "words", metadata=None)
    expect(XZ, f"lzma-{name}.tif", tifffile.imread(f"lzma-{name}.tif"))

PLACED = "N5: a voxel size of the group above, factors of a level, a unit missing"
small = np.arange(24, dtype="u1").reshape(2, 3, 4)
for name, group, level, size, offset, warning in (
    ("paintera", {"painteraData": {"type": "raw"}, "multiScale": True, "resolution": [4, 5, 40], "offset": [0, 10, 80]}, {"downsamplingFactors": [2, 2, 1]}, [40, 10, 8], None, None),
    ("viewer", {"pixelResolution": {"dimensions": [0.1, 0.2, 0.5], "unit": "um"}}, {"downsamplingFactors": [1, 2, 4]}, [2000, 400, 100], None, None),
    ("own", {}, {"resolution": [3, 4, 5], "offset": [30, 0, 5], "units": ["nm", "nm", "nm"]}, [5, 4, 3], [5, 0, 30], None),
    ("cosem", {}, {"transform": {"axes": ["z", "y", "x"], "scale": [40.0, 4.0, 4.0], "translate": [0.0, 2.0, 0.0], "units": ["nm", "nm", "nm"]}}, [40, 4, 4], None, None),
    ("no-unit", {}, {"pixelResolution": {"dimensions": [4, 4, 40], "unit": "pixel"}}, [40, 4, 4], None, "pixel"),
):
    write_json(f"a.n5/{name}/attributes.json", group)
    n5(f"a.n5/{name}/s1", [4, 3, 2], [4, 3, 2], "u1", {"type": "raw"}, **level)
    write_bytes(f"a.n5/{name}/s1/0/0/0", n5_block([4, 3, 2], small.tobytes()))
    expect(PLACED, f"a.n5/{name}/s1", small, voxel_size=size, offset=offset, warning=warning)

PRECOMPUTED = "precomputed: files that cloud-volume has compressed, shards, several scales"
volume = rng.integers(0, 9, (6, 7, 9), dtype="u4")


def precomputed(path, encoding="raw", key=None, **more):
    scale = {"size": [9, 7, 6], "resolution": [4, 4, 40], "voxel_offset": [1, 2, 3], "chunk_size": [4, 4, 4], "encoding": encoding, **more} | ({} if key is None else {"key": key})
    return ts.open(
        {
            "driver": "neuroglancer_precomputed", "kvstore": {"driver": "file", "path": f"{path}/"}, "create": True, "open": True,
            "multiscale_metadata": {"data_type": "uint32", "num_channels": 1, "type": "segmentation"}, "scale_metadata": scale,
        }
    ).result()


for name, pack, suffix in (("gzip", gzip.compress, ".gz"), ("plain", lambda data: data, "")):
    precomputed(f"{name}.precomputed").write(volume.T[..., None]).result()
    for root, _, names in os.walk(f"{name}.precomputed"):
        for each in names:
            if "_" not in each:
                continue
            with open(os.path.join(root, each), "rb") as file:
                data = pack(file.read())
            os.remove(os.path.join(root, each))
            write_bytes(os.path.join(root, each + suffix), data)
    expect(PRECOMPUTED, f"{name}.precomputed", volume, voxel_size=[40, 4, 4], offset=[120, 8, 4])
segmentation = {"encoding": "compressed_segmentation", "compressed_segmentation_block_size": [3, 5, 2]}
for name, more in (
    ("raw", {}), ("labels", segmentation),
    ("hashed", {"sharding": {"@type": "neuroglancer_uint64_sharded_v1", "preshift_bits": 1, "minishard_bits": 1, "shard_bits": 2, "hash": "murmurhash3_x86_128", "data_encoding": "gzip", "minishard_index_encoding": "gzip"}}),
    ("one-shard", {"sharding": {"@type": "neuroglancer_uint64_sharded_v1", "preshift_bits": 9, "minishard_bits": 0, "shard_bits": 0, "hash": "identity", "minishard_index_encoding": "raw"}, **segmentation}),
):
    precomputed(f"{name}.precomputed", **more).write(volume.T[..., None]).result()
    expect(PRECOMPUTED, f"{name}.precomputed", volume, voxel_size=[40, 4, 4], offset=[120, 8, 4])
precomputed("scales.precomputed", key="fine").write(volume.T[..., None]).result()
precomputed("scales.precomputed", key="some/coarse one", resolution=[8, 8, 40], size=[5, 4, 6], voxel_offset=[0, 1, 3]).write(volume[:, :4, :5].T[..., None]).result()
expect(PRECOMPUTED, "scales.precomputed", volume, voxel_size=[40, 4, 4])
expect(PRECOMPUTED, "scales.precomputed/some/coarse one", volume[:, :4, :5], voxel_size=[40, 8, 8], offset=[120, 8, 0])
with open("plain.precomputed/info") as file:
    info = json.load(file)
for encoding in ("compresso", "zfpc", "kempressed", "fpzip", "jxl", "crackle"):
    info["scales"][0]["encoding"] = encoding
    write_json(f"{encoding}.precomputed/info", info)
    expect(PRECOMPUTED, f"{encoding}.precomputed", error=encoding)

MIXED = "TIFF: images of a stack in other compressions, tiles and strips than the first"
for name, dtype, ways in (
    ("floats", "f4", ({}, {"compression": "zlib", "predictor": 3}, {"tile": (16, 16)}, {"compression": "lzw", "rowsperstrip": 1})),
    ("words", ">u2", ({"compression": "zstd", "predictor": 2}, {"compression": "packbits"}, {"tile": (32, 48), "compression": "zlib", "predictor": 2}, {"rowsperstrip": 100})),
    ("long", "i8", ({"tile": (48, 16)}, {}, {"compression": "lzma"})),
):
    with tifffile.TiffWriter(f"mixed-{name}.tif", bigtiff=name == "long", byteorder=">" if name == "words" else "<") as tif:
        for way in ways:
            tif.write((rng.normal(0, 90, (41, 37)) ** 2).astype(dtype), photometric="minisblack", metadata=None, **way)
    expect(MIXED, f"mixed-{name}.tif", np.stack([page.asarray() for page in tifffile.TiffFile(f"mixed-{name}.tif").pages]))

PIXELS = "TIFF: an image of other pixels than the first, in a stack that OME names"
for name, second in (("type", np.zeros((20, 30), "u1")), ("size", np.zeros((20, 31), "u2")), ("samples", np.zeros((20, 30, 3), "u2")), ("sign", np.zeros((20, 30), "i2"))):
    description = """<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZCT" Type="uint16" SizeX="30" SizeY="20" SizeZ="2" SizeC="1" SizeT="1"><Channel ID="Channel:0:0"/><TiffData IFD="0" FirstZ="0"/><TiffData IFD="1" FirstZ="1"/></Pixels></Image></OME>"""
    with tifffile.TiffWriter(f"pixels-{name}.ome.tif", ome=False) as tif:
        tif.write(np.ones((20, 30), "u2"), photometric="minisblack", metadata=None, description=description)
        tif.write(second, photometric="rgb" if name == "samples" else "minisblack", metadata=None)
    expect(PIXELS, f"pixels-{name}.ome.tif", error=r"image|page|IFD")

DESCRIBED = "TIFF: a stack that tifffile or MetaMorph describes, also with one image that stands for all"
film = rng.integers(0, 60000, (2, 3, 4, 20, 30)).astype("u2")
for axes in ("ZYX", "CZYX", "ZCYX", "TZCYX", "CTZYX", "ZTCYX"):
    voxels = {3: film[0, 0], 4: film[0], 5: film}[len(axes)]
    order = sorted(range(len(axes)), key=lambda i: "CTZYX".index(axes[i]))
    for name, more in (("pages", {}), ("truncated", {"truncate": True}), ("strips", {"truncate": True, "rowsperstrip": 7, "byteorder": ">"}), ("packed", {"compression": "zlib"})):
        tifffile.imwrite(f"described-{name}-{axes}.tif", voxels, photometric="minisblack", metadata={"axes": axes}, **more)
        assert (tifffile.imread(f"described-{name}-{axes}.tif") == voxels).all()
        expect(DESCRIBED, f"described-{name}-{axes}.tif", voxels.transpose(order))
for name, more in (("pages", {}), ("truncated", {"truncate": True})):
    tifffile.imwrite(f"nameless-{name}.tif", film[0], photometric="minisblack", **more)
    expect(DESCRIBED, f"nameless-{name}.tif", film[0].reshape(-1, 20, 30))
colours = film[0, :, :3].astype("u1")
for name, config in (("apart", "separate"), ("together", "contig")):
    voxels = colours if config == "separate" else np.ascontiguousarray(np.moveaxis(colours, 1, -1))
    tifffile.imwrite(f"colours-{name}.tif", voxels, photometric="rgb", planarconfig=config, truncate=True)
    expect(DESCRIBED, f"colours-{name}.tif", colours.transpose(1, 0, 2, 3))
# The description of another state of the file: pages were added.
tifffile.imwrite("added.tif", film[0, 0], photometric="minisblack", metadata={"axes": "ZYX"})
tifffile.imwrite("added.tif", film[0, 1], photometric="minisblack", append=True, metadata=None)
expect(DESCRIBED, "added.tif", film[0, :2].reshape(8, 20, 30))
for byteorder in "<>":
    tags = [(33628, 4, 4, (0,) * 4, True), (33629, 5, 4, (0, 1) * 4, True), (65000, 4, 100, (0,) * 100, True)]
    name = f"metamorph-{'little' if byteorder == '<' else 'big'}.stk"
    tifffile.imwrite(name, film[0, 0], photometric="minisblack", truncate=True, metadata=None, byteorder=byteorder, extratags=tags)
    expect(DESCRIBED, name, film[0, 0])
tifffile.imwrite("cut.tif", film[0, 0], photometric="minisblack", truncate=True)
with open("cut.tif", "rb") as file:
    data = file.read()
write_bytes("./cut.tif", data[:-100])
expect(DESCRIBED, "cut.tif", error=r"4 images need")

LEFT_OUT = "TIFF: strips and tiles that were left out"
for name, dtype, value in (("zero", "u1", None), ("number", "<f4", "-9999"), ("nan", ">f8", "nan"), ("long", "<i8", "-7"), ("impossible", "u1", "-1"), ("words", ">u2", "65535")):
    tags = [] if value is None else [(42113, "s", 0, value, True)]
    tiles = (b"" if i % 2 else zlib.compress(np.full((16, 16), i + 1, dtype).tobytes()) for i in range(6))
    with tifffile.TiffWriter(f"left-out-{name}.tif", byteorder=dtype[0] if dtype[0] in "<>" else "<") as tif:
        tif.write(tiles, shape=(27, 45), dtype=dtype, tile=(16, 16), compression="zlib", photometric="minisblack", metadata=None, extratags=tags)
    expect(LEFT_OUT, f"left-out-{name}.tif", tifffile.imread(f"left-out-{name}.tif"))

VOLUMES = "TIFF: images of several planes each"
for number, (shape, tile) in enumerate((((4, 20, 32), (2, 16, 16)), ((8, 32, 32), (4, 16, 16)), ((5, 16, 16), (5, 16, 16)))):
    tifffile.imwrite(f"volume-{number}.tif", np.zeros(shape, "u1"), photometric="minisblack", volumetric=True, tile=tile)
    expect(VOLUMES, f"volume-{number}.tif", error=r"images of \d planes each; save each plane")
finish("other.json")
