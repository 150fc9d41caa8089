"""Writes JPEG images into FOLDER, with what the reference library decodes them to, and FOLDER/index.json.

    python write_images.py FOLDER
"""

import json
import os
import sys

import imagecodecs
import numpy as np

folder = sys.argv[1]
rng = np.random.default_rng(5)
index = []


def make(shape, content, **options):
    height, width, samples = shape
    data = rng.integers(0, 256, shape, dtype=np.uint8) if content == "noise" else (np.indices(shape).sum(0) * 7).astype(np.uint8)
    if samples == 1:
        data = data[..., 0]
    name = f"{len(index)}"
    encoded = imagecodecs.jpeg8_encode(data, **options)
    with open(os.path.join(folder, name + ".jpg"), "wb") as file:
        file.write(encoded)
    imagecodecs.jpeg8_decode(encoded).tofile(os.path.join(folder, name + ".bin"))
    index.append({"name": name, "width": width, "height": height, "samples": samples, "options": str(options), "content": content})


for height, width in ((1, 1), (8, 8), (9, 17), (40, 33), (3, 2), (64, 5)):
    for content in ("noise", "smooth"):
        for level in (10, 95, 100):
            make((height, width, 1), content, level=level)
        for subsampling in ("444", "422", "420", "440", "411"):
            make((height, width, 3), content, level=85, subsampling=subsampling)
        make((height, width, 3), content, level=90, optimize=True)
        make((height, width, 3), content, level=90, colorspace="RGB", outcolorspace="RGB")
with open(os.path.join(folder, "index.json"), "w") as file:
    json.dump(index, file)
