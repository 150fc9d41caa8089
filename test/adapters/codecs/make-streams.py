"""Writes fixtures/streams.json: data and how Python's bz2 and lzma compress it, for the tests of the decoders.

    .cache/python/bin/python test/adapters/codecs/make-streams.py
"""

import base64
import bz2
import hashlib
import json
import lzma
import pathlib
import random

random.seed(7)
noise = random.randbytes(300)
steps = b"".join(bytes([100 + (i // 7) % 50, i % 3]) for i in range(1500))
text = b"the number of blocks that are done, and the number of those that are not. " * 30
runs = bytes(1000) + b"\xff" * 259 + b"\x01" * 4 + b"\x02" * 5 + b"ab" * 300
large = b"".join(bytes([i & 255]) * (i % 700) for i in range(900))
cases = {"empty": b"", "one": b"x", "noise": noise, "steps": steps, "text": text, "runs": runs, "large": large}
streams = []


def add(kind, name, data, encoded):
    streams.append({"kind": kind, "name": name, "size": len(data), "sha256": hashlib.sha256(data).hexdigest(), "encoded": base64.b64encode(encoded).decode()})


for name, data in cases.items():
    add("bzip2", name, data, bz2.compress(data, 1 if name == "large" else 9))
    add("xz", name, data, lzma.compress(data, preset=6))
add("bzip2", "two streams", text + runs, bz2.compress(text, 1) + bz2.compress(runs, 9))
add("xz", "two streams", text + runs, lzma.compress(text) + bytes(4) + lzma.compress(runs, check=lzma.CHECK_CRC32))
for lc, lp, pb in ((0, 0, 0), (4, 0, 4), (1, 3, 2), (0, 4, 1)):
    chain = [{"id": lzma.FILTER_LZMA2, "lc": lc, "lp": lp, "pb": pb}]
    add("xz", f"lc={lc} lp={lp} pb={pb}", steps + text, lzma.compress(steps + text, check=lzma.CHECK_SHA256, filters=chain))
add("xz", "delta", steps, lzma.compress(steps, filters=[{"id": lzma.FILTER_DELTA, "dist": 2}, {"id": lzma.FILTER_LZMA2}]))
for name in ("empty", "text", "steps", "runs"):
    add("xz", f"{name}, .lzma", cases[name], lzma.compress(cases[name], format=lzma.FORMAT_ALONE))
known = lzma.compress(text, format=lzma.FORMAT_ALONE, filters=[{"id": lzma.FILTER_LZMA1, "lc": 0, "lp": 4, "pb": 0}])
add("xz", "lp=4, .lzma", text, known)
add("xz", "text, .lzma, longer than stated", text[:-1], known[:5] + (len(text) - 1).to_bytes(8, "little") + known[13:])
(pathlib.Path(__file__).parent / "fixtures" / "streams.json").write_text(json.dumps(streams, indent=1) + "\n")
