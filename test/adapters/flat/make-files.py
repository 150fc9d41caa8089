"""Writes files with the reference library of each format, and beside each, as NAME.npy, what that library reads, channels first and the
slowest axis first; expected.json has the voxel sizes. Usage: make-files.py FOLDER"""

import json
import sys
from pathlib import Path

import mrcfile
import nibabel
import nrrd
import numpy as np

folder = Path(sys.argv[1])
random = np.random.default_rng(7)
expected: dict[str, object] = {}


def noise(dtype, shape):
    if np.dtype(dtype).kind == "f":
        return random.normal(0, 50, shape).astype(dtype)
    info = np.iinfo(dtype)
    return random.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


def keep(name, voxels, **facts):
    np.save(folder / f"{name}.npy", np.ascontiguousarray(voxels))
    expected[name] = facts


# MRC: every mode; odd shapes; an extended header; stacks of volumes and images; a sub-volume; big-endian.
for dtype in ("i1", "i2", "u2", "f2", "f4"):
    name = f"mode-{dtype}.mrc"
    with mrcfile.new(folder / name) as mrc:
        mrc.set_data(noise(dtype, (3, 5, 7)))
        mrc.voxel_size = (4.6, 4.6, 50.0)
        mrc.header.origin = (1.5, 0, 100)
    keep(name, mrcfile.read(folder / name), voxelSize=[5.0, 0.46, 0.46], offset=[10.0, 0.0, 0.15])
with mrcfile.new(folder / "extended.mrc") as mrc:
    mrc.set_data(noise("i2", (2, 3, 4)))
    mrc.set_extended_header(np.frombuffer(b"x" * 1024, dtype="V1024"))
    mrc.voxel_size = 13.6
keep("extended.mrc", mrcfile.read(folder / "extended.mrc"), voxelSize=[1.36, 1.36, 1.36], offset=[0, 0, 0])
with mrcfile.new(folder / "image.mrc") as mrc:
    mrc.set_data(noise("f4", (6, 9)))
    mrc.set_image_stack() if mrc.data.ndim == 3 else None
keep("image.mrc", mrcfile.read(folder / "image.mrc"))
with mrcfile.new(folder / "volumes.mrcs") as mrc:
    mrc.set_data(noise("u2", (2, 3, 4, 5)))
    mrc.voxel_size = 2
keep("volumes.mrcs", mrcfile.read(folder / "volumes.mrcs"), voxelSize=[0.2, 0.2, 0.2], offset=[0, 0, 0])
with mrcfile.new(folder / "zipped.mrc.gz", compression="gzip") as mrc:
    mrc.set_data(noise("i2", (8, 9, 10)))
keep("zipped.mrc.gz", mrcfile.read(folder / "zipped.mrc.gz"))
with mrcfile.new(folder / "start.mrc") as mrc:
    mrc.set_data(noise("i1", (2, 2, 2)))
    mrc.voxel_size = 10
    mrc.header.nxstart, mrc.header.nystart, mrc.header.nzstart = 5, 6, 7
keep("start.mrc", mrcfile.read(folder / "start.mrc"), voxelSize=[1, 1, 1], offset=[7, 6, 5])
little = bytearray((folder / "mode-i2.mrc").read_bytes())
words = np.frombuffer(bytes(little[:1024]), "<u4").astype(">u4").tobytes()
big = bytearray(words)
big[104:112] = little[104:112]
big[208:216] = b"MAP \x11\x11\x00\x00"
big[224:1024] = little[224:1024]
(folder / "big.mrc").write_bytes(bytes(big) + np.frombuffer(bytes(little[1024:]), "<i2").astype(">i2").tobytes())
keep("big.mrc", mrcfile.read(folder / "big.mrc"), voxelSize=[5.0, 0.46, 0.46], offset=[10.0, 0.0, 0.15])

