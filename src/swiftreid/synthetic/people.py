"""Who the people are: attributes drawn independently of each other, and the colours and cuts that follow from them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

import numpy as np

from swiftreid.synthetic.body import Shape, sample_shape

Rgb = tuple[float, float, float]

# sRGB, 0 to 255; a person's cloth deviates a little from its name's colour.
# The order of names decides what a seed draws.
CLOTH: dict[str, Rgb] = {
    "black": (30, 30, 33),
    "white": (226, 225, 220),
    "grey": (126, 128, 130),
    "red": (160, 42, 44),
    "blue": (52, 84, 148),
    "navy": (32, 40, 70),
    "green": (52, 110, 66),
    "yellow": (214, 178, 52),
    "pink": (212, 132, 150),
    "purple": (98, 62, 122),
    "orange": (206, 104, 40),
    "beige": (196, 176, 142),
    "brown": (104, 70, 46),
}
UPPER_COLOURS = [name for name in CLOTH if name != "brown"]
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
    shoes_colour: str
    backpack: str
    handbag: str

    @staticmethod
    def names() -> list[str]:
        """Column names in order."""
        return [field.name for field in fields(Attributes)]

    def row(self) -> dict[str, str]:
        """Column name to value."""
        return asdict(self)


CHOICES: dict[str, dict[str, float]] = {
    "gender": {"female": 0.5, "male": 0.5},
    "age": {"child": 0.1, "adult": 0.7, "senior": 0.2},
    "hair_length": {"bald": 0.06, "short": 0.54, "long": 0.40},
    "hair_colour": {"black": 0.38, "brown": 0.28, "blond": 0.16, "red": 0.06, "grey": 0.12},
    "hat": {"none": 0.76, "cap": 0.14, "beanie": 0.10},
    "sleeve": {"short": 0.45, "long": 0.55},
    "upper_kind": {"shirt": 0.66, "open jacket": 0.19, "coat": 0.15},
    "upper_colour": dict.fromkeys(UPPER_COLOURS, 1.0),
    "upper_pattern": {"plain": 0.5, "striped": 0.16, "checked": 0.10, "logo": 0.14, "block": 0.10},
    "lower_kind": {"trousers": 0.62, "shorts": 0.2, "skirt": 0.18},
    "lower_colour": {
        "black": 2,
        "grey": 1.2,
        "blue": 2,
        "navy": 1.2,
        "beige": 1,
        "brown": 0.8,
        "white": 0.6,
        "red": 0.5,
        "green": 0.6,
    },
    "shoes_colour": {"black": 2, "white": 1.6, "brown": 1, "red": 0.6, "blue": 0.5, "grey": 0.8},
    "backpack": {"no": 0.72, **dict.fromkeys(BAG_COLOURS, 0.035)},
    "handbag": {"no": 0.74, **dict.fromkeys(BAG_COLOURS, 0.0325)},
}


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
    fabric_seed: int


def linear(colour: Rgb) -> Rgb:
    """Linear light, 0 to 1, of an sRGB colour, 0 to 255."""
    value = np.asarray(colour, dtype=np.float64) / 255.0
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return float(light[0]), float(light[1]), float(light[2])


def sample_attributes(rng: np.random.Generator) -> Attributes:
    """Every attribute on its own, except that a coat or jacket has long sleeves; `build` is left to the body."""
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
        chosen = replace(chosen, upper_pattern="plain")

    def cloth(name: str, spread: float = 9.0) -> Rgb:
        shade = rng.normal(0.0, spread) + rng.normal(0.0, spread * 0.4, 3)
        red, green, blue = np.clip(np.array(CLOTH[name]) + shade, 12, 240)
        return linear((float(red), float(green), float(blue)))

    upper = cloth(chosen.upper_colour)
    others = [c for c in ("white", "black", "grey", "navy", "red", "yellow") if c != chosen.upper_colour]
    contrast = sorted(others, key=lambda c: -abs(sum(linear(CLOTH[c])) - sum(upper)))
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
        "lower": linear((74, 94, 130)) if denim and chosen.lower_colour == "blue" else cloth(chosen.lower_colour),
        "shoes": cloth(chosen.shoes_colour, 6.0),
        "sole": linear((215, 212, 205)) if rng.random() < 0.55 else linear((40, 38, 36)),
        "hair": linear((float(hair[0]), float(hair[1]), float(hair[2]))),
        "hat": cloth(str(rng.choice(["black", "navy", "red", "grey", "white", "green", "beige"]))),
        "backpack": cloth(chosen.backpack if chosen.backpack != "no" else "black"),
        "handbag": cloth(chosen.handbag if chosen.handbag != "no" else "black"),
    }
    coat = chosen.upper_kind == "coat"
    styles = {"bald": ["none"], "short": ["crop", "crop", "full", "afro"], "long": ["loose", "loose", "tail", "bun"]}
    return Person(
        number=number,
        attributes=chosen,
        shape=shape,
        colours=colours,
        loose=float(rng.uniform(0.15, 1.0)),
        hem=float(rng.uniform(0.93, 0.99)) if not coat else 0.93,
        leg_hem={"trousers": float(rng.uniform(0.07, 0.10)), "shorts": float(rng.uniform(0.50, 0.66)), "skirt": 0.80}[
            chosen.lower_kind
        ],
        sleeve_end=1.0 if chosen.sleeve == "long" else float(rng.uniform(0.30, 0.46)),
        skirt_end=float(rng.uniform(0.28, 0.58)),
        stripe=float(rng.uniform(0.045, 0.11)),
        upright_stripes=bool(rng.random() < 0.3),
        denim=denim,
        hair_style=str(rng.choice(styles[chosen.hair_length])),
        handbag_side=int(rng.choice([-1, 1])),
        handbag_carried=bool(rng.random() < 0.4),
        fabric_seed=int(rng.integers(1, 2**20)),
    )
