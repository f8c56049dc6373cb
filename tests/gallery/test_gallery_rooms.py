"""Who knows what inside the room."""

from __future__ import annotations

import ast
from pathlib import Path

import swiftreid
from swiftreid.gallery import Catalogue, CatalogueView, Gallery, SegmentStore

ROOM = Path(swiftreid.__file__).parent / "gallery"


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_only_the_embedded_catalogue_knows_sqlite() -> None:
    package = Path(swiftreid.__file__).parent
    users = {path.relative_to(package).as_posix() for path in package.rglob("*.py") if "apsw" in imports(path)}
    assert users
    assert {Path(user).parent.as_posix() for user in users} == {"gallery/sqlite"}


def test_what_works_over_both_interfaces_knows_neither_sqlite_nor_files_of_segments() -> None:
    over = ("sealing", "compaction", "verify", "snapshot", "view", "tail", "reader", "writer", "info", "segments")
    for name in over:
        known = imports(ROOM / f"{name}.py")
        assert not {m for m in known if "sqlite" in m or m.endswith("local_segments")}, name


def public(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


def test_the_embedded_catalogue_and_store_have_what_the_interfaces_ask_for(gallery: Gallery) -> None:
    view = gallery._catalogue.view("looking")
    assert public(Catalogue) <= set(dir(gallery._catalogue))
    assert public(CatalogueView) <= set(dir(view))
    assert public(SegmentStore) <= set(dir(gallery._reader._store))
    view.close()
