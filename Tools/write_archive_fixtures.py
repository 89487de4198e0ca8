"""Writes the .npz files that the tests of Autodiff read: as numpy writes them, with and without compression.

    python Tools/write_archive_fixtures.py
"""

from pathlib import Path

import numpy

target = Path(__file__).parent.parent / "Tests" / "AutodiffTests" / "Fixtures"
arrays = {
    "ramp": numpy.arange(600, dtype=numpy.float64).reshape(20, 30) / 8,
    "single": numpy.array([[1.5, -2.0], [0.25, 3.0]], dtype=numpy.float32),
    "columns": numpy.asfortranarray(numpy.arange(6.0).reshape(2, 3)),
    "mask": numpy.array([True, False, True]),
    "bytes": numpy.array([0, 255], dtype=numpy.uint8),
    "short": numpy.array([-300, 300], dtype=numpy.int16),
    "long": numpy.array([-7, 1 << 30], dtype=numpy.int64),
    "big": numpy.array([1.0, 2.5], dtype=">f8"),
    "scalar": numpy.array(2.5),
    "empty": numpy.zeros((0, 4)),
}
numpy.savez(target / "stored.npz", **arrays)
numpy.savez_compressed(target / "compressed.npz", **arrays)
