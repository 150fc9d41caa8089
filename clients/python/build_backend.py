"""Builds the wheel of one module (PEP 517) with the standard library only. The same files give the same bytes."""

import base64
import gzip
import hashlib
import io
import os
import re
import tarfile
import time
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
TAG = "py3-none-any"
#: The time of all files: 1980-01-01, the earliest that a zip file can name, or that of SOURCE_DATE_EPOCH.
EPOCH = max(315532800, int(os.environ.get("SOURCE_DATE_EPOCH", "0")))
MODE = 0o644


def _read(name):
    with open(os.path.join(HERE, name), "rb") as file:
        return file.read()


VERSION = re.search(rb'^__version__ = "(.+)"', _read("bellis.py"), re.M).group(1).decode()
NAME = f"bellis_client-{VERSION}"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    head = f"Metadata-Version: 2.1\nName: bellis-client\nVersion: {VERSION}\nLicense: MIT\nRequires-Python: >=3.9\n"
    info = f"{NAME}.dist-info"
    files = {
        "bellis.py": _read("bellis.py"),
        f"{info}/METADATA": head.encode() + b"Description-Content-Type: text/markdown\n\n" + _read("README.md"),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: bellis\nRoot-Is-Purelib: true\nTag: {TAG}\n".encode(),
    }
    record = ""
    for path, data in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(data)}\n"
    files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    wheel = f"{NAME}-{TAG}.whl"
    with zipfile.ZipFile(os.path.join(wheel_directory, wheel), "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            entry = zipfile.ZipInfo(path, time.gmtime(EPOCH)[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            # A regular file, of a system that has modes, wherever it is built.
            entry.create_system = 3
            entry.external_attr = (0o100000 | MODE) << 16
            archive.writestr(entry, data)
    return wheel


def build_sdist(sdist_directory, config_settings=None):
    name = f"{NAME}.tar.gz"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in ("bellis.py", "build_backend.py", "pyproject.toml", "README.md"):
            data = _read(file)
            entry = tarfile.TarInfo(f"{NAME}/{file}")
            entry.size, entry.mtime, entry.mode = len(data), EPOCH, MODE
            archive.addfile(entry, io.BytesIO(data))
    with open(os.path.join(sdist_directory, name), "wb") as file:
        # Without the name of the file, and with its time, in the header.
        with gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=EPOCH) as compressed:
            compressed.write(packed.getvalue())
    return name
