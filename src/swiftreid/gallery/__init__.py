"""What lasts: the durable store of entries. Never imports torch."""

from __future__ import annotations

from swiftreid.gallery.compaction import CompactReport
from swiftreid.gallery.entries import Entry, StoredEntry
from swiftreid.gallery.errors import (
    BadEntry,
    DuplicateIds,
    EntryNotFound,
    GalleryBusy,
    GalleryDamaged,
    GalleryError,
    GalleryFull,
    GalleryPermission,
    NewerFormat,
    NotAGallery,
    OtherEncoder,
)
from swiftreid.gallery.info import GalleryInfo
from swiftreid.gallery.rights import GalleryOpenToOthers
from swiftreid.gallery.snapshot import Snapshot
from swiftreid.gallery.store import Gallery
from swiftreid.gallery.verify import VerifyReport

__all__ = [
    "BadEntry",
    "CompactReport",
    "DuplicateIds",
    "Entry",
    "EntryNotFound",
    "Gallery",
    "GalleryBusy",
    "GalleryDamaged",
    "GalleryError",
    "GalleryFull",
    "GalleryInfo",
    "GalleryOpenToOthers",
    "GalleryPermission",
    "NewerFormat",
    "NotAGallery",
    "OtherEncoder",
    "Snapshot",
    "StoredEntry",
    "VerifyReport",
]
