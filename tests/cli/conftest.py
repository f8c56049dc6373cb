"""Runs the real command in a process of its own, as a user does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from command import Ran, run_in
from drawn_figures import draw_person


@pytest.fixture
def swiftreid(tmp_path: Path) -> Callable[..., Ran]:
    """Call as ``swiftreid("gallery", "info", path, code=0)``; the working directory is empty and private."""
    return run_in(tmp_path)


@pytest.fixture(scope="session")
def _filled_once(tmp_path_factory: pytest.TempPathFactory, drawn_people: Path) -> Path:
    place = tmp_path_factory.mktemp("filled")
    swiftreid = run_in(place)
    swiftreid("gallery", "create", "g")
    swiftreid("gallery", "add", "g", drawn_people / "bounding_box_test")
    swiftreid("encode", drawn_people / "bounding_box_test", "-o", "gallery.safetensors")
    swiftreid("encode", drawn_people / "query", "-o", "query.safetensors")
    return place


@pytest.fixture
def filled(_filled_once: Path, drawn_people: Path, tmp_path: Path) -> Path:
    """The folder of queries; beside the test a gallery ``g`` of its entries, and the encodings of both."""
    shutil.copytree(_filled_once, tmp_path, dirs_exist_ok=True)
    return drawn_people / "query"


@pytest.fixture(scope="session")
def _small_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("small")
    (place / "plain").mkdir()
    draw_person(1, 1, 1).save(place / "plain" / "a.png")
    swiftreid = run_in(place)
    swiftreid("gallery", "create", "g")
    swiftreid("gallery", "add", "g", "plain", "--camera", "1")
    return place


@pytest.fixture
def small(_small_once: Path, tmp_path: Path) -> Path:
    """The test's folder with a gallery ``g`` of one picture, ``plain/a.png`` by camera 1."""
    shutil.copytree(_small_once, tmp_path, dirs_exist_ok=True)
    return tmp_path
