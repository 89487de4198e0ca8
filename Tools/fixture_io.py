"""Paths and a compact JSON writer shared by the scripts that write test fixtures."""

import json
import math
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TESTS = ROOT / "Tests"


def robot_models():
    """The folder with robot files that are not part of the repository, or None where it is absent."""
    path = Path(os.environ.get("COSTATE_TEST_MODELS", ROOT / ".." / "shared" / "models")).resolve()
    return path if path.is_dir() else None


def file_name(key):
    """`gymnasium/ant.xml` becomes `gymnasium_ant`."""
    return key.rsplit(".", 1)[0].replace("/", "_")


def _number(x):
    if isinstance(x, bool):
        return "true" if x else "false"
    if isinstance(x, int):
        return str(x)
    x = float(x)
    if not math.isfinite(x):
        raise ValueError(f"not finite: {x}")
    if x.is_integer() and abs(x) < 1e15:
        return str(int(x))
    return repr(x)


def _text(value, indent):
    if hasattr(value, "tolist"):
        value = value.ravel().tolist() if getattr(value, "ndim", 0) else value.item()
    if isinstance(value, dict):
        inner = " " * (indent + 1)
        rows = [f"{inner}{json.dumps(k)}: {_text(v, indent + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(rows) + "\n" + " " * indent + "}"
    if isinstance(value, (list, tuple)):
        if value and isinstance(value[0], dict):
            inner = " " * (indent + 1)
            return "[\n" + ",\n".join(inner + _text(v, indent + 1) for v in value) + "\n" + " " * indent + "]"
        return "[" + ",".join(_text(v, indent) for v in value) + "]"
    if value is None or isinstance(value, str):
        return json.dumps(value)
    return _number(value)


def write(path, value):
    """Writes dictionaries one key per line and numeric arrays (flat, row-major) on one line each."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_text(value, 0) + "\n")
