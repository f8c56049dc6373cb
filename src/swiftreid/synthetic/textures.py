"""What floors, walls and cloth look like close up: warp functions from a place on a surface to its albedo.

Imported only by :mod:`swiftreid.synthetic.kernels`, once the ``synthetic`` extra is known to be there. Garment borders
and patterns are decided per ray in *canonical* coordinates, the position that the hit point has on the template body, so
that hems are sharp whatever the size of the triangles.
"""

from __future__ import annotations

# What follows is compiled by warp: a language with Python's grammar but other types (mutable locals are declared by
# float(...) or int(...)), so Python's checkers have nothing true to say about it.
# mypy: ignore-errors
# ruff: noqa: E501, PLR0911, PLR0912, PLR0915, PLR0917, PLR1714, SIM102, SIM109
import warp as wp

from swiftreid.synthetic.materials import (
    ARM,
    ASPHALT,
    BARS,
    BAYS,
    BELT,
    BLOCK,
    BLOCK_STYLE,
    BRICK,
    BROW,
    CARPET,
    CHECKS,
    CONCRETE,
    DENIM,
    EYE,
    EYES,
    FACADE,
    FOOT,
    GRASS,
    GRAVEL,
    HAND,
    HEAD,
    HEM,
    INNER,
    KNIT,
    LEAVES,
    LEG,
    LEG_HEM,
    LIPS,
    LOGO,
    LOGO_STYLE,
    LOWER,
    MURAL,
    NECK,
    OPEN,
    PANELS,
    PAVERS,
    PINSTRIPES,
    PLANKS,
    POSTER,
    PRINT,
    PUFFER,
    SHOE_TOP,
    SHOES,
    SHOPFRONT,
    SHUTTER,
    SIDE_STRIPE,
    SKIN,
    SLEEVE,
    SMOOTH,
    SOLE,
    SOLE_TOP,
    STRAP,
    STRAPS,
    STRIPES,
    TILES,
    TORSO,
    UPPER,
    WINDOWS,
)

wp.set_module_options({"enable_backward": False})


@wp.func
def fract(x: float) -> float:
    """The part of x behind the point, in [0, 1)."""
    return x - wp.floor(x)


@wp.func
def hash2(x: float, y: float) -> float:
    """A value in [0, 1) that looks random and depends on the integer cell (x, y) only."""
    return fract(wp.sin(wp.floor(x) * 127.1 + wp.floor(y) * 311.7) * 43758.547)


@wp.func
def ridge(x: float, width: float) -> float:
    """1 within `width` of an integer, else 0."""
    f = fract(x + 0.5) - 0.5
    return wp.where(wp.abs(f) < width, 1.0, 0.0)


@wp.func
def motley(x: float, y: float) -> wp.vec3:
    """A colour for each integer cell: now and then a bright one."""
    grey = 0.04 + 0.6 * hash2(x, y + 3.0) * hash2(x, y + 3.0)
    hue = wp.vec3(hash2(x, y + 17.0), hash2(x, y + 31.0), hash2(x, y + 47.0))
    return wp.lerp(wp.vec3(grey, grey, grey), wp.cw_mul(hue, hue), 0.25 + 0.55 * hash2(x + 5.0, y))