# NIfTI: every type, both versions, gzip, pairs, scaled, turned, time and vectors, big-endian, colours.
def nifti(name, voxels, affine=None, kind=nibabel.Nifti1Image, setup=None, **facts):
    image = kind(voxels, np.eye(4) if affine is None else affine, dtype=voxels.dtype)
    image.header.set_xyzt_units("mm", "sec")
    if setup is not None:
        setup(image.header)
    nibabel.save(image, folder / name)
    keep(name, np.asanyarray(nibabel.load(folder / name).dataobj).T, **facts)


place = np.diag([0.5, 1, 2, 1.0])
place[:3, 3] = [10.25, -3.5, 7]
for dtype in ("u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"):
    nifti(f"type-{dtype}.nii", noise(dtype, (7, 5, 3)), place, voxelSize=[2e6, 1e6, 5e5], offset=[6e6, -4e6, 10e6])
nifti("second.nii", noise("i2", (4, 3, 2)), place, nibabel.Nifti2Image, voxelSize=[2e6, 1e6, 5e5], offset=[6e6, -4e6, 10e6])
nifti("zipped.nii.gz", noise("u2", (30, 20, 10)), place, voxelSize=[2e6, 1e6, 5e5], offset=[6e6, -4e6, 10e6])
nifti("pair.hdr", noise("i2", (4, 3, 2)), place, nibabel.Nifti1Pair, voxelSize=[2e6, 1e6, 5e5], offset=[6e6, -4e6, 10e6])
turned = np.array([[0, -1, 0, 5], [1, 0, 0, 6], [0, 0, 1, 7], [0, 0, 0, 1.0]])
nifti("turned.nii", noise("u1", (4, 3, 2)), turned, voxelSize=[1e6, 1e6, 1e6], offset=[0, 0, 0])
mirrored = np.diag([-2, 2, 2, 1.0])
nifti("mirrored.nii", noise("u1", (4, 3, 2)), mirrored, voxelSize=[2e6, 2e6, 2e6], offset=[0, 0, 0])
nifti("series.nii", noise("i2", (4, 3, 2, 5)), place)
nifti("vectors.nii", noise("f4", (4, 3, 2, 1, 3)), place)
nifti("quaternion.nii", noise("u1", (4, 3, 2)), place, setup=lambda h: h.set_sform(None, 0), voxelSize=[2e6, 1e6, 5e5], offset=[6e6, -4e6, 10e6])
for name, dtype in (("scaled.nii", "i2"), ("scaled-bytes.nii", "u1"), ("scaled-floats.nii", "f8")):
    header = nibabel.Nifti1Header()
    header.set_data_dtype(dtype)
    header.set_data_shape((4, 3, 2))
    header["scl_slope"], header["scl_inter"], header["magic"], header["vox_offset"] = 0.1, -3, b"n+1", 352
    (folder / name).write_bytes(header.binaryblock + b"\0" * 4 + noise(dtype, (24,)).tobytes())
    keep(name, np.asanyarray(nibabel.load(folder / name).dataobj).T.astype("f8"))
header = nibabel.Nifti1Header(endianness=">")
header.set_data_dtype(">i2")
header.set_data_shape((4, 3, 2))
header["magic"], header["vox_offset"], header["scl_slope"] = b"n+1", 352, 1
(folder / "big.nii").write_bytes(header.binaryblock + b"\0" * 4 + noise("i2", (24,)).astype(">i2").tobytes())
keep("big.nii", np.asanyarray(nibabel.load(folder / "big.nii").dataobj).T.astype("<i2"))
rgb = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
colours = noise("u1", (4, 3, 2, 3)).view(rgb)[..., 0]
nibabel.save(nibabel.Nifti1Image(colours, np.eye(4)), folder / "colours.nii")
loaded = np.asanyarray(nibabel.load(folder / "colours.nii").dataobj)
keep("colours.nii", np.stack([loaded[c] for c in "RGB"], axis=-1).transpose(3, 2, 1, 0))

