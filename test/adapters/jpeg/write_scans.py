"""Copies the progressive images of FIXTURES to FOLDER, adds images whose components have scans of their own, and writes beside each what the
reference library decodes it to, and FOLDER/index.json.

    python write_scans.py FOLDER FIXTURES
"""

import glob
import json
import os
import shutil
import sys

import imagecodecs
import numpy as np

folder, fixtures = sys.argv[1:]
rng = np.random.default_rng(6)


def segments(data):
    """Marker, content and place of each segment, to the first scan."""
    at = 2
    while True:
        length = int.from_bytes(data[at + 2 : at + 4], "big")
        yield data[at + 1], data[at + 4 : at + 2 + length], at
        at += 2 + length
        if data[at - 2 - length + 1] == 0xDA:
            return


def segment(marker, content):
    return bytes([0xFF, marker]) + (len(content) + 2).to_bytes(2, "big") + content


def apart(height, width):
    """Three grey images as the components of one, each in a scan of its own."""
    result = bytearray(b"\xff\xd8")
    for number in range(3):
        data = imagecodecs.jpeg8_encode(rng.integers(0, 256, (height, width), dtype="u1"), level=70, optimize=False)
        for marker, content, at in segments(data):
            if marker in (0xDB, 0xC4) and number == 0:
                result += segment(marker, content)
            elif marker == 0xC0 and number == 0:
                result += segment(marker, content[:5] + bytes([3]) + b"".join(bytes([id, 0x11, 0]) for id in (1, 2, 3)))
            elif marker == 0xDA:
                result += segment(marker, bytes([1, number + 1, 0, 0, 63, 0])) + data[at + 2 + len(content) + 2 : -2]
    return bytes(result) + b"\xff\xd9"


for path in glob.glob(os.path.join(fixtures, "*.jpg")):
    shutil.copy(path, folder)
for number, (height, width) in enumerate(((8, 8), (17, 30), (1, 9))):
    with open(os.path.join(folder, f"apart-{number}.jpg"), "wb") as file:
        file.write(apart(height, width))
names = sorted(os.path.basename(path)[:-4] for path in glob.glob(os.path.join(folder, "*.jpg")))
index = []
for name in names:
    with open(os.path.join(folder, f"{name}.jpg"), "rb") as file:
        pixels = imagecodecs.jpeg8_decode(file.read())
    pixels.tofile(os.path.join(folder, f"{name}.bin"))
    index.append({"name": name, "height": pixels.shape[0], "width": pixels.shape[1], "samples": 1 if pixels.ndim == 2 else 3})
with open(os.path.join(folder, "index.json"), "w") as file:
    json.dump(index, file)
