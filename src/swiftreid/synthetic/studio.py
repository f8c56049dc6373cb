"""Everything a picture needs, kept between pictures: people in their clothes, scenes, cameras and things."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from swiftreid.synthetic.body import Floats, Pose, bodies, sample_pose
from swiftreid.synthetic.camera import CameraView, detect, hang, sample_cameras, spots
from swiftreid.synthetic.light import Light, even_light, sample_light
from swiftreid.synthetic.people import Person, sample_person
from swiftreid.synthetic.props import PROPS, sample_prop
from swiftreid.synthetic.render import Instance, Model, in_sight, thing, trace
from swiftreid.synthetic.scene import Scene, plain_scene, sample_scenes
from swiftreid.synthetic.sensor import develop, record, shrink
from swiftreid.synthetic.wardrobe import Dressed

LEAST_SEEN = 0.42  # share of a person that must be in view; with less, what hides it steps aside


@dataclass(frozen=True)
class StudioSettings:
    """What all pictures of a data set share, but for the people.

    Attributes:
        seed: decides everything.
        cameras: how many.
        scenes: how many.
        size: height and width of the pictures.
        without: ingredients that are left out.
    """

    seed: int
    cameras: int
    scenes: int
    size: tuple[int, int]
    without: tuple[str, ...] = ()

    def person(self, number: int) -> Person:
        """The person of this number; the same seed gives the same people, however many there are."""
        return sample_person(
            number, np.random.default_rng([self.seed, 3, number]), patterns="patterns" not in self.without
        )


class Studio:
    """Renders the pictures of one data set."""

    def __init__(self, stage: StudioSettings, keep: int = 16) -> None:
        self.stage = stage
        self._scenes = sample_scenes(stage.scenes, np.random.default_rng([stage.seed, 1]))
        if "backgrounds" in stage.without:
            self._scenes = [plain_scene()] * stage.scenes
        self._cameras = sample_cameras(
            stage.cameras, stage.seed, light="light" not in stage.without, wear="wear" not in stage.without
        )
        self._keep = keep
        self._models: OrderedDict[int, Model] = OrderedDict()
        self._backdrops: dict[int, Instance] = {}
        self._props: dict[int, Instance] = {}
        self._views: dict[tuple[int, int], tuple[CameraView, Floats]] = {}

    def picture(self, person: int, camera: int, scene: int, shot: int, company: Sequence[int]) -> bytes:
        """JPEG bytes of one picture.

        Args:
            person: Number of the person shown.
            camera: Number of the camera, from 1.
            scene: Number of the scene, from 1.
            shot: The how-manieth picture of this person there, from 0.
            company: Numbers of people who may stand about.
        """
        seed, where = self.stage.seed, self._scenes[scene - 1]
        lens = self._cameras[camera - 1]
        view, places = self._view(camera, scene)
        hour = self._light(person, camera, where)
        rng = np.random.default_rng([seed, 4, person, camera, shot])
        # Every camera sees the person from another side; the shots of one camera differ less.
        turn = np.random.default_rng([seed, 6, person]).uniform(0, 2 * np.pi)
        heading = float(turn + 2.4 * camera + rng.normal(0.0, 0.5))
        x, y = places[int(rng.integers(0, len(places)))] + rng.normal(0.0, 0.1, 2)
        model = self._model(person)
        subject = model.posed(_pose(model.dressed.person, rng)).at(float(x), float(y), heading)
        crop = detect(
            view, subject.world(), np.random.default_rng([seed, 10, person, camera, shot]),
            errors="crops" not in self.stage.without, most=self._most_tall(),
        )  # fmt: skip
        down, across = _rays(crop.size[0], self.stage.size[0])
        rays, lamps = crop.split(down, across), 1 if down * across > 2 else 2
        others: list[Instance] = []
        if "occlusion" not in self.stage.without:
            others = self._others(subject, view, company, np.random.default_rng([seed, 11, person, camera, shot]))
        light_seed = int(rng.integers(1, 2**30))
        backdrop = self._backdrop(scene)
        pixels, seen = trace([subject, *others], where, backdrop, hour, view, rays, seed=light_seed, lamps=lamps)
        if seen < LEAST_SEEN:
            behind = [other for other in others if _depth(view, other) > _depth(view, subject)]
            pixels, seen = trace([subject, *behind], where, backdrop, hour, view, rays, seed=light_seed, lamps=lamps)
        sensor = np.random.default_rng([seed, 12, person, camera, shot])
        taken = develop(shrink(pixels, crop.size), lens.look, hour, sensor, steady="light" in self.stage.without)
        return record(taken, lens.look, self.stage.size, sensor)

    def _most_tall(self) -> int:
        """Pixels that a window may be tall: people in surveillance pictures are seldom taller."""
        height = self.stage.size[0]
        return max(int(0.8 * height), 128) if height > 128 else max(height, 64)

    def _model(self, number: int) -> Model:
        if number not in self._models:
            if len(self._models) >= self._keep:
                self._models.popitem(last=False)
            self._models[number] = Model(Dressed(self.stage.person(number), bodies()))
        self._models.move_to_end(number)
        return self._models[number]

    def _view(self, camera: int, scene: int) -> tuple[CameraView, Floats]:
        """A camera in a scene, and places `[n, 2]` where it sees people whole."""
        if (camera, scene) not in self._views:
            where, best = self._scenes[scene - 1], -1.0
            for again in range(6):  # until few of the places are hidden
                rng = np.random.default_rng([self.stage.seed, 13, camera, scene, again])
                view = hang(self._cameras[camera - 1], where, rng)
                places, faults = spots(view, where, rng)
                heights = (0.25, 0.9, 1.6)
                points = np.concatenate([np.insert(places, 2, height, axis=1) for height in heights])
                hidden = 3 - in_sight(self._backdrop(scene), view.eye, points).reshape(3, -1).sum(0)
                good = np.flatnonzero((hidden == 0) & (faults == 0))
                if len(good) > best:
                    best = len(good)
                    chosen = good if len(good) >= 8 else np.argsort(faults + 1.5 * hidden, kind="stable")[:8]
                    self._views[camera, scene] = view, places[chosen]
                if best >= 40:
                    break
        return self._views[camera, scene]

    def _backdrop(self, scene: int) -> Instance:
        if scene not in self._backdrops:
            self._backdrops[scene] = thing(self._scenes[scene - 1].scenery)
        return self._backdrops[scene]

    def _light(self, person: int, camera: int, scene: Scene) -> Light:
        """The light while this person passes this camera."""
        if "light" in self.stage.without:
            return even_light(scene.floor.first)
        rng = np.random.default_rng([self.stage.seed, 8, person, camera])
        return sample_light(rng, inside=scene.inside, floor=scene.floor.first)

    def _others(
        self, subject: Instance, view: CameraView, company: Sequence[int], rng: np.random.Generator
    ) -> list[Instance]:
        """People and things behind, beside and in front of somebody."""
        toward = view.eye[:2] - np.array([subject.x, subject.y])
        room = float(np.linalg.norm(toward)) - 0.8
        toward /= np.linalg.norm(toward)
        aside = np.array([-toward[1], toward[0]])
        found: list[Instance] = []
        people = list(rng.permutation(np.array(company, dtype=np.int64)))
        for chance, nearer, wide in (
            (0.34, (-5.0, -0.6), 1.0),
            (0.12, (-5.0, -0.6), 1.4),
            (0.10, (-0.25, 0.25), 0.75),
            (0.07, (0.4, 1.6), 0.6),
        ):
            draw, depth, shift, turn = (
                rng.random(),
                rng.uniform(*nearer),
                rng.normal(0, wide),
                rng.uniform(0, 2 * np.pi),
            )
            if draw > chance or not people or depth > room:
                continue
            if depth > -0.5:  # beside or in front: at least half a body away
                shift = np.sign(shift + 1e-9) * max(abs(shift), 0.42)
                turn = turn if rng.random() < 0.5 else subject.heading + rng.normal(0, 0.2)
            number = int(people.pop())
            model = self._model(number)
            spot = np.array([subject.x, subject.y]) + toward * depth + aside * shift
            found.append(model.posed(_pose(model.dressed.person, rng)).at(float(spot[0]), float(spot[1]), float(turn)))
        if rng.random() < 0.16:
            number, depth = int(rng.integers(0, PROPS)), float(rng.uniform(0.55, 2.6))
            if number not in self._props:
                self._props[number] = thing(sample_prop(number, self.stage.seed))
            prop = self._props[number]
            depth += float(np.abs(prop.points[:, 1]).max())
            spot = np.array([subject.x, subject.y]) + toward * depth + aside * rng.normal(0, 0.4)
            facing = np.arctan2(toward[0], -toward[1]) + rng.normal(0, 0.3)
            if depth < room:
                found.append(prop.at(float(spot[0]), float(spot[1]), float(facing)))
        return found


def _rays(tall: int, wanted: int) -> tuple[int, int]:
    """Rays down and across for each pixel of a window `tall` pixels high, for a picture `wanted` high."""
    return (3, 3) if tall < 0.18 * wanted else (2, 2) if tall < 0.44 * wanted else (1, 2)


def _pose(person: Person, rng: np.random.Generator) -> Pose:
    sides = {person.handbag_side} if person.attributes.handbag != "no" and person.handbag_carried else set()
    if person.attributes.carried != "no":
        sides.add(person.carried_side)
    return sample_pose(rng, held=(1 in sides, -1 in sides))


def _depth(view: CameraView, one: Instance) -> float:
    return float((np.array([one.x, one.y, 1.0]) - view.eye) @ view.forward)