# NRRD: every type, raw and gzip, big-endian, voxels beside the header, colours, directions.
for dtype in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"):
    for encoding in ("raw", "gzip"):
        name = f"{encoding}-{dtype}.nrrd"
        header = {"encoding": encoding, "space dimension": 3, "space units": ["um", "um", "um"], "space directions": np.diag([0.5, 1, 2]), "space origin": [10.25, 3.5, 7]}
        nrrd.write(str(folder / name), noise(dtype, (7, 5, 3)), header)
        keep(name, nrrd.read(str(folder / name), index_order="C")[0], voxelSize=[2000, 1000, 500], offset=[6000, 3000, 10000])
nrrd.write(str(folder / "spacings.nrrd"), noise("u1", (4, 3, 2)), {"spacings": [4.0, 4.0, 40.0], "units": ["nm", "nm", "nm"]})
keep("spacings.nrrd", nrrd.read(str(folder / "spacings.nrrd"), index_order="C")[0], voxelSize=[40, 4, 4], offset=[0, 0, 0])
nrrd.write(str(folder / "beside.nhdr"), noise("u2", (4, 3, 2)), {"encoding": "raw"}, detached_header=True)
keep("beside.nhdr", nrrd.read(str(folder / "beside.nhdr"), index_order="C")[0])
nrrd.write(str(folder / "packed.nhdr"), noise("u2", (4, 3, 2)), {"encoding": "gzip"}, detached_header=True)
keep("packed.nhdr", nrrd.read(str(folder / "packed.nhdr"), index_order="C")[0])
nrrd.write(str(folder / "colours.nrrd"), noise("u1", (3, 5, 4, 2)), {"kinds": ["RGB-color", "domain", "domain", "domain"]})
keep("colours.nrrd", nrrd.read(str(folder / "colours.nrrd"), index_order="F")[0].transpose(0, 3, 2, 1))
big = noise("i4", (2, 3, 4)).astype(">i4")
(folder / "big.nrrd").write_bytes(b"NRRD0004\n# by hand\ntype: int\ndimension: 3\nsizes: 4 3 2\nendian: big\nencoding: raw\nspecimen:=vnc\n\n" + big.tobytes())
keep("big.nrrd", nrrd.read(str(folder / "big.nrrd"), index_order="C")[0].astype("<i4"))
slices = noise("u1", (3, 5, 7))
for z in range(3):
    (folder / f"slice{z + 1:02}.raw").write_bytes(slices[z].tobytes())
(folder / "pattern.nhdr").write_text("NRRD0004\ntype: uchar\ndimension: 3\nsizes: 7 5 3\nencoding: raw\ndata file: slice%02d.raw 1 3 1\n")
keep("pattern.nhdr", slices)  # pynrrd knows neither patterns nor lists
(folder / "list.nhdr").write_text("NRRD0004\ntype: uchar\ndimension: 3\nsizes: 7 5 3\nencoding: raw\ndata file: LIST\nslice01.raw\nslice02.raw\nslice03.raw\n")
keep("list.nhdr", slices)
(folder / "last-bytes.nrrd").write_bytes(b"NRRD0004\ntype: ushort\ndimension: 2\nsizes: 4 3\nendian: little\nencoding: raw\nbyte skip: -1\n\n" + b"x" * 13 + np.arange(12, dtype="<u2").tobytes())
keep("last-bytes.nrrd", nrrd.read(str(folder / "last-bytes.nrrd"), index_order="C")[0])
(folder / "skip.nhdr").write_text("NRRD0004\ntype: uchar\ndimension: 2\nsizes: 7 4\nbyte skip: -1\nencoding: raw\ndata file: slice01.raw\n")
keep("skip.nhdr", nrrd.read(str(folder / "skip.nhdr"), index_order="C")[0])

(folder / "expected.json").write_text(json.dumps(expected))
