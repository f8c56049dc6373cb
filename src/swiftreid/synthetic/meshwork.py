"""Work on meshes that is too slow in NumPy: relaxing a surface and moving it with its bones.

Imported only once the ``synthetic`` extra is known to be there.
"""

from __future__ import annotations

# Compiled by warp; see textures.py.
# mypy: ignore-errors
# ruff: noqa: PLR0917
import warp as wp

wp.set_module_options({"enable_backward": False})


@wp.kernel
def relax(
    points: wp.array(dtype=wp.vec3d),
    first: wp.array(dtype=wp.int32),
    neighbours: wp.array(dtype=wp.int32),
    chosen: wp.array(dtype=wp.int32),
    amount: wp.array(dtype=wp.float64),
    out: wp.array(dtype=wp.vec3d),
):
    """Move `chosen` points towards the mean of their neighbours, which are `neighbours[first[v]:first[v + 1]]`."""
    i = wp.tid()
    v = chosen[i]
    total = wp.vec3d()
    for k in range(first[v], first[v + 1]):
        total += points[neighbours[k]]
    count = wp.float64(first[v + 1] - first[v])
    out[v] = points[v] + amount[v] * (total / count - points[v])


@wp.kernel
def bend(
    points: wp.array(dtype=wp.vec3),
    normals: wp.array(dtype=wp.vec3),
    weights: wp.array2d(dtype=float),
    bones: wp.array2d(dtype=wp.int32),
    motions: wp.array(dtype=wp.mat44),
    out_points: wp.array(dtype=wp.vec3),
    out_normals: wp.array(dtype=wp.vec3),
):
    """Linear blend skinning of points and normals; the weights of a point fall, and 0 ends them."""
    i = wp.tid()
    blended = wp.mat44()
    for k in range(weights.shape[1]):
        weight = weights[i, k]
        if weight > 0.0:
            blended += motions[bones[i, k]] * weight
    out_points[i] = wp.transform_point(blended, points[i])
    out_normals[i] = wp.normalize(wp.transform_vector(blended, normals[i]))
