"""Dress a body: cloth that stands off the skin, skirts and coats that hang, hair, shoes, hats and bags.

Cloth is the body's own surface, relaxed (so that muscles and toes vanish) and pushed outward along its normals before
the body is posed; what hangs freely is swept around the posed body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from swiftreid.synthetic import materials as mt
from swiftreid.synthetic.body import Bodies, Floats, Ints, Pose, Singles, Skin, smooth, vertex_normals
from swiftreid.synthetic.people import Person
from swiftreid.synthetic.solids import Solid, brim, hull_rings, rounded_box, sheet, torus, tube


@dataclass(frozen=True)
class Figure:
    """A dressed and posed person, ready for the ray caster; feet on z = 0, facing -y."""

    points: Singles  # [v, 3]
    normals: Singles  # [v, 3]
    canon: Singles  # [v, 3]
    faces: Ints  # [f, 3]
    kinds: Ints  # [f]


class Dressed:
    """A person in clothes, before any pose: made once, posed for every picture."""

    def __init__(self, person: Person, bodies: Bodies) -> None:
        self.person = person
        self._bodies = bodies
        self._triangles: tuple[Ints, Ints] | None = None
        template = bodies.template
        naked, self._skeleton = bodies.shape(person.shape)
        self._parts = _vertex_parts(template.parts, template.faces, len(naked))
        self._rest = self._clothe(naked)
        self._hair_faces, hair_offset = self._scalp()
        self._normals = vertex_normals(self._rest, template.faces)
        self._hair = self._rest + self._normals * hair_offset[:, None]
        self._hair_used, faces = np.unique(self._hair_faces, return_inverse=True)
        self._hair_faces = faces.reshape(-1, 3)
        self._skin = Skin(self._rest, self._normals, template.weights, template.bones)
        if len(self._hair_faces):
            used = self._hair_used
            hair = self._hair[used]
            normals = vertex_normals(hair, self._hair_faces)
            self._hair_skin = Skin(hair, normals, template.weights[used], template.bones[used])
        self._rigid = [(solid, bone, vertex_normals(solid.points, solid.faces)) for solid, bone in self._worn()]

    def _clothe(self, naked: Floats) -> Floats:
        person, template = self.person, self._bodies.template
        c, parts = template.canon, self._parts
        side, z = np.abs(c[:, 0]), c[:, 2]
        sleeve = ((side - 0.187) * 0.323 - (c[:, 1] + 0.021) * 0.183 - (z - 1.472) * 0.35) / 0.2603
        arm, leg, torso, foot = parts == mt.ARM, parts == mt.LEG, parts == mt.TORSO, parts == mt.FOOT
        upper = (arm & (sleeve < person.sleeve_end)) | ((torso | leg) & (z > person.hem) & (z < 1.56))
        lower = ((leg | torso) & (z <= person.hem) & (z > person.leg_hem)) | (foot & (z > person.leg_hem))
        bulk = {"shirt": 0.0, "hoodie": 0.006, "puffer": 0.024}.get(person.attributes.upper_kind, 0.012)
        loose = person.loose

        waist = np.exp(-(((z - 1.13) / 0.13) ** 2))
        away = np.zeros(len(c))
        away[upper] = 0.005 + bulk
        away += upper * torso * waist * (0.006 + 0.016 * loose)
        away += upper * arm * (0.004 + 0.012 * loose) * np.clip(sleeve / 0.3, 0, 1)
        away += upper * np.clip((person.hem + 0.10 - z) / 0.1, 0, 1) * 0.008 * (torso | leg)
        low_leg = np.clip((0.62 - z) / 0.5, 0, 1)
        wide = max(loose - 0.55, 0.0) / 0.45
        away += lower * (0.003 + 0.008 * loose + (0.002 + 0.020 * loose + 0.03 * wide) * low_leg)
        away += lower * leg * 0.022 * wide
        away += upper * arm * 0.014 * wide * np.clip(sleeve / 0.3, 0, 1)
        away += lower * (person.attributes.lower_kind == "shorts") * np.clip((0.95 - z) / 0.35, 0, 1) * 0.02
        low_hem = (foot | leg) & (z <= person.leg_hem)
        if person.leg_hem < 0.2:  # trousers end in a soft edge over the shoe
            edge = np.clip((z - person.leg_hem + 0.035) / 0.035, 0, 1)
            away += low_hem * edge * (0.014 + 0.021 * loose)
        away[foot & low_hem] = np.maximum(away[foot & low_hem], 0.010)
        relax = np.zeros(len(c))
        relax[upper | lower] = 0.5
        relax[foot] = 0.7
        # A short relaxation that blends garment edges, and a long one only for shoes, whose toes must close.
        dressed = smooth(naked, template, relax, 10)
        chest = np.where(upper & torso & (z > 1.0) & (z < 1.50), 0.6, 0.0)
        dressed = smooth(dressed, template, chest, 25)
        dressed = smooth(dressed, template, np.where(foot & (z < 0.09), 0.6, 0.0), 30)
        away += (upper | lower) * (0.35 + 0.75 * loose) * folds(c, person.fabric_seed)
        dressed += vertex_normals(dressed, template.faces) * away[:, None]
        return dressed

    def _scalp(self) -> tuple[Ints, Floats]:
        """Faces of the hair cap and how far each vertex stands off the head."""
        c, template = self._bodies.template.canon, self._bodies.template
        style = self.person.hair_style
        line = np.interp(c[:, 1], [-0.17, -0.115, -0.08, -0.045, -0.01, 0.06], [1.805, 1.79, 1.74, 1.685, 1.635, 1.63])
        if style in ("loose", "full", "afro"):
            line -= 0.012
        above = np.where(self._parts == mt.HEAD, c[:, 2] - line, -1.0)
        thick = {"none": 0.0, "crop": 0.010, "full": 0.022, "afro": 0.050, "loose": 0.020, "tail": 0.012, "bun": 0.012}[
            style
        ]
        offset = thick * np.clip(above / 0.03 + 0.25, 0, 1) * (1.0 + 60.0 * folds(c * 1.7, self.person.fabric_seed + 1))
        hat = self.person.attributes.hat
        if hat == "hood":
            line = np.interp(c[:, 1], [-0.17, -0.10, -0.07, -0.02, 0.06], [1.83, 1.80, 1.66, 1.56, 1.52])
            above = np.where(np.isin(self._parts, (mt.HEAD, mt.TORSO)) & (c[:, 2] > 1.5), c[:, 2] - line, -1.0)
            offset = 0.032 * np.clip(above / 0.02 + 0.3, 0, 1) * (1.0 + 20.0 * folds(c, self.person.fabric_seed))
        elif hat != "none":
            offset = np.minimum(offset, 0.010)
        inner = np.hypot(c[:, 0], c[:, 1] + 0.05) < 0.055  # the mouth and the eye sockets lie inside the head
        inner &= c[:, 2] < 1.78
        covered = (above > 0) & ~inner
        bare = style == "none" and hat != "hood"
        faces = template.faces[:0] if bare else template.faces[covered[template.faces].all(axis=1)]
        return faces, offset

    def _worn(self) -> list[tuple[Solid, str]]:
        """Solids that move with one bone, in the rest pose."""
        person, template = self.person, self._bodies.template
        points, c = self._rest, template.canon
        skull = points[(self._parts == mt.HEAD) & (c[:, 2] > 1.70)]
        low, high = skull.min(0), skull.max(0)
        middle = (low + high) / 2
        crown, size = high[2], (high[2] - low[2])
        worn: list[tuple[Solid, str]] = []
        hat = person.attributes.hat
        if hat in ("cap", "beanie"):
            bottom = crown - (0.56 if hat == "cap" else 0.66) * size
            angles = np.linspace(0, 2 * np.pi, 33)[:-1]
            levels = np.linspace(0, 1, 8)
            heights = bottom + (crown + (0.015 if hat == "cap" else 0.035) - bottom) * np.sin(levels * np.pi / 2)
            wide = np.array([(high[0] - low[0]) / 2 + 0.014, (high[1] - low[1]) / 2 + 0.012])
            ring = np.cos(levels * np.pi / 2) ** (0.7 if hat == "cap" else 0.9)
            radii = ring[:, None] / np.hypot(np.cos(angles) / wide[0], np.sin(angles) / wide[1])[None]
            centres = np.tile(middle[:2] + np.array([0.0, 0.004]), (8, 1))
            worn.append((sheet(radii, centres, heights, angles, mt.HAT, closed=True), "head"))
            if hat == "cap":
                front = np.array([middle[0], low[1] + 0.035, bottom + 0.012])
                worn.append((brim(front, wide[0] * 0.95, 0.115, mt.HAT), "head"))
        if hat != "hood":
            worn += self._long_hair(points, middle, low, high)
        throat = points[(self._parts != mt.ARM) & (np.abs(c[:, 2] - 1.555) < 0.02) & (np.abs(c[:, 0]) < 0.09)]
        collar = (throat.min(0) + throat.max(0)) / 2
        if person.attributes.scarf == "yes":
            reach = float((throat.max(0) - throat.min(0))[:2].mean()) / 2 + 0.012
            worn.append((torus(collar + np.array([0, -0.005, 0.0]), reach, 0.034, 2, mt.SCARF), "neck01"))
            if person.fabric_seed % 2:
                end = collar + np.array([0.05, -reach - 0.03, -0.14])
                worn.append((rounded_box(end, np.array([0.045, 0.02, 0.15]), mt.SCARF, edge=0.5), "spine01"))
        if person.attributes.upper_kind == "hoodie" and hat != "hood":
            nape = np.array([collar[0], throat[:, 1].max() + 0.035, collar[2] - 0.035])
            worn.append((rounded_box(nape, np.array([0.115, 0.055, 0.075]), mt.UPPER, edge=0.8), "spine01"))
        if person.attributes.backpack != "no":
            back = points[(np.abs(c[:, 0]) < 0.11) & (c[:, 2] > 1.15) & (c[:, 2] < 1.48) & (self._parts == mt.TORSO)]
            bottom, top = back[:, 2].min() + 0.02, back[:, 2].max() + 0.03
            deep = 0.075
            centre = np.array([0.0, back[:, 1].max() + deep * 0.72, (bottom + top) / 2])
            half = np.array([0.155, deep, (top - bottom) / 2 + 0.02])
            worn.append((rounded_box(centre, half, mt.BACKPACK, edge=0.45), "spine02"))
            pocket = centre + np.array([0, deep * 0.75, -half[2] * 0.35])
            worn.append((rounded_box(pocket, half * np.array([0.75, 0.55, 0.5]), mt.BACKPACK, edge=0.45), "spine02"))
        return worn

    def _long_hair(self, points: Floats, middle: Floats, low: Floats, high: Floats) -> list[tuple[Solid, str]]:
        style, size = self.person.hair_style, high[2] - low[2]
        if style == "bun":
            centre = np.array([0.0, high[1] + 0.012, middle[2] + 0.25 * size])
            return [(rounded_box(centre, np.array([0.042, 0.036, 0.04]), mt.HAIR, edge=1.0), "head")]
        if style == "tail":
            along = np.linspace(0, 1, 9)
            path = np.stack(
                [0 * along, high[1] + 0.005 + 0.05 * np.sin(along * 2.6), middle[2] + 0.2 * size - 0.30 * along], 1
            )
            return [(tube(path, 0.030 * np.sin(0.5 + along * 2.3), mt.HAIR), "head")]
        if style != "loose":
            return []
        # A curtain around the back of the head, down to the shoulders and over them.
        length = 0.24 + 0.16 * self.person.loose
        heights = np.linspace(high[2] - 0.45 * size, high[2] - 0.45 * size - length, 12)
        angles = np.linspace(-0.30, np.pi + 0.30, 30)
        trunk = points[np.isin(self._parts, (mt.HEAD, mt.TORSO))]
        trunk = trunk[np.abs(trunk[:, 0]) < 0.12]
        radii = np.zeros((12, 30))
        wide, deep = (high[0] - low[0]) / 2 + 0.016, (high[1] - middle[1]) + 0.014
        fall = np.linspace(0, 1, 12)
        for k, height in enumerate(heights):
            near = trunk[np.abs(trunk[:, 2] - height) < 0.025]
            back = near[:, 1].max() - middle[1] + 0.016 if len(near) else deep
            across = wide * (1.0 - 0.10 * fall[k] + 0.10 * np.sin(fall[k] * 3.1))
            behind = max(deep * (1 - 0.35 * fall[k]), back if height > high[2] - 1.9 * size else 0.0, back)
            radii[k] = 1.0 / np.hypot(np.cos(angles) / across, np.sin(angles) / behind)
        radii += 0.004 * np.sin(angles * 14)[None] * fall[:, None]
        return [(sheet(radii, np.tile(middle[:2], (12, 1)), heights, angles, mt.HAIR, closed=False), "head")]

    def figure(self, pose: Pose) -> Figure:
        """This person in `pose`."""
        template = self._bodies.template
        motions = self._bodies.pose(self._skeleton, pose)
        body, turned = self._skin.bend(motions)
        lift = -float(body[:, 2].min())
        meshes: list[tuple[Any, Any, Any]] = [(body, turned, template.canon)]
        if len(self._hair_faces):
            hair, turned = self._hair_skin.bend(motions)
            meshes.append((hair, turned, template.canon[self._hair_used]))
        for solid, bone, normals in self._rigid:
            motion = motions[template.labels.index(bone)]
            points = solid.points @ motion[:3, :3].T + motion[:3, 3]
            meshes.append((points, normals @ motion[:3, :3].T, solid.points))
        hanging = self._hanging(body.astype(np.float64))
        for solid in hanging:
            meshes.append(
                (solid.points, vertex_normals(solid.points, solid.faces), solid.points + np.array([0, 0, lift]))
            )
        if self._triangles is None:
            self._triangles = self._join([len(mesh[0]) for mesh in meshes], hanging)
        joined = [np.concatenate([mesh[k] for mesh in meshes]).astype(np.float32) for k in range(3)]
        joined[0][:, 2] += np.float32(lift)
        return Figure(joined[0], joined[1], joined[2], *self._triangles)

    def _join(self, sizes: list[int], hanging: list[Solid]) -> tuple[Ints, Ints]:
        """Faces and kinds of everything, which are the same in every pose; `sizes` are the meshes' vertices."""
        template, hood = self._bodies.template, self.person.attributes.hat == "hood"
        faces, kinds = [template.faces], [template.parts]
        if len(self._hair_faces):
            faces.append(self._hair_faces)
            kinds.append(np.full(len(self._hair_faces), 16 + (mt.UPPER if hood else mt.HAIR)))
        for solid in [*(worn for worn, _, _ in self._rigid), *hanging]:
            faces.append(solid.faces)
            kinds.append(np.full(len(solid.faces), 16 + solid.material))
        starts = np.cumsum([0, *sizes])[:-1]
        together = np.concatenate([part + start for part, start in zip(faces, starts, strict=True)])
        return together, np.concatenate(kinds)

    def _hanging(self, body: Floats) -> list[Solid]:
        """Skirt, lower part of a coat and handbag: they follow gravity, not a bone."""
        person, c = self.person, self._bodies.template.canon
        hanging: list[Solid] = []
        trunk = np.isin(self._parts, (mt.LEG, mt.TORSO, mt.FOOT))
        floor = body[:, 2].min()
        scale = (body[:, 2].max() - floor) / 1.84
        cloud = body[trunk] - np.array([0, 0, floor])
        if person.attributes.lower_kind == "skirt":
            span = (1.03 if person.hem > 0.95 else 1.0, person.skirt_end)
            skirt = self._sweep(cloud, span, scale, away=0.012, flare=0.03 + 0.06 * person.loose, material=mt.LOWER)
            cloud = np.concatenate([cloud, skirt.points])
            hanging.append(skirt)
        if person.attributes.upper_kind == "coat":
            span = (1.10, 0.50 + 0.22 * person.loose)
            hanging.append(self._sweep(cloud, span, scale, away=0.022, flare=0.03, material=mt.UPPER))
        hanging = [Solid(s.points + np.array([0, 0, floor]), s.faces, s.material) for s in hanging]
        if person.attributes.handbag != "no":
            left = person.handbag_side > 0
            half = np.array([0.055, 0.13, 0.095]) * (0.9 + 0.3 * person.loose) * min(scale + 0.05, 1.0)
            if person.handbag_carried:
                hand = body[(self._parts == mt.HAND) & ((c[:, 0] > 0) == left)].mean(0)
                centre = hand - np.array([0, 0, half[2] + 0.14])
                arch = np.linspace(0, np.pi, 9)
                handle = (
                    np.stack([0 * arch, np.cos(arch) * half[1] * 0.6, np.sin(arch) * 0.13], 1)
                    + centre
                    + np.array([0, 0, half[2] * 0.95])
                )
                hanging.append(tube(handle, np.full(9, 0.008), mt.HANDBAG))
            else:
                hips = body[trunk & (c[:, 2] > 0.92) & (c[:, 2] < 1.04)]
                edge = hips[:, 0].max() if left else hips[:, 0].min()
                centre = np.array(
                    [edge + person.handbag_side * half[0] * 0.8, hips[:, 1].mean() + 0.02, hips[:, 2].mean()]
                )
            hanging.append(rounded_box(centre, half, mt.HANDBAG, edge=0.4))
        if person.attributes.carried != "no":
            hand = body[(self._parts == mt.HAND) & ((c[:, 0] > 0) == (person.carried_side > 0))].mean(0)
            size = 0.85 + 0.4 * person.loose
            if person.attributes.carried == "shopping bag":
                half = np.array([0.06, 0.13, 0.17]) * size
                centre = hand - np.array([0, 0, half[2] + 0.08])
                hanging.append(rounded_box(centre, half, mt.CARRIED, edge=0.3))
                strap = np.array([[0, -0.05, half[2] * 0.9], [0, 0, half[2] + 0.08], [0, 0.05, half[2] * 0.9]]) + centre
                hanging.append(tube(strap, np.full(3, 0.008), mt.CARRIED))
            else:  # pulled on its wheels
                half = np.array([0.18, 0.11, 0.28]) * size
                centre = np.array([hand[0] + 0.04 * person.carried_side, hand[1] + 0.36, floor + half[2] + 0.06])
                hanging.append(rounded_box(centre, half, mt.CARRIED, edge=0.25))
                pole = np.linspace(hand, centre + np.array([0, -0.03, half[2] * 0.9]), 3)
                hanging.append(tube(pole, np.full(3, 0.012), mt.SHOES))
        return hanging

    def _sweep(
        self, cloud: Floats, span: tuple[float, float], scale: float, *, away: float, flare: float, material: int
    ) -> Solid:
        """Cloth that hangs around `cloud [n, 3]` (standing on z = 0) from the first to the second canonical height."""
        heights = np.linspace(span[0], span[1], 18) * scale
        angles = np.linspace(0, 2 * np.pi, 61)[:-1]
        radii, centres = hull_rings(cloud, heights, 0.03, angles)
        for k in range(1, len(heights)):  # cloth falls from the hips: it never comes back in
            drift = centres[k] - centres[k - 1]
            reach = radii[k - 1] - drift[0] * np.cos(angles) - drift[1] * np.sin(angles)
            radii[k] = np.maximum(radii[k], reach * 0.992)
        down = np.linspace(0, 1, len(heights))[:, None]
        phase = self.person.fabric_seed % 7
        pleats = 1.0 + down * (0.028 * np.sin(angles * 9 + phase) + 0.02 * np.sin(angles * 14 + 2 * phase))[None]
        return sheet((radii + away + flare * down) * pleats, centres, heights, angles, material, closed=True)


