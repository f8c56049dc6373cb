"""Numbers that the wardrobe, the scenery and the ray caster agree on: body parts, materials, patterns, textures."""

from __future__ import annotations

# Face kinds below 16 are body parts, whose material depends on the outfit; 16 + m is material m itself.
HEAD, TORSO, ARM, HAND, LEG, FOOT, EYE = 0, 1, 2, 3, 4, 5, 6
# Materials of a figure.
SKIN, UPPER, LOWER, SHOES, HAIR, HAT, BACKPACK, HANDBAG, EYES, LIPS, SOLE, INNER, STRAP, BROW, CARRIED, SCARF = range(
    16
)
MATERIALS = 16
# Entries of the outfit vector `cut`.
SLEEVE, HEM, LEG_HEM, OPEN, NECK, STRAPS, SHOE_TOP, SOLE_TOP, FABRIC_SEED, BLOCK_STYLE, LOGO_STYLE, SIDE_STRIPE = range(
    12
)
BELT = 12
CUTS = 13
# Patterns of a material of a figure.
PLAIN, STRIPES, CHECKS, LOGO, PINSTRIPES, BLOCK, DENIM, PRINT, PUFFER, KNIT = range(10)
# Textures of floors, walls and things.
CONCRETE, TILES, BRICK, PLANKS, ASPHALT, WINDOWS, SHUTTER, LEAVES, POSTER, PANELS = range(10)
GRASS, PAVERS, SHOPFRONT, FACADE, GRAVEL, SMOOTH, BAYS, MURAL, BARS, CARPET = range(10, 20)
