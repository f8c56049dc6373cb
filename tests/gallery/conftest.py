"""Galleries to test with: small segments, two short codes and attributes."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for gallery_samples, whatever the import mode

import gallery_samples as samples

from swiftreid.gallery import Gallery

MEMORY = Path("/dev/shm")  # flushing thousands of times to a disk takes long; that it is done is tested by itself


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="gallery-", dir=MEMORY if MEMORY.is_dir() else None) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def spec():
    return samples.SPEC


@pytest.fixture(scope="session")
def fingerprint() -> str:
    return samples.PRINT


@pytest.fixture(scope="session")
def codes_of() -> Callable:
    return samples.codes_of


@pytest.fixture(scope="session")
def entries_of() -> Callable:
    return samples.entries_of


@pytest.fixture(scope="session")
def add() -> Callable[[Gallery, list[str]], int]:
    return samples.add


@pytest.fixture
def create() -> Callable[..., Gallery]:
    def make(path: Path, segment_size: int = 10) -> Gallery:
        return Gallery.create(
            path, encoder_name="stripes", fingerprint=samples.PRINT, spec=samples.SPEC, segment_size=segment_size
        )

    return make


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people"


@pytest.fixture
def gallery(path: Path, create: Callable[..., Gallery]) -> Iterator[Gallery]:
    with create(path) as made:
        yield made