def outfit(person: Person) -> tuple[Floats, Floats, Floats, Floats]:
    """What the ray caster must know of the clothes.

    Returns:
        Cuts `[13]`, first and second colours by material `[16, 3]`, and `[16, 4]` of pattern, scale
        (metres), gloss and folds.
    """
    a, colours = person.attributes, person.colours
    cut = np.zeros(mt.CUTS)
    cut[mt.SLEEVE], cut[mt.HEM], cut[mt.LEG_HEM] = person.sleeve_end, person.hem, person.leg_hem
    cut[mt.OPEN] = 0.05 + 0.03 * person.loose if a.upper_kind == "open jacket" else 0.0
    cut[mt.NECK] = 0.01 + 0.05 * person.loose if a.upper_kind == "shirt" else 0.03
    cut[mt.SHOE_TOP] = 0.115 if person.fabric_seed % 3 == 0 else 0.085
    if a.shoes_kind == "boots":
        cut[mt.SHOE_TOP] = 0.22 + 0.14 * person.loose
    cut[mt.BLOCK_STYLE], cut[mt.LOGO_STYLE] = person.fabric_seed // 7 % 5, person.fabric_seed // 5 % 5
    cut[mt.SIDE_STRIPE] = 0.022 if a.lower_pattern == "striped" else 0.0
    cut[mt.BELT] = float(person.fabric_seed % 4 == 0 and a.lower_kind != "skirt")
    cut[mt.SOLE_TOP] = 0.022
    if a.handbag != "no" and not person.handbag_carried:
        cut[mt.STRAPS] = 2.0 if person.handbag_side > 0 else 3.0
    if a.backpack != "no":
        cut[mt.STRAPS] = 1.0
    cut[mt.FABRIC_SEED] = person.fabric_seed

    first, second, rest = np.zeros((mt.MATERIALS, 3)), np.zeros((mt.MATERIALS, 3)), np.zeros((mt.MATERIALS, 4))
    skin_colour = np.array(colours["skin"])
    table: dict[int, Any] = {
        mt.SKIN: skin_colour,
        mt.UPPER: colours["upper"],
        mt.LOWER: colours["lower"],
        mt.SHOES: colours["shoes"],
        mt.HAIR: colours["hair"],
        mt.HAT: colours["hat"],
        mt.BACKPACK: colours["backpack"],
        mt.HANDBAG: colours["handbag"],
        mt.EYES: (0.16, 0.14, 0.13),
        mt.LIPS: skin_colour * np.array([0.72, 0.45, 0.45]),
        mt.SOLE: colours["sole"],
        mt.INNER: colours["inner"],
        mt.CARRIED: colours["carried"],
        mt.SCARF: colours["scarf"],
        mt.STRAP: colours["backpack"] if a.backpack != "no" else colours["handbag"],
        mt.BROW: np.minimum(np.array(colours["hair"]) * 1.3, skin_colour * 0.6),
    }
    for material, colour in table.items():
        first[material] = second[material] = colour
    second[mt.UPPER], second[mt.LOWER] = colours["upper2"], colours["lower2"]
    stripes = mt.PINSTRIPES if person.upright_stripes else mt.STRIPES
    plain = mt.PUFFER if a.upper_kind == "puffer" else mt.KNIT if person.fabric_seed % 5 == 1 else mt.PLAIN
    pattern = {
        "plain": plain,
        "striped": stripes,
        "checked": mt.CHECKS,
        "print": mt.PRINT,
        "logo": mt.LOGO,
        "block": mt.BLOCK,
    }[a.upper_pattern]
    scale = 0.05 + 0.6 * person.stripe if a.upper_pattern == "logo" else person.stripe
    # Wide clothes fall in deeper folds; a puffer hardly folds.
    rest[mt.UPPER] = (
        pattern,
        scale,
        0.10 if a.upper_kind == "puffer" else 0.02,
        0.25 if plain == mt.PUFFER else 0.35 + 0.4 * person.loose,
    )
    cloth = mt.DENIM if person.denim and a.lower_kind != "skirt" else mt.PLAIN
    if a.lower_pattern == "print":
        cloth = mt.CHECKS if person.upright_stripes else mt.PRINT
    elif a.lower_pattern == "striped" and a.lower_kind == "skirt":
        cloth = mt.STRIPES
    rest[mt.LOWER] = (cloth, person.stripe, 0.01, 0.35 + 0.4 * person.loose)
    rest[mt.SCARF, 3] = rest[mt.CARRIED, 3] = 0.4
    for material, gloss in (
        (mt.SKIN, 0.05),
        (mt.HAIR, 0.10),
        (mt.BACKPACK, 0.08),
        (mt.HANDBAG, 0.08),
        (mt.SHOES, 0.12),
    ):
        rest[material, 2] = gloss
    return cut, first, second, rest