@wp.func
def surface(kind: int, u: float, v: float, scale: float, a: wp.vec3, b: wp.vec3, state: wp.uint32) -> wp.vec3:
    """Albedo of a floor, wall or thing at (u, v) metres."""
    x = u / scale
    y = v / scale
    if kind == SMOOTH:
        return a
    broad = wp.noise(state, wp.vec2(u * 0.7, v * 0.7))
    fine = wp.noise(state, wp.vec2(u * 9.0, v * 9.0))
    colour = a * (1.0 + 0.14 * broad + 0.07 * fine)
    if kind == CONCRETE:
        stain = wp.noise(state, wp.vec2(u * 2.3, v * 1.1))
        colour = colour * (1.0 + 0.12 * stain)
        if ridge(u * 0.4, 0.006) + ridge(v * 0.4, 0.006) > 0.5:
            colour = colour * 0.75
    elif kind == TILES:
        colour = colour * (0.90 + 0.2 * hash2(x, y))
        if ridge(x, 0.018) + ridge(y, 0.018) > 0.5:
            colour = b
    elif kind == BRICK:
        row = wp.floor(y * 3.0)
        shift = x + 0.5 * fract(row * 0.5) * 2.0
        colour = colour * (0.72 + 0.5 * hash2(shift, row))
        if ridge(y * 3.0, 0.08) + ridge(shift, 0.03) > 0.5:
            colour = b
    elif kind == PAVERS:
        row = wp.floor(y)
        shift = 0.5 * x + 0.5 * fract(row * 0.5) * 2.0
        colour = wp.lerp(a, b, hash2(shift, row)) * (1.0 + 0.12 * broad)
        if ridge(y, 0.05) + ridge(shift, 0.03) > 0.5:
            colour = colour * 0.6
    elif kind == PLANKS:
        lane = wp.floor(x * 4.0)
        colour = colour * (0.78 + 0.36 * hash2(lane, y * 0.6 + hash2(lane, 3.0) * 2.0))
        if ridge(x * 4.0, 0.03) > 0.5:
            colour = b
    elif kind == ASPHALT:
        colour = colour * (1.0 + 0.12 * (hash2(u * 60.0, v * 60.0) - 0.5))
        if ridge(v * 0.27, 0.012) > 0.5 and fract(u * 0.2) < 0.6:
            colour = b * (0.9 + 0.2 * fine)
    elif kind == BAYS:
        colour = colour * (1.0 + 0.12 * (hash2(u * 60.0, v * 60.0) - 0.5))
        if ridge(x, 0.02) > 0.5 and wp.abs(v) > 3.2:
            colour = b * (0.85 + 0.3 * fine)
    elif kind == GRASS:
        blade = hash2(u * 45.0 + fine, v * 45.0)
        colour = wp.lerp(a, b, wp.clamp(0.4 + 0.6 * broad + 0.5 * (blade - 0.5), 0.0, 1.0))
    elif kind == GRAVEL:
        colour = wp.lerp(a, b, hash2(u * 32.0, v * 32.0)) * (1.0 + 0.15 * broad)
    elif kind == CARPET:
        thread = wp.noise(state, wp.vec2(u * 25.0, v * 25.0))
        colour = wp.lerp(a, b, wp.where(thread > 0.15, 0.6, 0.0)) * (1.0 + 0.1 * broad)
    elif kind == WINDOWS:
        sheen = 0.55 + 0.45 * wp.noise(state, wp.vec2(u * 0.9 + v * 0.8, v * 0.5))
        colour = a * (0.5 + 0.7 * hash2(x, y * 0.7)) * sheen
        if ridge(x, 0.035) + ridge(y * 0.7, 0.035) > 0.5:
            colour = b
    elif kind == SHUTTER:
        colour = colour * (0.8 + 0.3 * wp.abs(fract(y * 9.0) - 0.5) * 2.0)
    elif kind == LEAVES:
        leaf = hash2(u * 38.0 + fine * 2.0, v * 38.0 + broad)
        colour = wp.lerp(a, b, leaf) * (0.75 + 0.5 * broad + 0.25 * fine)
    elif kind == POSTER:
        inside = wp.abs(fract(x) - 0.5) < 0.33 and wp.abs(fract(y * 0.7) - 0.5) < 0.36
        if inside:
            colour = wp.lerp(b, motley(x * 2.0, y * 5.0), 0.5)
    elif kind == PANELS:
        colour = colour * (0.94 + 0.12 * hash2(x, 1.0))
        if ridge(x, 0.012) > 0.5:
            colour = colour * 0.45
        if v < 0.12:
            colour = b
    elif kind == FACADE:
        bay = fract(x)
        floor_ = fract(v / 3.1)
        if bay > 0.25 and bay < 0.75 and floor_ > 0.3 and floor_ < 0.75:
            sky = wp.noise(state, wp.vec2(u * 0.8 + v, v * 0.6))
            colour = b * (0.7 + 0.5 * hash2(x, v / 3.1) + 0.4 * sky)
            if ridge(bay * 4.0, 0.06) > 0.5:
                colour = a * 0.8
    elif kind == SHOPFRONT:
        if v > 0.35 and v < 2.3 and ridge(x, 0.05) < 0.5:
            goods = motley(u * 3.3 + 9.0 * hash2(x, 7.0), v * 2.6)
            glow = 0.5 + 0.8 * hash2(x, 11.0)
            sheen = 0.06 + 0.06 * wp.noise(state, wp.vec2(u * 0.9 + v * 0.8, v * 0.5))
            colour = goods * (0.55 * glow) * (1.0 + 0.5 * fine) + wp.vec3(sheen, sheen, sheen)
        elif v > 2.3:
            colour = colour * 0.9
        else:
            colour = b
    elif kind == MURAL:
        cell = motley(x * 1.7 + 0.6 * broad, y * 2.3 + 0.5 * wp.sin(x * 3.0))
        colour = wp.lerp(a, wp.lerp(b, cell, 0.7), wp.where(hash2(x * 2.9, y * 3.7) > 0.45, 1.0, 0.15))
    elif kind == BARS:
        colour = wp.where(fract(x) < 0.5, 1.0, 0.0) * a + wp.where(fract(x) < 0.5, 0.0, 1.0) * b
    return colour


