"""What makes rendered pictures hard, by name, each of which can be left out to see what it is good for."""

from __future__ import annotations

from collections.abc import Iterable

from swiftreid.errors import UsageError

INGREDIENTS: dict[str, str] = {
    "backgrounds": "streets, shops, halls, lawns and car parks; without: one empty grey place",
    "light": "hours, weather, shadows, and each camera's own colours; without: one even noon and neutral colours",
    "occlusion": "other people and things in front, beside and behind; without: everybody alone",
    "patterns": "stripes, checks, prints, logos, blocks of colour; without: plain cloth",
    "crops": "errors of the person detector; without: every window fits",
    "wear": "low resolution, blur, noise, sharpening and compression; without: clean pictures",
}
"""Name -> what it is, and what is there without it."""


def check_ingredients(names: Iterable[str]) -> tuple[str, ...]:
    """The names once each, in the order of :data:`INGREDIENTS`.

    Raises:
        UsageError: a name is not an ingredient's.
    """
    wanted = [name.strip() for name in names if name.strip()]
    for name in wanted:
        if name not in INGREDIENTS:
            raise UsageError(f"{name!r} is no ingredient of rendered pictures; choose among {', '.join(INGREDIENTS)}")
    return tuple(name for name in INGREDIENTS if name in wanted)
