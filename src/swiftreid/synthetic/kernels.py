"""The ray caster: one warp kernel that turns rays into linear colours.

Imported only by :mod:`swiftreid.synthetic.render`, once the ``synthetic`` extra is known to be there. The kernel knows
three kinds of things: the person's triangles (found with ``wp.mesh_query_ray``), axis-aligned boxes (walls, pillars,
benches) and the floor. Garment borders and patterns are decided per ray in *canonical* coordinates, the position that
the hit point has on the template body, so that hems are sharp whatever the size of the triangles.
"""

from __future__ import annotations

# What follows is compiled by warp: a language with Python's grammar but other types (mutable locals are declared by
# float(...) or int(...)), so Python's checkers have nothing true to say about it.
# mypy: ignore-errors
# ruff: noqa: PLR0911, PLR0912, PLR0915, PLR0917, UP018, RUF046
import warp as wp

from swiftreid.synthetic.materials import (
    ARM,
    ASPHALT,
    BLOCK,
    BRICK,
    BROW,
    CHECKS,
    DENIM,
    EYE,
    EYES,
    FABRIC_SEED,
    FOOT,
    HAND,
    HEAD,
    HEM,
    INNER,
    LEAVES,
    LEG,
    LEG_HEM,
    LIPS,
    LOGO,
    LOWER,
    NECK,
    OPEN,
    PANELS,
    PINSTRIPES,
    PLANKS,
    POSTER,
    SHOE_TOP,
    SHOES,
    SHUTTER,
    SKIN,
    SLEEVE,
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

SHADOW_RAYS = 4

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
def ray_box(origin: wp.vec3, direction: wp.vec3, lo: wp.vec3, hi: wp.vec3) -> wp.vec2:
    """Distance of entry (negative: missed) and the axis (0, 1, 2) of the face that was entered."""
    near = float(-1.0e9)
    far = float(1.0e9)
    axis = float(0.0)
    for k in range(3):
        d = direction[k]
        d = wp.where(wp.abs(d) < 1.0e-8, 1.0e-8, d)
        t0 = (lo[k] - origin[k]) / d
        t1 = (hi[k] - origin[k]) / d
        if wp.min(t0, t1) > near:
            near = wp.min(t0, t1)
            axis = float(k)
        far = wp.min(far, wp.max(t0, t1))
    if near > far or near < 1.0e-3:
        return wp.vec2(-1.0, 0.0)
    return wp.vec2(near, axis)


@wp.func
def surface(kind: int, u: float, v: float, scale: float, a: wp.vec3, b: wp.vec3, state: wp.uint32) -> wp.vec3:
    """Albedo of a floor or wall at (u, v) metres."""
    x = u / scale
    y = v / scale
    broad = wp.noise(state, wp.vec2(u * 0.7, v * 0.7))
    fine = wp.noise(state, wp.vec2(u * 9.0, v * 9.0))
    grain = hash2(u * 130.0, v * 130.0) - 0.5
    colour = a * (1.0 + 0.10 * broad + 0.06 * fine + 0.03 * grain)
    if kind == TILES:
        colour = colour * (0.90 + 0.2 * hash2(x, y))
        if ridge(x, 0.018) + ridge(y, 0.018) > 0.5:
            colour = b
    elif kind == BRICK:
        row = wp.floor(y * 3.0)
        shift = x + 0.5 * fract(row * 0.5) * 2.0
        colour = colour * (0.72 + 0.5 * hash2(shift, row))
        if ridge(y * 3.0, 0.08) + ridge(shift, 0.03) > 0.5:
            colour = b
    elif kind == PLANKS:
        lane = wp.floor(x * 4.0)
        colour = colour * (0.78 + 0.36 * hash2(lane, y * 0.6 + hash2(lane, 3.0) * 2.0))
        colour = colour * (1.0 + 0.10 * wp.noise(state, wp.vec2(u * 40.0, v * 2.0)))
        if ridge(x * 4.0, 0.03) > 0.5:
            colour = b
    elif kind == ASPHALT:
        colour = colour * (1.0 + 0.22 * grain)
        if ridge(x * 0.25, 0.012) > 0.5:
            colour = b * (0.9 + 0.2 * fine)
    elif kind == WINDOWS:
        cell = hash2(x, y * 0.7)
        sheen = 0.55 + 0.45 * wp.noise(state, wp.vec2(u * 0.9 + v * 0.8, v * 0.5))
        colour = a * (0.5 + 0.7 * cell) * sheen
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
            stripe = hash2(x * 2.0, y * 7.0)
            colour = wp.lerp(b, wp.vec3(hash2(x, 1.0), hash2(x, 5.0), hash2(x, 9.0)), 0.15 + 0.3 * stripe)
    elif kind == PANELS:
        colour = colour * (0.94 + 0.12 * hash2(x, 1.0))
        if ridge(x, 0.012) > 0.5:
            colour = colour * 0.45
        if v < 0.12:
            colour = b
    return colour


@wp.func
def down_arm(c: wp.vec3) -> float:
    """Dot product of the arm, 0.51 m from shoulder to wrist, with the way from the shoulder to canonical point `c`.

    Divided by 0.51 it is metres along the arm; by 0.51 squared (0.2603) the share of it, 1 at the wrist.
    """
    return (wp.abs(c[0]) - 0.187) * 0.323 - (c[1] + 0.021) * 0.183 - (c[2] - 1.472) * 0.35


@wp.func
def resolve(kind: int, c: wp.vec3, cut: wp.array(dtype=float)) -> int:
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
        if c[2] < cut[SOLE_TOP]:
            return SOLE
        if c[2] < cut[SHOE_TOP]:
            return SHOES
        if c[2] > cut[LEG_HEM]:
            return LOWER
        return SKIN
    if kind == HAND:
        return SKIN
    if kind == LEG:
        if c[2] > cut[HEM] and c[2] > 0.86:
            return UPPER
        if c[2] > cut[LEG_HEM]:
            return LOWER
        if c[2] < cut[SHOE_TOP]:
            return SHOES
        return SKIN
    if kind == ARM:
        if down_arm(c) / 0.2603 < cut[SLEEVE]:
            return UPPER
        return SKIN
    # The torso: collar, hem, straps, open front.
    front = c[1] < -0.03
    collar = 1.575 - 0.35 * side
    if front:
        collar = 1.565 - wp.max(cut[NECK] * (1.0 - side / 0.075), 0.0)
    if c[2] > collar and side < 0.10:
        if cut[OPEN] > 0.0 and c[2] < 1.56:
            return INNER
        return SKIN
    if c[2] < cut[HEM]:
        return LOWER
    if cut[STRAPS] == 1.0 and front and wp.abs(side - 0.105) < 0.021 and c[2] > 1.20:
        return STRAP
    if cut[STRAPS] >= 2.0:
        x = wp.where(cut[STRAPS] > 2.5, -c[0], c[0])
        if wp.abs((x + 0.10) * 0.90 + (c[2] - 1.53) * 0.44) < 0.013:
            return STRAP
    if front and side < cut[OPEN] * (1.0 + 0.6 * (1.2 - c[2])):
        return INNER
    return UPPER


@wp.func
def fabric(pattern: int, scale: float, kind: int, c: wp.vec3, a: wp.vec3, b: wp.vec3, state: wp.uint32) -> wp.vec3:
    """Albedo of a cloth at canonical point `c`."""
    u = wp.atan2(c[0], -(c[1] + 0.03)) * 0.15
    v = c[2]
    if kind == ARM:
        side = wp.abs(c[0])
        v = down_arm(c) / 0.51
        u = (side - 0.187) * 0.73 + (c[2] - 1.472) * 0.67 + c[1]
    if kind == LEG:
        u = c[0]
    if pattern == STRIPES and fract(v / scale) < 0.45:
        return b
    if pattern == PINSTRIPES and fract(u / scale) < 0.3:
        return b
    if pattern == CHECKS:
        mix = wp.where(fract(u / scale) < 0.5, 0.5, 0.0) + wp.where(fract(v / scale) < 0.5, 0.5, 0.0)
        return wp.lerp(a, b, mix)
    if pattern == LOGO and kind == TORSO and c[1] < -0.03:
        x = c[0] / scale
        y = (c[2] - 1.36) / scale
        if x * x + y * y < 1.0 and (x * x + y * y > 0.55 or wp.abs(y) < 0.3):
            return b
    if pattern == BLOCK and ((kind == TORSO and c[2] > 1.33) or (kind == ARM and c[2] > 1.33)):
        return b
    if pattern == DENIM:
        worn = wp.noise(state, wp.vec3(c[0] * 9.0, c[1] * 9.0, c[2] * 5.0))
        front = wp.where(c[1] < -0.06, 0.10, 0.0)
        return a * (1.0 + 0.16 * worn + front)
    return a


@wp.kernel
def cast(
    mesh: wp.uint64,
    triangles: wp.array(dtype=wp.int32),
    normals: wp.array(dtype=wp.vec3),
    canon: wp.array(dtype=wp.vec3),
    kinds: wp.array(dtype=wp.int32),
    cut: wp.array(dtype=float),
    mat_a: wp.array(dtype=wp.vec3),
    mat_b: wp.array(dtype=wp.vec3),
    mat_p: wp.array(dtype=wp.vec3),
    box_lo: wp.array(dtype=wp.vec3),
    box_hi: wp.array(dtype=wp.vec3),
    surf_a: wp.array(dtype=wp.vec3),
    surf_b: wp.array(dtype=wp.vec3),
    surf_p: wp.array(dtype=wp.vec2),
    boxes: int,
    eye: wp.vec3,
    corner: wp.vec3,
    step_x: wp.vec3,
    step_y: wp.vec3,
    width: int,
    sun: wp.vec3,
    sun_colour: wp.vec3,
    sun_spread: float,
    sky: wp.vec3,
    bounce: wp.vec3,
    feet: wp.vec3,
    seed: int,
    texture_seed: int,
    out: wp.array(dtype=wp.vec3),
):
    """Colour of one sample; surf_*[0] is the floor, surf_*[1 + i] box i; surf_p = (texture, scale)."""
    i = wp.tid()
    rng = wp.rand_init(seed, i)
    cloth_state = wp.rand_init(int(cut[FABRIC_SEED]), 1)
    wall_state = wp.rand_init(texture_seed, 2)
    px = float(i % width) + wp.randf(rng)
    py = float(i / width) + wp.randf(rng)
    ray = wp.normalize(corner + step_x * px + step_y * py)

    # The nearest of the floor, the boxes and the person.
    best = float(60.0)
    hit_surface = int(-1)
    axis = float(2.0)
    if ray[2] < -1.0e-5:
        best = wp.min(-eye[2] / ray[2], 60.0)
        hit_surface = int(0)
    for k in range(boxes):
        r = ray_box(eye, ray, box_lo[k], box_hi[k])
        if r[0] > 0.0 and r[0] < best:
            best = r[0]
            axis = r[1]
            hit_surface = 1 + k
    if hit_surface == 0:
        axis = 2.0
    query = wp.mesh_query_ray(mesh, eye, ray, best)

    normal = wp.vec3(0.0, 0.0, 1.0)
    albedo = wp.vec3(0.0, 0.0, 0.0)
    gloss = float(0.0)
    light = float(1.0)
    point = eye + ray * best
    if query.result:
        point = eye + ray * query.t
        face = query.face
        ia = triangles[3 * face]
        ib = triangles[3 * face + 1]
        ic = triangles[3 * face + 2]
        w = 1.0 - query.u - query.v
        normal = wp.normalize(normals[ia] * query.u + normals[ib] * query.v + normals[ic] * w)
        c = canon[ia] * query.u + canon[ib] * query.v + canon[ic] * w
        if wp.dot(query.normal, ray) > 0.0 and kinds[face] >= 16:  # the inside of something thin
            normal = -normal
        if wp.dot(normal, ray) > 0.0:
            normal = wp.normalize(normal - ray * (1.02 * wp.dot(normal, ray)))
        kind = kinds[face]
        m = resolve(kind, c, cut)
        p = mat_p[m]
        albedo = fabric(int(p[0]), p[1], kind, c, mat_a[m], mat_b[m], cloth_state)
        gloss = p[2]
        # Ambient light is blocked by the body itself: one ray into the hemisphere.
        probe = wp.normalize(normal + wp.sample_unit_sphere_surface(rng))
        near = wp.mesh_query_ray(mesh, point + normal * 0.004, probe, 0.6)
        if near.result:
            light = 0.5 + 0.5 * wp.min(near.t / 0.6, 1.0)
    elif hit_surface >= 0:
        normal = wp.vec3(0.0, 0.0, 0.0)
        normal[int(axis)] = -wp.sign(ray[int(axis)])
        u = point[0]
        v = point[1]
        if axis == 0.0:
            u = point[1]
            v = point[2]
        if axis == 1.0:
            v = point[2]
        s = surf_p[hit_surface]
        albedo = surface(int(s[0]), u, v, s[1], surf_a[hit_surface], surf_b[hit_surface], wall_state)
        reach = wp.length_sq(wp.vec2(point[0] - feet[0], point[1] - feet[1])) + point[2] * point[2]
        light = 1.0 - 0.5 * wp.exp(-reach / 0.10)
        if axis < 1.5:
            light = light * (0.72 + 0.28 * wp.min(point[2] / 0.8, 1.0))
    else:
        out[i] = sky * (0.9 + 0.3 * ray[2])
        return

    # Rays to points spread evenly over the lamp (or the bright part of the sky).
    side = wp.normalize(wp.cross(sun, wp.vec3(0.3, 0.1, 0.95)))
    other = wp.cross(sun, side)
    turn = wp.randf(rng)
    direct = wp.vec3(0.0, 0.0, 0.0)
    start = point + normal * 0.006
    rays = wp.where(query.result, wp.where(sun_spread > 0.1, 2, 1), SHADOW_RAYS)
    for k in range(rays):
        angle = 6.2831853 * (float(k) + turn) / float(rays)
        reach = sun_spread * wp.sqrt(wp.randf(rng))
        toward = wp.normalize(sun + side * (wp.cos(angle) * reach) + other * (wp.sin(angle) * reach))
        facing = wp.dot(normal, toward)
        if facing > 0.0:
            blocked = wp.mesh_query_ray_anyhit(mesh, start, toward, 4.0)
            for b in range(boxes):
                if not blocked:
                    r = ray_box(start, toward, box_lo[b], box_hi[b])
                    if r[0] > 0.0:
                        blocked = bool(True)
            if not blocked:
                half = wp.normalize(toward - ray)
                shine = gloss * wp.pow(wp.max(wp.dot(half, normal), 0.0), 24.0)
                direct = direct + sun_colour * (facing + shine / wp.max(albedo[0] + albedo[1] + albedo[2], 0.12))
    direct = direct / float(rays)
    up = 0.5 + 0.5 * normal[2]
    ambient = (sky * up + bounce * (1.0 - up)) * light
    out[i] = wp.cw_mul(albedo, direct + ambient)
