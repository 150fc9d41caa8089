"""Writes fixtures/scipy-gaussian.json: SciPy's results for seeded inputs, for gaussian.test.ts.

    python test/kernels/scipy-fixtures.py            (SciPy 1.17.1 with NumPy 2.4.6; 1.10.1 with 1.26.4 writes the same)

NumPy's own exp for AVX-512 is turned off: it changed from one NumPy to the next, and its last bit is not that of the C
library, which NumPy uses on every other x86-64 processor.
"""
import os

os.environ['NPY_DISABLE_CPU_FEATURES'] = (
    'X86_V4 AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR'
)
import base64
import hashlib
import json
import math
import sys
import warnings
from pathlib import Path

warnings.filterwarnings('ignore')
import numpy as np
from scipy import ndimage
from scipy.ndimage import gaussian_filter

try:
    from scipy.ndimage._filters import _gaussian_kernel1d
except ImportError:
    from scipy.ndimage.filters import _gaussian_kernel1d

probe = -np.arange(20000) / 777
assert all(np.exp(probe) == [math.exp(x) for x in probe]), 'this NumPy has an exp of its own, other than the C library'

DTYPES = ['int8', 'uint8', 'int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64', 'float32', 'float64']
MODES = ['reflect', 'constant', 'nearest', 'mirror', 'wrap', 'grid-mirror', 'grid-constant', 'grid-wrap']


def hash32(count, seed):
    """The finaliser of MurmurHash3 over 0 … count - 1: the same integers as in seeded-voxels.ts."""
    x = (np.arange(count, dtype=np.uint64) * 0x9E3779B1 + seed) & 0xFFFFFFFF
    x ^= x >> 16
    x = (x * 0x85EBCA6B) & 0xFFFFFFFF
    x ^= x >> 13
    x = (x * 0xC2B2AE35) & 0xFFFFFFFF
    return x ^ (x >> 16)


def voxels(dtype, shape, seed, flat=False):
    count = int(np.prod(shape))
    h = hash32(count, seed)
    if flat:  # a few values in long runs: where the weights' last bits show in integers
        h = hash32(count // 97 + 1, seed)[np.arange(count) // 97]
    if dtype == 'float32':
        data = ((h >> 8).astype(np.float64) / 2**16 - 128).astype(np.float32)
    elif dtype == 'float64':
        data = (h.astype(np.float64) * 2**20 + hash32(count, seed + 1)) / 2**40 - 2048
    elif dtype.endswith('64'):
        data = (h << np.uint64(32) | hash32(count, seed + 1)).astype(dtype)
    else:
        data = h.astype(np.uint32).astype(dtype)
    return data.reshape(shape)


def case(dtype, shape, sigma, mode='reflect', truncate=4.0, cval=0.0, flat=False, stored=False):
    seed = len(cases) * 1000003 % 2**32
    result = gaussian_filter(voxels(dtype, shape, seed, flat), sigma, mode=mode, truncate=truncate, cval=cval)
    assert result.dtype == dtype
    if dtype.startswith('float'):
        result[np.isnan(result)] = np.nan  # one NaN is as good as another
    raw = np.ascontiguousarray(result).tobytes()
    entry = {'dtype': dtype, 'shape': list(shape), 'seed': seed, 'sigma': sigma, 'mode': mode}
    if truncate != 4.0:
        entry['truncate'] = truncate
    if cval != 0.0:
        entry['cval'] = cval if math.isfinite(cval) else 'NaN' if math.isnan(cval) else 'Infinity'
    if flat:
        entry['flat'] = True
    entry.update({'result': base64.b64encode(raw).decode()} if stored else {'sha256': hashlib.sha256(raw).hexdigest()})
    cases.append(entry)


cases = []
for dtype in DTYPES:
    for mode in MODES:
        case(dtype, (3, 4, 7), [0.7, 1.3, 1], mode, stored=True)
        case(dtype, (2, 3, 1, 5), 4, mode, cval=7)  # the radius is many times the axes
        case(dtype, (9, 17, 33), 2, mode, cval=-100.7)
        case(dtype, (12, 40), [0, 1.7], mode)
    for sigma in [0.1, 0.125, 0.3, 0.5, 1, 1.5, 2.5, 3, 5, 10.3, 1e-15, 1.1e-15]:
        case(dtype, (11, 13, 19), sigma)
        case(dtype, (11, 13, 19), sigma, flat=True)
    for shape in [(1,), (5,), (1000,), (1, 1), (7, 300), (3, 70, 2), (64, 3, 3), (2, 3, 4, 5), (2, 3, 2, 5, 3), (2, 3, 2, 3, 4, 3)]:
        case(dtype, shape, 1.2, 'mirror')
        case(dtype, shape, 1.2, 'wrap', flat=True)
    for cval in [300.7, -1e12, 3e9, 5e18, 1e19, 1e300, math.nan, math.inf]:
        case(dtype, (6, 10, 21), 1.1, 'constant', cval=cval)
    for truncate in [0, 0.4, 1, 2.5, 3, 6, 9.5]:
        case(dtype, (8, 9, 30), [1, 2, 3.3], truncate=truncate)
    case(dtype, (10, 20, 30), 1.5, ['reflect', 'wrap', 'nearest'])
    case(dtype, (0, 3, 4), 1)
    case(dtype, (40, 70, 90), 2)
    case(dtype, (40, 70, 90), [1, 3, 3], 'mirror', flat=True)
for dtype in ['uint8', 'uint16', 'float32', 'float64']:
    case(dtype, (100, 150, 200), 2)
    case(dtype, (100, 150, 200), [1, 5, 5], 'wrap')

sigmas = [float(np.round(i * 0.05, 2)) for i in range(1, 401)] + [0.3 + 29.7 * h / 2**32 for h in hash32(3000, 5).tolist()]
weights = hashlib.sha256(b''.join(_gaussian_kernel1d(s, 0, int(4 * s + 0.5)).tobytes() for s in sigmas)).hexdigest()
large = [50.5, 123.456, 400]  # more than 128 taps are summed by halves
large_weights = hashlib.sha256(b''.join(_gaussian_kernel1d(s, 0, int(4 * s + 0.5)).tobytes() for s in large)).hexdigest()

out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / 'fixtures' / 'scipy-gaussian.json'
out.parent.mkdir(exist_ok=True)
lines = ',\n'.join(json.dumps(c, separators=(',', ':')) for c in cases)
out.write_text(
    f'{{"weights":{{"sha256":"{weights}","large":{large},"largeSha256":"{large_weights}"}},\n"cases":[\n{lines}\n]}}\n'
)
print(f'{len(cases)} cases, {out.stat().st_size} bytes')
