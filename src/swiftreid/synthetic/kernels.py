"""The ray caster: one warp kernel that turns rays into linear colours.

Imported only by :mod:`swiftreid.synthetic.render`, once the ``synthetic`` extra is known to be there. A picture is made of
*instances*: the person whose picture it is comes first, then other people and things that stand about, each a mesh with a
place and a heading, and last the scenery. Their vertices lie in shared arrays, at the places that `starts` tells.
"""

from __future__ import annotations

# Compiled by warp; see textures.py.
# mypy: ignore-errors
# ruff: noqa: E501, PLR0912, PLR0915, PLR0917, UP018, RUF046
import warp as wp

from swiftreid.synthetic.materials import FABRIC_SEED
from swiftreid.synthetic.textures import fabric, resolve, surface

wp.set_module_options({"enable_backward": False})


@wp.func
def to_local(v: wp.vec3, frame: wp.vec4) -> wp.vec3:
    """Turn a direction into an instance's own frame; `frame` is (x, y, cosine, sine of the heading)."""
    return wp.vec3(v[0] * frame[2] + v[1] * frame[3], v[1] * frame[2] - v[0] * frame[3], v[2])


@wp.func
def to_world(v: wp.vec3, frame: wp.vec4) -> wp.vec3:
    """The opposite of :func:`to_local`."""
    return wp.vec3(v[0] * frame[2] - v[1] * frame[3], v[1] * frame[2] + v[0] * frame[3], v[2])


@wp.func
def near_ball(origin: wp.vec3, direction: wp.vec3, ball: wp.vec4) -> bool:
    """Whether a ray comes near the ball (centre and radius) that holds an instance."""
    away = wp.vec3(ball[0], ball[1], ball[2]) - origin
    along = wp.dot(away, direction)
    return along > -ball[3] and wp.length_sq(away) - along * along < ball[3] * ball[3]


@wp.func
def blocked(
    start: wp.vec3,
    toward: wp.vec3,
    meshes: wp.array(dtype=wp.uint64),
    frames: wp.array(dtype=wp.vec4),
    balls: wp.array(dtype=wp.vec4),
    reach: float,
) -> bool:
    """Whether something stands between a point and the light; `reach` limits the scenery's shadows."""
    count = meshes.shape[0]
    result = bool(False)
    for k in range(count):
        if not result and near_ball(start, toward, balls[k]):
            frame = frames[k]
            origin = to_local(start - wp.vec3(frame[0], frame[1], 0.0), frame)
            far = wp.where(k == count - 1, reach, 6.0)
            result = wp.mesh_query_ray_anyhit(meshes[k], origin, to_local(toward, frame), far)
    return result


