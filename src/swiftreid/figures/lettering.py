"""Text on pictures: one font, and text cut or wrapped to the room there is."""

from __future__ import annotations

from bisect import bisect_right
from functools import cache
from typing import Any

from PIL import ImageFont


@cache
def font(size: int) -> Any:
    """Pillow's own scalable font (it has two types for it, depending on how Pillow was built)."""
    return ImageFont.load_default(size)


def wrapped(text: str, room: int, size: int, most: int) -> list[str]:
    """The text in as few lines as fit ``room`` pixels, broken at spaces and line ends; at most ``most`` of them."""
    letters, lines = font(size), [""]
    for paragraph in text.splitlines():
        for word in paragraph.split():
            longer = f"{lines[-1]} {word}".strip()
            if lines[-1] and letters.getlength(longer) > room and len(lines) < most:
                lines.append(word)
            else:
                lines[-1] = longer
        if len(lines) < most:
            lines.append("")
    return [line for line in lines if line]


def fitted(text: str, room: int, size: int) -> str:
    """The text, shortened with an ellipsis to ``room`` pixels."""
    letters = font(size)
    if letters.getlength(text) <= room:
        return text
    kept = bisect_right(range(len(text)), room, key=lambda length: letters.getlength(text[:length] + "…"))
    return text[: max(kept - 1, 0)] + "…"
