"""The wheel works where there is no compiler and no source tree: encoders, recipes, types and kernels are in it."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from swiftreid.recipes import shipped_recipes

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "swiftreid"
STATION = ROOT / "examples" / "station"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that SWIFTREID_WHEEL names, or one that is built here."""
    if named := os.environ.get("SWIFTREID_WHEEL"):
        return Path(named).resolve()
    folder = tmp_path_factory.mktemp("dist")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", str(ROOT)]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [*pip, "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    done = subprocess.run(command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [built] = folder.glob("swiftreid-*.whl")
    return built


@pytest.fixture(scope="module")
def run(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Runs a program of an environment that has the wheel, with no program but those of the environment in reach."""
    place = tmp_path_factory.mktemp("bare")
    home = place / "venv"
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(python), "install"]
    subprocess.run([*pip, "--no-deps", "--no-index", "--quiet", str(wheel)], check=True)
    [site] = home.glob("lib/python*/site-packages")
    # Other packages are those of the tests' environment: nothing is fetched. The wheel's own folder comes first.
    (site / "others.pth").write_text(f"{Path(np.__file__).parents[1]}\n", encoding="utf-8")

    def run(program: str, *arguments: object) -> str:
        command = [str(home / "bin" / program), *map(str, arguments)]
        environment = {"PATH": str(home / "bin"), "HOME": str(place), "OMP_NUM_THREADS": "1"}
        ran = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    return run


def test_the_wheel_has_what_the_package_needs_and_no_more(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    [native] = [name for name in names if name.startswith("swiftreid/_native.") and name.endswith(".so")]
    if sys.version_info >= (3, 12):
        assert "-cp312-abi3-" in wheel.name
        assert native == "swiftreid/_native.abi3.so"
    for needed in ("py.typed", "__init__.pyi", "encoding/rendered.safetensors", "encoding/stripes.safetensors"):
        assert f"swiftreid/{needed}" in names
    folders = ("recipes", "experiments/published")
    documents = {path for folder in folders for path in (PACKAGE / folder).rglob("*.yaml")}
    assert {f"swiftreid/{path.relative_to(PACKAGE).as_posix()}" for path in documents} == {
        name for name in names if name.endswith(".yaml")
    }
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"swiftreid"}


def test_the_package_is_the_wheels_and_its_kernels_are_compiled(run: Callable[..., str]) -> None:
    code = "import swiftreid; from swiftreid.search.kernels import available_kernels as kernels; "
    code += "print(swiftreid.__file__); print(*kernels())"
    place, found = run("python", "-c", code).splitlines()
    assert "/bare" in place
    assert "portable" in found.split()


def test_recipes_are_found_by_name(run: Callable[..., str]) -> None:
    assert [line.split()[0] for line in run("swiftreid", "recipes").splitlines()] == [r.name for r in shipped_recipes()]
    assert "method: all_in_one" in run("swiftreid", "recipes", "small/all_in_one")


@pytest.mark.parametrize("encoder", ["stripes", "rendered"])
def test_pictures_are_encoded_kept_and_found(run: Callable[..., str], encoder: str) -> None:
    run("swiftreid", "encode", STATION / "query", "-o", f"{encoder}.safetensors", "--encoder", encoder)
    run("swiftreid", "gallery", "create", encoder, "--encoder", encoder)
    run("swiftreid", "gallery", "add", encoder, "--codes", f"{encoder}.safetensors")
    query = STATION / "query" / "0004_c1s3_052497_01.jpg"
    found = run("swiftreid", "search", encoder, query, "-k", 3, "--picture", "found.png")
    assert "0004_c1s3_052497_01.jpg" in found
    assert "the gallery is sound" in run("swiftreid", "gallery", "verify", encoder)
