"""A model over a volume: `python model.py INPUT WEIGHTS OUTPUT [WORKERS]`.

The model is loaded once per worker, by `setup`, on the worker's own GPU if there are any: with torch, the two lines that
are marked change. Here it is a linear classifier of pixels with the features of scikit-image, which needs no GPU.
"""

import sys

import bellis
import numpy as np
import zarr
from skimage.feature import multiscale_basic_features

BLOCK, CONTEXT = (16, 64, 64), (8, 8, 8)

input_path, weights_path, output_path, *rest = sys.argv[1:]
raw = bellis.open(input_path)
source = zarr.open_array(input_path, mode="r")
target = zarr.create_array(output_path, shape=raw.shape, chunks=BLOCK, dtype="uint8", overwrite=True)
target.attrs.update(raw.placement)


def features_of(voxels):
    """One row of features per voxel: intensity, edges and texture at two scales."""
    features = multiscale_basic_features(voxels.astype("float32") / 255, sigma_min=1, sigma_max=2)
    return features.reshape(-1, features.shape[-1])


def load_model(config, resources):
    # With torch: model = torch.load(config["weights"]).to(f"cuda:{0 if 'gpu' in resources else 'cpu'}").eval()
    return np.load(config["weights"])


def predict(block, weights):
    read, write = block.to_slices(block.read_roi), block.to_slices()
    voxels = source[read]
    # With torch: scores = model(torch.from_numpy(voxels)[None, None].to(device))[0, 0].cpu().numpy()
    scores = (features_of(voxels) @ weights["weights"] + weights["bias"]).reshape(voxels.shape)
    inner = tuple(slice(w.start - r.start, w.stop - r.start) for r, w in zip(read, write))
    target[write] = (scores[inner] > 0).astype("uint8")


def to_nm(voxels):
    return tuple(count * size for count, size in zip(voxels, raw.voxel_size))


context, block_roi = to_nm(CONTEXT), bellis.Roi((0, 0, 0), to_nm(BLOCK))
task = bellis.Task(
    "predict",
    predict,
    total_roi=raw.roi.grow(context),
    read_roi=block_roi.grow(context),
    write_roi=block_roi,
    fit="shrink",
    read_write_conflict=False,
    setup=load_model,
    config={"weights": weights_path},
    # requires={"gpu": 1},  with bellis.run(…, resources={"gpu": 4}): each worker has one of four GPUs
    voxel_size=raw.voxel_size,
    offset=raw.offset,
)

if __name__ == "__main__":
    print(bellis.run(task, workers=int(rest[0]) if rest else None, raise_on_failure=True))
