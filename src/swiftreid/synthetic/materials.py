"""Numbers that the wardrobe, the scene and the ray caster agree on: body parts, materials, patterns, textures."""

from __future__ import annotations

# Face kinds below 16 are body parts, whose material depends on the outfit; 16 + m is material m itself.
HEAD, TORSO, ARM, HAND, LEG, FOOT, EYE = 0, 1, 2, 3, 4, 5, 6
# Materials.
SKIN, UPPER, LOWER, SHOES, HAIR, HAT, BACKPACK, HANDBAG, EYES, LIPS, SOLE, INNER, STRAP, BROW = range(14)
MATERIALS = 14
# Entries of the outfit vector `cut`.
SLEEVE, HEM, LEG_HEM, OPEN, NECK, STRAPS, SHOE_TOP, SOLE_TOP, FABRIC_SEED = range(9)
CUTS = 9
# Patterns of a material.
PLAIN, STRIPES, CHECKS, LOGO, PINSTRIPES, BLOCK, DENIM = range(7)
# Textures of floors and walls.
CONCRETE, TILES, BRICK, PLANKS, ASPHALT, WINDOWS, SHUTTER, LEAVES, POSTER, PANELS = range(10)
