"""Whether two folders hold the same result cards: every figure to the digit, but for times, dates and versions.

A change that should change no figure is checked so: `swiftreid evaluate --card` writes the cards of the same data sets
and encoders into one folder before it, and into another after it. Cards go together by the names of their files; one
that only one folder holds is a difference too. The exit code is 1 where anything differs.

    python studies/same_cards.py cards-before cards-after
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

LEFT_OUT = ("created", "software", "run")
"""Fields of a card that say when and with what it was made."""

TIMES = ("microseconds", "speed_up")
"""What names of fields have in them that hold times, or ratios of times."""


def differences(old: Any, new: Any, place: str = "") -> Iterator[str]:
    """Where two JSON values differ, each as a line; fields that hold times are passed over."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            if any(part in name for part in TIMES) or (not place and name in LEFT_OUT):
                continue
            inner = f"{place}.{name}" if place else name
            if name not in old or name not in new:
                yield f"{inner}: only in the {'new' if name in new else 'old'} card"
            else:
                yield from differences(old[name], new[name], inner)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for number, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differences(one, other, f"{place}[{number}]")
    elif old != new:
        yield f"{place}: {old!r:.60} and {new!r:.60}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path, help="Folder of result cards.")
    parser.add_argument("new", type=Path, help="Another.")
    args = parser.parse_args()
    old, new = ({path.name: path for path in folder.glob("*.json")} for folder in (args.old, args.new))
    if not old:
        sys.exit(f"error: {args.old} holds no result card")
    found = [f"{name}: only in {args.new if name in new else args.old}" for name in sorted(old.keys() ^ new.keys())]
    for name in sorted(old.keys() & new.keys()):
        cards = [json.loads(paths[name].read_text(encoding="utf-8")) for paths in (old, new)]
        found += [f"{name}: {line}" for line in differences(*cards)]
    print("\n".join(found) or f"{len(old)} cards, all figures the same")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
