"""Fixtures shared by several rooms: a miniature data set of drawn figures, so that nothing has to be rendered."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from command import run_in
from drawn_figures import draw_person

# Two processes of tests, and the commands they start, share two cores: threads that wait by spinning would only disturb
# each other. torch and NumPy read it when first imported, here and in child processes.
os.environ.setdefault("OMP_NUM_THREADS", "1")
# Commands take the shipped encoder that needs no network runtime; what they do does not depend on which one it is.
os.environ["SWIFTREID_ENCODER"] = "stripes"
# Nobody's own settings file is read.
os.environ["XDG_CONFIG_HOME"] = os.devnull
# Tests keep nothing in the user's cache, and take nothing from there: see `_cache`.
os.environ["SWIFTREID_CACHE"] = ""
# No example fails because the machine is busy. CI tries the same examples every time, so that a red run is the commit's
# doing and can be repeated; elsewhere they are new ones every time, and find more.
settings.register_profile(
    "swiftreid",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize="CI" in os.environ,
    print_blob=True,
)
settings.load_profile("swiftreid")


def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of all processes of tests, for as long as they run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What one test encodes, others need not, as it is for users."""
    os.environ["SWIFTREID_CACHE"] = str(shared_folder(tmp_path_factory) / "cache")


@pytest.fixture(scope="session")
def drawn_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set in Market-1501 layout: 12 training and 8 test people, 3 cameras, 2 shots each."""
    root = tmp_path_factory.mktemp("people") / "drawn"
    for person in range(1, 21):
        for camera in (1, 2, 3):
            for shot in (1, 2):
                folder = "bounding_box_train" if person <= 12 else "query" if shot == 1 else "bounding_box_test"
                path = root / folder / f"{person:04d}_c{camera}s1_{shot:06d}_01.jpg"
                path.parent.mkdir(parents=True, exist_ok=True)
                draw_person(person, camera, shot).save(path, quality=92)
    return root


@pytest.fixture(scope="session")
def hashed_station(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder that learned codes and attributes of the rendered station: once for all processes of tests."""
    shared = shared_folder(tmp_path_factory)
    made = shared / "hashed_station.safetensors"
    with (shared / "hashed_station.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.is_file():
            station = Path(__file__).resolve().parents[1] / "examples" / "station"
            learn = ("hash", station, "--encoder", "stripes", "--set", "attributes=true", "-q")
            run_in(shared)(*learn, "-o", "hashed_station_part.safetensors")
            (shared / "hashed_station_part.safetensors").rename(made)
    return made