@wp.func
def down_arm(c: wp.vec3) -> float:
    """Dot product of the arm, 0.51 m from shoulder to wrist, with the way from the shoulder to canonical point `c`.

    Divided by 0.51 it is metres along the arm; by 0.51 squared (0.2603) the share of it, 1 at the wrist.
    """
    return (wp.abs(c[0]) - 0.187) * 0.323 - (c[1] + 0.021) * 0.183 - (c[2] - 1.472) * 0.35


@wp.func
def resolve(kind: int, c: wp.vec3, cuts: wp.array2d(dtype=float), row: int) -> int:
    """Material of a body face of this kind at canonical point `c`, given the outfit's cuts."""
    side = wp.abs(c[0])
    if kind >= 16:
        return kind - 16
    if kind == EYE:
        return EYES
    if kind == HEAD:
        if c[1] < -0.135 and side < 0.026 and wp.abs(c[2] - 1.647) < 0.0075:
            return LIPS
        if c[1] < -0.115 and side > 0.012 and side < 0.050 and wp.abs(c[2] - 1.756) < 0.0045:
            return BROW
        return SKIN
    if kind == FOOT:
        if c[2] < cuts[row, SOLE_TOP]:
            return SOLE
        if c[2] < cuts[row, SHOE_TOP]:
            return SHOES
        if c[2] > cuts[row, LEG_HEM]:
            return LOWER
        return SKIN
    if kind == HAND:
        return SKIN
    if kind == LEG:
        if c[2] > cuts[row, HEM] and c[2] > 0.80:
            return UPPER
        if c[2] < cuts[row, SHOE_TOP] and cuts[row, SHOE_TOP] > 0.2:
            return SHOES
        if c[2] > cuts[row, LEG_HEM]:
            return LOWER
        if c[2] < cuts[row, SHOE_TOP]:
            return SHOES
        return SKIN
    if kind == ARM:
        if down_arm(c) / 0.2603 < cuts[row, SLEEVE]:
            return UPPER
        return SKIN
    # The torso: collar, hem, straps, open front.
    front = c[1] < -0.03
    collar = 1.575 - 0.35 * side
    if front:
        collar = 1.565 - wp.max(cuts[row, NECK] * (1.0 - side / 0.075), 0.0)
    if c[2] > collar and side < 0.10:
        if cuts[row, OPEN] > 0.0 and c[2] < 1.56:
            return INNER
        return SKIN
    if c[2] < cuts[row, HEM]:
        if cuts[row, BELT] > 0.5 and c[2] > cuts[row, HEM] - 0.035:
            return SHOES
        return LOWER
    straps = cuts[row, STRAPS]
    if straps == 1.0 and front and wp.abs(side - 0.105) < 0.021 and c[2] > 1.20:
        return STRAP
    if straps >= 2.0:
        x = wp.where(straps > 2.5, -c[0], c[0])
        if wp.abs((x + 0.10) * 0.90 + (c[2] - 1.53) * 0.44) < 0.013:
            return STRAP
    if front and side < cuts[row, OPEN] * (1.0 + 0.6 * (1.2 - c[2])):
        return INNER
    return UPPER


