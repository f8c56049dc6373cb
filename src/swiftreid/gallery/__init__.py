"""What lasts: the durable store of entries. Never imports torch."""

from __future__ import annotations

from swiftreid.gallery.catalogue import Catalogue, CatalogueView
from swiftreid.gallery.compaction import CompactReport
from swiftreid.gallery.entries import Entry, StoredEntry, valid_text
from swiftreid.gallery.errors import (
    BadEntry,
    DuplicateIds,
    EntriesChanged,
    EntriesHeld,
    EntryNotFound,
    GalleryBusy,
    GalleryDamaged,
    GalleryError,
    GalleryFull,
    GalleryPermission,
    GalleryReencoded,
    NewerFormat,
    NotAGallery,
    OlderFormat,
    OtherEncoder,
    UnfinishedReencoding,
)
from swiftreid.gallery.info import GalleryInfo
from swiftreid.gallery.meta import Embedding
from swiftreid.gallery.reencoding import Reencoding, Waiting
from swiftreid.gallery.rights import GalleryOpenToOthers
from swiftreid.gallery.segment_store import SegmentStore
from swiftreid.gallery.snapshot import Snapshot, SnapshotBatch
from swiftreid.gallery.store import Gallery
from swiftreid.gallery.verify import VerifyReport
from swiftreid.gallery.versions import VersionInfo
from swiftreid.gallery.writer import Discarded, Written

__all__ = [
    "BadEntry",
    "Catalogue",
    "CatalogueView",
    "CompactReport",
    "Discarded",
    "DuplicateIds",
    "Embedding",
    "EntriesChanged",
    "EntriesHeld",
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
    "GalleryReencoded",
    "NewerFormat",
    "NotAGallery",
    "OlderFormat",
    "OtherEncoder",
    "Reencoding",
    "SegmentStore",
    "Snapshot",
    "SnapshotBatch",
    "StoredEntry",
    "UnfinishedReencoding",
    "VerifyReport",
    "VersionInfo",
    "Waiting",
    "Written",
    "valid_text",
]
