"""MATLAB files through SciPy, which only readers of annotation files need: imported when the first one is read."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from swiftreid.errors import SwiftReIDError


def matlab_readable() -> bool:
    """Whether SciPy, of the extra ``data``, is installed."""
    try:
        return find_spec("scipy.io") is not None
    except (ImportError, ValueError):
        return False


def load_mat(source: Path) -> dict[str, Any]:
    """The variables of a MATLAB file (before version 7.3) by name.

    Raises:
        SwiftReIDError: the extra ``data`` is not installed, or the file cannot be read.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise SwiftReIDError(f"{source} is a MATLAB file, which needs SciPy: pip install 'swiftreid[data]'") from error
    try:
        content = loadmat(source)
    except FileNotFoundError:
        raise SwiftReIDError(f"{source} does not exist") from None
    except NotImplementedError:
        raise SwiftReIDError(
            f"{source} is a MATLAB 7.3 (HDF5) file; save it again with -v7, or extract its pictures to files"
        ) from None
    except Exception as error:  # SciPy raises errors of many kinds for damaged files
        raise SwiftReIDError(f"{source} cannot be read as a MATLAB file: {error}; fetch it again") from error
    return {name: value for name, value in content.items() if not name.startswith("__")}


def unwrap(value: Any) -> Any:
    """What arrays of one element hold, however many: SciPy wraps cells and structures so."""
    while isinstance(value, np.ndarray) and value.size == 1 and value.dtype.names is None:
        value = value.ravel()[0]
    return value


def field_names(value: Any) -> tuple[str, ...]:
    """Field names of a MATLAB structure; empty for anything else."""
    return getattr(getattr(value, "dtype", None), "names", None) or ()


def field(value: Any, name: str) -> Any:
    """One field of a MATLAB structure, unwrapped."""
    return unwrap(value[name])
