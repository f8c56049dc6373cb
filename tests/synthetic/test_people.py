from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from swiftreid.synthetic.people import CHOICES, CLOTH, sample_attributes, sample_person
from swiftreid.synthetic.solids import hull_rings, rounded_box


def test_importing_the_room_brings_in_nothing_heavy() -> None:
    code = (
        "import sys, swiftreid.synthetic, swiftreid.synthetic.dataset, swiftreid.synthetic.wardrobe\n"
        "print(sorted({'torch', 'anny', 'warp'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_attributes_are_independent_and_all_values_occur() -> None:
    rng = np.random.default_rng(0)
    rows = [sample_attributes(rng).row() for _ in range(2500)]
    for name, choices in CHOICES.items():
        assert {row[name] for row in rows} == set(choices)
    women = [row for row in rows if row["gender"] == "female"]
    for name, value in (("hair_length", "long"), ("lower_kind", "skirt"), ("upper_colour", "red"), ("backpack", "no")):
        overall = np.mean([row[name] == value for row in rows])
        among_women = np.mean([row[name] == value for row in women])
        assert abs(overall - among_women) < 0.05, name


def test_wanted_attributes_are_kept_and_colours_are_near_their_names() -> None:
    wanted = replace(sample_attributes(np.random.default_rng(1)), upper_colour="green")
    person = sample_person(7, np.random.default_rng(2), wanted)
    assert replace(person.attributes, build=wanted.build) == wanted
    red, green, blue = person.colours["upper"]
    assert green > red
    assert green > blue
    assert set(CHOICES["upper_colour"]) <= set(CLOTH)
    assert set(CHOICES["lower_colour"]) <= set(CLOTH)


@pytest.mark.parametrize("given", [False, True])
def test_build_is_what_the_body_is(given: bool) -> None:
    told: dict[str, list[float]] = {"slim": [], "average": [], "heavy": []}
    for number in range(80):
        wanted = sample_attributes(np.random.default_rng(1)) if given else None
        person = sample_person(number, np.random.default_rng(number), wanted)
        told[person.attributes.build].append(person.shape.weight)
    assert max(told["slim"]) < min(told["average"]) < max(told["average"]) < min(told["heavy"])


def test_hull_rings_of_a_square_and_a_circle() -> None:
    angles = np.linspace(0, 2 * np.pi, 8, endpoint=False)
    corners = np.array([[4, 3, 0.5], [4, 1, 0.5], [2, 3, 0.5], [2, 1, 0.5]])
    radii, centres = hull_rings(corners, np.array([0.5]), 0.1, angles)
    assert centres[0] == pytest.approx([3.0, 2.0])
    assert radii[0] == pytest.approx([1.0, 2**0.5] * 4)
    turn = np.linspace(0, 2 * np.pi, 720, endpoint=False)
    circle = np.stack([0.3 * np.cos(turn), 0.3 * np.sin(turn), 0 * turn], 1)
    radii, _ = hull_rings(circle, np.array([0.0]), 0.1, angles)
    assert radii[0] == pytest.approx(np.full(8, 0.3), rel=1e-3)


def test_rounded_box_fills_its_box_and_points_outward() -> None:
    centre, half = np.array([1.0, 2.0, 3.0]), np.array([0.1, 0.2, 0.3])
    box = rounded_box(centre, half, 6)
    assert box.points.min(0) == pytest.approx(centre - half)
    assert box.points.max(0) == pytest.approx(centre + half)
    a, b, c = (box.points[box.faces[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    outward = ((a + b + c) / 3 - centre) * across
    assert (outward.sum(1) >= -1e-12).all()