@wp.kernel
def cast(
    meshes: wp.array(dtype=wp.uint64),
    frames: wp.array(dtype=wp.vec4),
    balls: wp.array(dtype=wp.vec4),
    starts: wp.array(dtype=wp.vec4i),
    triangles: wp.array(dtype=wp.int32),
    normals: wp.array(dtype=wp.vec3),
    canon: wp.array(dtype=wp.vec3),
    kinds: wp.array(dtype=wp.int32),
    cuts: wp.array2d(dtype=float),
    mat_a: wp.array(dtype=wp.vec3),
    mat_b: wp.array(dtype=wp.vec3),
    mat_p: wp.array(dtype=wp.vec4),
    floor_a: wp.vec3,
    floor_b: wp.vec3,
    floor_p: wp.vec4,
    eye: wp.vec3,
    corner: wp.vec3,
    step_x: wp.vec3,
    step_y: wp.vec3,
    width: int,
    sun: wp.vec3,
    sun_colour: wp.vec3,
    sky: wp.vec3,
    horizon: wp.vec3,
    bounce: wp.vec3,
    spread: float,
    dapple: float,
    grain: float,
    pools: float,
    reach: float,
    rays: int,
    seed: int,
    texture_seed: int,
    out: wp.array(dtype=wp.vec3),
    seen: wp.array(dtype=wp.int32),
):
    """Colour of one sample.

    `starts` holds for each instance its first vertex, face and material, and its row of `cuts` (-1: not a person);
    `mat_p` is (pattern or texture, scale, gloss, folds). `seen` becomes 2 where the first instance is in view, 1 where
    something stands in front of it, else 0.
    """
    i = wp.tid()
    rng = wp.rand_init(seed, i)
    wall_state = wp.rand_init(texture_seed, 2)
    px = float(i % width) + wp.randf(rng)
    py = float(i / width) + wp.randf(rng)
    ray = wp.normalize(corner + step_x * px + step_y * py)

    # The nearest of the floor and the instances.
    best = float(90.0)
    hit = int(-2)
    if ray[2] < -1.0e-5 and -eye[2] / ray[2] < 90.0:
        best = -eye[2] / ray[2]
        hit = int(-1)
    count = meshes.shape[0]
    face = int(0)
    bary_u = float(0.0)
    bary_v = float(0.0)
    flat = wp.vec3(0.0, 0.0, 1.0)
    there = int(0)
    for k in range(count):
        if near_ball(eye, ray, balls[k]):
            frame = frames[k]
            query = wp.mesh_query_ray(
                meshes[k], to_local(eye - wp.vec3(frame[0], frame[1], 0.0), frame), to_local(ray, frame), best
            )
            if query.result:
                best = query.t
                hit = int(k)
                face = query.face
                bary_u = query.u
                bary_v = query.v
                flat = query.normal
                if k == 0:
                    there = int(1)
    if hit == 0:
        there = int(2)
    seen[i] = there
    if hit == -2:
        cloud = wp.noise(wall_state, wp.vec2(ray[0] * 3.0, ray[2] * 6.0))
        out[i] = horizon * (0.95 + 0.15 * cloud)
        return

    point = eye + ray * best
    normal = wp.vec3(0.0, 0.0, 1.0)
    albedo = wp.vec3(0.0, 0.0, 0.0)
    gloss = float(0.0)
    light = float(1.0)
    row = int(-1)
    if hit >= 0:
        start = starts[hit]
        frame = frames[hit]
        row = start[3]
        ia = triangles[3 * (start[1] + face)] + start[0]
        ib = triangles[3 * (start[1] + face) + 1] + start[0]
        ic = triangles[3 * (start[1] + face) + 2] + start[0]
        w = 1.0 - bary_u - bary_v
        smooth = normals[ia] * bary_u + normals[ib] * bary_v + normals[ic] * w
        kind = kinds[start[1] + face]
        local = to_local(point - wp.vec3(frame[0], frame[1], 0.0), frame)
        if row < 0:
            flat = wp.where(wp.dot(flat, to_local(ray, frame)) > 0.0, -flat, flat)
            m = start[2] + kind
            p = mat_p[m]
            u = local[0]
            v = local[1]
            if wp.abs(flat[2]) < 0.7:
                v = local[2]
                if wp.abs(flat[0]) > wp.abs(flat[1]):
                    u = local[1]
            albedo = surface(int(p[0]), u, v, p[1], mat_a[m], mat_b[m], wall_state)
            gloss = p[2]
            if wp.length_sq(smooth) > 0.25:
                flat = wp.normalize(smooth)
            normal = to_world(flat, frame)
            if wp.abs(normal[2]) < 0.7:
                light = 0.72 + 0.28 * wp.min(point[2] / 0.8, 1.0)
        else:
            c = canon[ia] * bary_u + canon[ib] * bary_v + canon[ic] * w
            cloth_state = wp.rand_init(int(cuts[row, FABRIC_SEED]), 1)
            part = resolve(kind, c, cuts, row)
            m = start[2] + part
            p = mat_p[m]
            albedo = fabric(int(p[0]), p[1], kind, part, c, mat_a[m], mat_b[m], cuts, row, cloth_state)
            gloss = p[2]
            if kind >= 16 and wp.dot(flat, to_local(ray, frame)) > 0.0:  # the inside of something thin
                smooth = -smooth
            if p[3] > 0.0:  # folds: across the limbs, and some along them
                across = wp.noise(cloth_state, wp.vec3(c[0] * 9.0, c[1] * 9.0, c[2] * 26.0))
                along = wp.noise(cloth_state, wp.vec3(c[0] * 28.0, c[1] * 28.0, c[2] * 7.0))
                smooth = wp.normalize(smooth) + wp.vec3(along, along, across * 1.2) * p[3]
            normal = wp.normalize(to_world(smooth, frame))
            # Ambient light is blocked by the body itself: one ray into the hemisphere.
            probe = wp.normalize(normal + wp.sample_unit_sphere_surface(rng))
            near = wp.mesh_query_ray(meshes[hit], local + to_local(normal, frame) * 0.004, to_local(probe, frame), 0.5)
            if near.result:
                light = 0.45 + 0.55 * near.t / 0.5
        if wp.dot(normal, ray) > 0.0:
            normal = wp.normalize(normal - ray * (1.02 * wp.dot(normal, ray)))
    else:
        albedo = surface(int(floor_p[0]), point[0], point[1], floor_p[1], floor_a, floor_b, wall_state)
        gloss = floor_p[2]
    if row < 0 and point[2] < 0.5:
        for k in range(count - 1):  # what stands on the floor darkens it
            gap = wp.vec2(point[0] - frames[k][0], point[1] - frames[k][1])
            light = light * (1.0 - 0.5 * wp.exp(-(wp.length_sq(gap) + point[2] * point[2]) / 0.12))

    # Rays to points spread evenly over the lamp (or the bright part of the sky).
    side = wp.normalize(wp.cross(sun, wp.vec3(0.3, 0.1, 0.95)))
    other = wp.cross(sun, side)
    turn = wp.randf(rng)
    direct = wp.vec3(0.0, 0.0, 0.0)
    origin = point + normal * 0.006
    for k in range(rays):
        angle = 6.2831853 * (float(k) + turn) / float(rays)
        wide = spread * wp.sqrt(wp.randf(rng))
        toward = wp.normalize(sun + side * (wp.cos(angle) * wide) + other * (wp.sin(angle) * wide))
        facing = wp.dot(normal, toward)
        if facing > 0.0 and not blocked(origin, toward, meshes, frames, balls, reach):
            half = wp.normalize(toward - ray)
            shine = gloss * wp.pow(wp.max(wp.dot(half, normal), 0.0), 24.0)
            direct = direct + sun_colour * (facing + shine / wp.max(albedo[0] + albedo[1] + albedo[2], 0.12))
    direct = direct / float(rays)
    ground = wp.vec2(
        point[0] - sun[0] * point[2] / wp.max(sun[2], 0.2), point[1] - sun[1] * point[2] / wp.max(sun[2], 0.2)
    )
    if dapple > 0.0:
        patch = wp.noise(wall_state, ground * (1.0 / grain)) + 0.5 * wp.noise(wall_state, ground * (2.3 / grain))
        direct = direct * (1.0 - dapple * wp.smoothstep(-0.12, 0.12, patch))
    up = 0.5 + 0.5 * normal[2]
    ambient = (sky * up + bounce * (1.0 - up)) * light
    total = direct + ambient
    if pools > 0.0:
        total = total * (1.0 - pools * (0.5 + 0.5 * wp.sin(point[0] * 1.7) * wp.sin(point[1] * 1.5 + 0.8)))
    out[i] = wp.cw_mul(albedo, total)


@wp.kernel
def sight(mesh: wp.uint64, eye: wp.vec3, points: wp.array(dtype=wp.vec3), out: wp.array(dtype=wp.int32)):
    """1 where nothing of the mesh stands between the eye and a point, else 0."""
    i = wp.tid()
    way = points[i] - eye
    far = wp.length(way)
    out[i] = wp.where(wp.mesh_query_ray_anyhit(mesh, eye, way / far, far), 0, 1)
