"""Words that several findings share: where a split lies, how many there are, and a few names of many."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from swiftreid.data.market import FOLDERS
from swiftreid.data.samples import ReidData, SplitName

_EXAMPLES = 3

PURPOSE: dict[SplitName, str] = {"train": "learn from", "query": "look for", "gallery": "look among"}


def has_market_folders(root: Path) -> bool:
    """Whether splits are folders of the Market-1501 layout."""
    if (root / "gallery").is_dir():  # beside a folder query, one folder per person
        return (root / FOLDERS["gallery"]).is_dir()
    return any((root / folder).is_dir() for folder in FOLDERS.values())


def place_of(data: ReidData, split: SplitName) -> str:
    """Where a split's pictures are: its folder's name, or the split's own."""
    return FOLDERS[split] if has_market_folders(data.root) else f"the split {split}"


def count(number: int, one: str, many: str = "") -> str:
    """A number and its noun.

    Example:
        >>> count(1, "person", "people"), count(1200, "picture")
        ('1 person', '1,200 pictures')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def some(names: Iterable[str], between: str = ", ") -> str:
    """The first three names, and how many more there are."""
    listed = list(names)
    rest = f"{between}and {len(listed) - _EXAMPLES} more" if len(listed) > _EXAMPLES else ""
    return between.join(listed[:_EXAMPLES]) + rest
