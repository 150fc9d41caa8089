"""Builds the wheel of one module (PEP 517) with the standard library only."""

import base64
import hashlib
import os
import re
import tarfile
import zipfile

HERE = os.path.dirname(os.path.abspath(__file__))
TAG = "py3-none-any"


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
            archive.writestr(path, data)
    return wheel


def build_sdist(sdist_directory, config_settings=None):
    name = f"{NAME}.tar.gz"
    with tarfile.open(os.path.join(sdist_directory, name), "w:gz") as archive:
        for file in ("bellis.py", "build_backend.py", "pyproject.toml", "README.md"):
            archive.add(os.path.join(HERE, file), f"{NAME}/{file}")
    return name
