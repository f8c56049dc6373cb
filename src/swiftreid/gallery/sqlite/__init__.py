"""The embedded catalogue: one SQLite database in the gallery's folder. No other module knows SQLite."""

from __future__ import annotations

from swiftreid.gallery.sqlite.catalogue import SqliteCatalogue
from swiftreid.gallery.sqlite.connection import DATABASE
from swiftreid.gallery.sqlite.schema import create_database

__all__ = ["DATABASE", "SqliteCatalogue", "create_database"]
