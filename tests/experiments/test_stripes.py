"""Stripes fitted to a data set's training people, or to any pictures, by name from Python."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from drawn_figures import draw_person
from swiftreid.encoding.stripes import DIMENSION
from swiftreid.errors import SwiftReIDError, SwiftReIDWarning
from swiftreid.experiments.stripes import fit_stripes_to


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training split of 66 people, junk, and a picture that cannot be read."""
    folder = tmp_path_factory.mktemp("many") / "bounding_box_train"
    folder.mkdir()
    for person in range(1, 67):
        for camera in (1, 2, 3):
            draw_person(person, camera, 1).save(folder / f"{person:04}_c{camera}_1.png")
    draw_person(1, 1, 2).save(folder / "-1_c1_1.png")
    (folder / "0001_c1_2.png").write_bytes(b"broken")
    return folder


def test_junk_teaches_nothing_and_unreadable_pictures_are_warned_of(many: Path) -> None:
    with pytest.warns(SwiftReIDWarning, match="1 pictures could not be read"):
        fitted = fit_stripes_to(many.parent, name="mine")
    assert (fitted.pictures, fitted.people) == (198, 66)
    assert (fitted.encoder.card.name, fitted.encoder.card.training["pictures"]) == ("mine", 198)
    assert fitted.pictures > DIMENSION


def test_pictures_of_no_data_set_have_people_where_all_names_state_them(many: Path, tmp_path: Path) -> None:
    bad: list[str] = []
    every = fit_stripes_to(many, every=True, on_bad=lambda error: bad.append(error.reason))
    assert (every.pictures, every.people, len(bad)) == (199, None, 1)  # junk is nobody
    named = shutil.copytree(many, tmp_path / "named", ignore=shutil.ignore_patterns("-1*", "0001_c1_2*"))
    assert fit_stripes_to(named, every=True).people == 66
    assert fit_stripes_to(named, every=True).encoder.card.provenance == "not stated"


def test_nothing_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "0001_c1_1.png").write_bytes(b"broken")
    with pytest.raises(SwiftReIDError, match="none of the 1 pictures"), pytest.warns(SwiftReIDWarning):
        fit_stripes_to(tmp_path, every=True)