def folds(canon: Floats, seed: int) -> Floats:
    """Height `[n]` (metres) of cloth folds at canonical points: a few waves across the limbs, some along them."""
    rng = np.random.default_rng([seed, 7])
    height = np.zeros(len(canon))
    for strength, along in (
        (0.0026, False),
        (0.0022, False),
        (0.0018, False),
        (0.0016, False),
        (0.002, True),
        (0.0016, True),
    ):
        wave = rng.normal(0.0, 1.0, 3) * np.array([16.0, 16.0, 6.0]) if along else rng.normal(0.0, 1.0, 3) * 14.0
        if not along:
            wave[2] += np.sign(wave[2]) * rng.uniform(35.0, 75.0)
        bend = 1.3 * np.sin(canon @ rng.normal(0.0, 9.0, 3) + rng.uniform(0, 6.28))
        fade = 0.5 + 0.5 * np.sin(canon @ rng.normal(0.0, 7.0, 3) + rng.uniform(0, 6.28))
        height += strength * fade * np.sin(canon @ wave + bend + rng.uniform(0, 6.28))
    return height


def _vertex_parts(face_parts: Ints, faces: Ints, count: int) -> Ints:
    """The part of each vertex: the one that most of its faces have."""
    votes = np.zeros((count, 7), dtype=np.int64)
    for corner in range(3):
        np.add.at(votes, (faces[:, corner], face_parts), 1)
    winners: Ints = votes.argmax(1)
    return winners