@wp.func
def emblem(style: float, scale: float, c: wp.vec3, a: wp.vec3, b: wp.vec3) -> wp.vec3:
    """A logo, letters or a picture on the chest (styles 0 to 3) or on the back (4)."""
    x = c[0] / scale
    y = (c[2] - 1.34) / scale
    if style < 0.5:
        if x * x + y * y < 1.0 and (x * x + y * y > 0.55 or wp.abs(y) < 0.3):
            return b
    elif style < 1.5:
        if wp.abs(y) < 0.35 and wp.abs(x) < 1.5 and hash2(x * 4.0, 3.0) > 0.3 and fract(x * 4.0) < 0.75:
            return b
    elif style < 2.5:
        if wp.abs(x) < 1.1 and wp.abs(y) < 1.2:
            cell = hash2(x * 3.0 + 20.0, y * 3.0 + 20.0)
            return wp.lerp(b, motley(x * 2.0 + 40.0, y * 2.0 + scale * 900.0), cell)
    elif style < 3.5:
        x = (c[0] - 0.08) / (scale * 0.45)
        y = (c[2] - 1.40) / (scale * 0.45)
        if wp.abs(x) + wp.abs(y) < 1.0:
            return b
    elif wp.abs(x) < 1.3 and wp.abs(y) < 1.0 and (wp.abs(y) < 0.3 or wp.abs(fract(x * 1.2) - 0.5) < 0.28):
        return b
    return a


@wp.func
def fabric(
    pattern: int,
    scale: float,
    kind: int,
    material: int,
    c: wp.vec3,
    a: wp.vec3,
    b: wp.vec3,
    cuts: wp.array2d(dtype=float),
    row: int,
    state: wp.uint32,
) -> wp.vec3:
    """Albedo of a cloth at canonical point `c`."""
    u = wp.atan2(c[0], -(c[1] + 0.03)) * 0.15
    v = c[2]
    if kind == ARM:
        side = wp.abs(c[0])
        v = down_arm(c) / 0.51
        u = (side - 0.187) * 0.73 + (c[2] - 1.472) * 0.67 + c[1]
    if kind == LEG:
        u = c[0]
    out = a
    if (pattern == STRIPES and fract(v / scale) < 0.45) or (pattern == PINSTRIPES and fract(u / scale) < 0.3):
        out = b
    elif pattern == CHECKS:
        mix = wp.where(fract(u / scale) < 0.5, 0.5, 0.0) + wp.where(fract(v / scale) < 0.5, 0.5, 0.0)
        out = wp.lerp(a, b, mix)
    elif pattern == LOGO and kind == TORSO:
        style = cuts[row, LOGO_STYLE]
        if (style < 3.5 and c[1] < -0.03) or (style > 3.5 and c[1] > 0.0):
            out = emblem(style, scale, c, a, b)
    elif pattern == BLOCK:
        style = cuts[row, BLOCK_STYLE]
        if style < 0.5:
            if (kind == TORSO or kind == ARM) and c[2] > 1.33:
                out = b
        elif style < 1.5:
            if kind == ARM:
                out = b
        elif style < 2.5:
            if kind == TORSO and wp.abs(c[2] - 1.30) < 0.06:
                out = b
        elif style < 3.5:
            if c[0] > 0.0:
                out = b
        elif kind == TORSO and wp.abs(u) > 0.17:
            out = b
    elif pattern == PRINT:
        spot = wp.noise(state, c / scale)
        more = wp.noise(state, c * (1.7 / scale) + wp.vec3(3.0, 7.0, 1.0))
        if spot > 0.18:
            out = b
        elif more > 0.25:
            out = wp.cw_mul(a, wp.vec3(0.5, 0.45, 0.5)) + b * 0.12
    elif pattern == DENIM:
        worn = wp.noise(state, wp.vec3(c[0] * 9.0, c[1] * 9.0, c[2] * 5.0))
        front = wp.where(c[1] < -0.06, 0.10, 0.0)
        out = a * (1.0 + 0.16 * worn + front)
    elif pattern == PUFFER:
        seam = fract(v / 0.085)
        out = a * (0.62 + 0.38 * wp.min(wp.min(seam, 1.0 - seam) * 7.0, 1.0))
    elif pattern == KNIT:
        out = a * (0.9 + 0.2 * wp.abs(wp.sin(u * 260.0)))
    if material == LOWER and cuts[row, SIDE_STRIPE] > 0.0 and kind == LEG:
        if wp.abs(c[1] + 0.005) < cuts[row, SIDE_STRIPE] and wp.abs(c[0]) > 0.13:
            out = b
    washed = wp.noise(state, c * 6.0)
    return out * (1.0 + 0.10 * washed)
