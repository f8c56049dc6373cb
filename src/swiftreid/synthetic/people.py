"""Who the people are: attributes drawn independently of each other, and the colours and cuts that follow from them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

import numpy as np

from swiftreid.synthetic.body import Shape, sample_shape

Rgb = tuple[float, float, float]

# sRGB, 0 to 255: shades that go by one name; a person's cloth lies near or between them.
CLOTH: dict[str, list[Rgb]] = {
    "black": [(22, 22, 24), (31, 31, 35), (42, 40, 41)],
    "white": [(236, 236, 232), (222, 224, 226), (228, 222, 210)],
    "grey": [(90, 92, 96), (126, 128, 130), (160, 162, 164), (72, 74, 78)],
    "red": [(168, 34, 40), (128, 26, 38), (194, 58, 54), (150, 44, 52)],
    "blue": [(52, 84, 148), (88, 130, 184), (40, 96, 170), (122, 160, 204)],
    "navy": [(28, 36, 66), (36, 44, 80), (24, 28, 50)],
    "green": [(52, 110, 66), (38, 74, 52), (86, 106, 58), (112, 162, 120), (34, 110, 96)],
    "yellow": [(220, 184, 60), (200, 160, 44), (234, 212, 120)],
    "pink": [(216, 136, 156), (232, 178, 188), (204, 86, 126)],
    "purple": [(98, 62, 122), (132, 98, 156), (82, 46, 88), (168, 148, 194)],
    "orange": [(208, 104, 40), (196, 118, 66), (226, 136, 78)],
    "beige": [(196, 176, 142), (214, 200, 174), (170, 148, 116)],
    "brown": [(104, 70, 46), (80, 58, 44), (128, 94, 66)],
}
DENIM: list[Rgb] = [(74, 94, 130), (52, 66, 98), (104, 126, 158), (40, 50, 76)]
HAIR: dict[str, Rgb] = {
    "black": (24, 20, 19),
    "brown": (70, 46, 30),
    "blond": (170, 132, 80),
    "red": (120, 56, 28),
    "grey": (150, 148, 146),
}
SKIN: list[Rgb] = [(226, 184, 158), (216, 172, 144), (204, 156, 122), (172, 122, 88), (132, 88, 62), (92, 60, 44)]
BAG_COLOURS = ["black", "navy", "red", "grey", "green", "brown", "blue", "yellow"]


@dataclass(frozen=True)
class Attributes:
    """What an observer could write down about a person; the columns of ``attributes.csv``."""

    gender: str
    age: str
    build: str
    hair_length: str
    hair_colour: str
    hat: str
    sleeve: str
    upper_kind: str
    upper_colour: str
    upper_pattern: str
    lower_kind: str
    lower_colour: str
    lower_pattern: str
    shoes_kind: str
    shoes_colour: str
    backpack: str
    handbag: str
    carried: str
    scarf: str

    @staticmethod
    def names() -> list[str]:
        """Column names in order."""
        return [field.name for field in fields(Attributes)]

    def row(self) -> dict[str, str]:
        """Column name to value."""
        return asdict(self)


CHOICES: dict[str, dict[str, float]] = {
    "gender": {"female": 0.5, "male": 0.5},
    "age": {"child": 0.07, "adult": 0.77, "senior": 0.16},
    "hair_length": {"bald": 0.05, "short": 0.55, "long": 0.40},
    "hair_colour": {"black": 0.46, "brown": 0.28, "blond": 0.12, "red": 0.04, "grey": 0.10},
    "hat": {"none": 0.82, "cap": 0.09, "beanie": 0.05, "hood": 0.04},
    "sleeve": {"short": 0.45, "long": 0.55},
    "upper_kind": {"shirt": 0.54, "hoodie": 0.11, "open jacket": 0.15, "puffer": 0.07, "coat": 0.13},
    "upper_colour": {
        "black": 0.20, "grey": 0.13, "white": 0.15, "navy": 0.10, "blue": 0.10, "red": 0.08, "green": 0.06,
        "beige": 0.05, "brown": 0.04, "pink": 0.04, "purple": 0.03, "yellow": 0.03, "orange": 0.03,
    },
    "upper_pattern": {"plain": 0.52, "striped": 0.12, "checked": 0.08, "print": 0.07, "logo": 0.13, "block": 0.08},
    "lower_kind": {"trousers": 0.70, "shorts": 0.15, "skirt": 0.15},
    "lower_colour": {
        "black": 0.28, "blue": 0.24, "navy": 0.14, "grey": 0.11, "beige": 0.08, "brown": 0.05, "white": 0.04,
        "green": 0.03, "red": 0.03,
    },
    "lower_pattern": {"plain": 0.90, "striped": 0.05, "print": 0.05},
    "shoes_kind": {"low": 0.85, "boots": 0.15},
    "shoes_colour": {"black": 0.36, "white": 0.28, "brown": 0.13, "grey": 0.12, "red": 0.05, "blue": 0.06},
    "backpack": {
        "no": 0.74, "black": 0.09, "navy": 0.04, "grey": 0.03, "blue": 0.025, "red": 0.025, "green": 0.02,
        "brown": 0.02, "yellow": 0.01,
    },
    "handbag": {
        "no": 0.76, "black": 0.09, "brown": 0.05, "navy": 0.02, "grey": 0.02, "red": 0.02, "blue": 0.015,
        "green": 0.015, "yellow": 0.01,
    },
    "carried": {"no": 0.86, "shopping bag": 0.09, "suitcase": 0.05},
    "scarf": {"no": 0.93, "yes": 0.07},
}  # fmt: skip
PATTERNS = ("upper_pattern", "lower_pattern")


@dataclass(frozen=True)
class Person:
    """Somebody who never existed: attributes, a body, exact colours (linear RGB by material name) and cut details."""

    number: int
    attributes: Attributes
    shape: Shape
    colours: dict[str, Rgb]
    loose: float  # 0 tight, 1 wide clothes
    hem: float  # canonical height of the upper garment's lower edge
    leg_hem: float
    sleeve_end: float
    skirt_end: float
    stripe: float  # metres between stripes or checks
    upright_stripes: bool
    denim: bool
    hair_style: str
    handbag_side: int  # -1 right, +1 left
    handbag_carried: bool  # in the hand instead of across the body
    carried_side: int
    fabric_seed: int


def linear(colour: Rgb) -> Rgb:
    """Linear light, 0 to 1, of an sRGB colour, 0 to 255."""
    value = np.asarray(colour, dtype=np.float64) / 255.0
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return float(light[0]), float(light[1]), float(light[2])


def sample_attributes(rng: np.random.Generator) -> Attributes:
    """Every attribute on its own, except that only a shirt has short sleeves; `build` is left to the body."""
    drawn: dict[str, str] = {}
    for name, weights in CHOICES.items():
        share = np.array(list(weights.values()), dtype=np.float64)
        drawn[name] = list(weights)[int(rng.choice(len(share), p=share / share.sum()))]
    if drawn["upper_kind"] != "shirt":
        drawn["sleeve"] = "long"
    return Attributes(build="average", **drawn)


def sample_person(
    number: int, rng: np.random.Generator, attributes: Attributes | None = None, *, patterns: bool = True
) -> Person:
    """A person; with `attributes` given, somebody who has just these, but for `build`, which the drawn body decides."""
    drawn = sample_attributes(rng)
    chosen = attributes or drawn
    shape = sample_shape(rng, female=chosen.gender == "female", age_group=chosen.age)
    build = "slim" if shape.weight < 0.34 else "heavy" if shape.weight > 0.58 else "average"
    chosen = replace(chosen, build=build)
    if not patterns:
        chosen = replace(chosen, **dict.fromkeys(PATTERNS, "plain"))

    def between(shades: list[Rgb], spread: float = 7.0) -> Rgb:
        one, two = (np.array(shades[int(k)]) for k in rng.integers(0, len(shades), 2))
        shade = one + rng.uniform(0, 0.5) * (two - one) + rng.normal(0.0, spread) + rng.normal(0.0, spread * 0.45, 3)
        red, green, blue = np.clip(shade, 12, 242)
        return linear((float(red), float(green), float(blue)))

    def cloth(name: str) -> Rgb:
        return between(CLOTH[name])

    upper = cloth(chosen.upper_colour)
    others = [c for c in ("white", "black", "grey", "navy", "red", "yellow") if c != chosen.upper_colour]
    contrast = sorted(others, key=lambda c: -abs(sum(linear(CLOTH[c][0])) - sum(upper)))
    second = cloth(contrast[int(rng.integers(0, 3))])
    hair = np.clip(np.array(HAIR[chosen.hair_colour]) * rng.uniform(0.85, 1.15), 8, 230)
    tone = int(rng.integers(0, len(SKIN)))
    skin = np.clip(np.array(SKIN[tone]) + rng.normal(0, 4, 3), 30, 245)
    denim = chosen.lower_colour in ("blue", "navy", "grey") and bool(rng.random() < 0.7)
    colours = {
        "skin": linear((float(skin[0]), float(skin[1]), float(skin[2]))),
        "upper": upper,
        "upper2": second,
        "inner": cloth(
            str(rng.choice([c for c in ("white", "grey", "black", "blue", "red") if c != chosen.upper_colour]))
        ),
        "lower": between(DENIM[:3], 5.0) if denim and chosen.lower_colour == "blue" else cloth(chosen.lower_colour),
        "lower2": cloth(str(rng.choice(["white", "black", "grey", "red", "beige"]))),
        "shoes": cloth(chosen.shoes_colour),
        "sole": linear((215, 212, 205)) if rng.random() < 0.55 else linear((40, 38, 36)),
        "hair": linear((float(hair[0]), float(hair[1]), float(hair[2]))),
        "hat": cloth(str(rng.choice(["black", "navy", "red", "grey", "white", "green", "beige"]))),
        "backpack": cloth(chosen.backpack if chosen.backpack != "no" else "black"),
        "handbag": cloth(chosen.handbag if chosen.handbag != "no" else "black"),
        "carried": cloth(str(rng.choice(["white", "beige", "black", "grey", "blue", "red", "pink", "green"]))),
        "scarf": cloth(str(rng.choice(["grey", "red", "black", "beige", "white", "purple", "blue", "green"]))),
    }
    coat = chosen.upper_kind == "coat"
    styles = {"bald": ["none"], "short": ["crop", "crop", "full", "afro"], "long": ["loose", "loose", "tail", "bun"]}
    return Person(
        number=number,
        attributes=chosen,
        shape=shape,
        colours=colours,
        loose=float(rng.uniform(0.05, 1.0)),
        hem=float(rng.uniform(0.86, 1.0)) if not coat else 0.93,
        leg_hem={
            "trousers": float(rng.choice([rng.uniform(0.06, 0.10), rng.uniform(0.1, 0.2)], p=[0.8, 0.2])),
            "shorts": float(rng.uniform(0.48, 0.72)),
            "skirt": 0.80,
        }[chosen.lower_kind],
        sleeve_end=1.0
        if chosen.sleeve == "long"
        else float(rng.choice([rng.uniform(0.28, 0.48), rng.uniform(0.08, 0.16)], p=[0.88, 0.12])),
        skirt_end=float(rng.uniform(0.28, 0.58)),
        stripe=float(np.exp(rng.uniform(np.log(0.03), np.log(0.14)))),
        upright_stripes=bool(rng.random() < 0.3),
        denim=denim,
        hair_style=str(rng.choice(styles[chosen.hair_length])),
        handbag_side=(side := int(rng.choice([-1, 1]))),
        handbag_carried=bool(rng.random() < 0.4),
        carried_side=-side,
        fabric_seed=int(rng.integers(1, 2**20)),
    )
