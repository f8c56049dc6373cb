"""Write the files that are made from other files of this repository: `make generated`; tests compare them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import swiftreid
from papers import papers_page
from reference import reference

ROOT = Path(__file__).resolve().parents[1]
HEAD = '"""The types of the names that `__init__.py` imports late. Made from its table by `make generated`."""'


def public_stub() -> str:
    """`__init__.pyi`: the public names of the table in `__init__.py` as imports, so that type checkers know them."""
    rooms: dict[str, list[str]] = vars(swiftreid)["_ROOMS"]
    lines = [f"from {module} import {name} as {name}" for module in sorted(rooms) for name in sorted(rooms[module])]
    return "\n".join([HEAD, "", *lines, "", "__version__: str", ""])


GENERATED: dict[str, Callable[[], str]] = {
    "src/swiftreid/__init__.pyi": public_stub,
    "docs/reference.md": reference,
    "docs/papers.md": papers_page,
}
"""Each generated file, by its path in the repository, and what makes its text."""


def main() -> int:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description="Write the files that are made from other files of this repository.")
    parser.add_argument("--check", action="store_true", help="Write nothing; exit code 1 if one differs.")
    check = parser.parse_args().check
    stale = False
    for name, made in GENERATED.items():
        path, text = ROOT / name, made()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            stale = True
            print(f"{name} {'differs; run `make generated`' if check else 'written'}")
            if not check:
                path.write_text(text, encoding="utf-8")
    return int(check and stale)


if __name__ == "__main__":
    sys.exit(main())
