"""A query: one person, by pictures, vectors, codes, entries, a description, or several of these."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypedDict

import numpy as np
from numpy.typing import NDArray

from swiftreid.encoding.crops import Colour
from swiftreid.errors import UsageError
from swiftreid.gallery.filters import Filters
from swiftreid.gallery.ids import listed_ids
from swiftreid.reranking.reciprocal import Reciprocal
from swiftreid.search.cascade import Cascade
from swiftreid.search.numbers import whole_number

Picture: TypeAlias = Path | str | NDArray[np.uint8]
"""A picture: its file, or its pixels, uint8 [height, width, 3]."""

Threshold: TypeAlias = float | Literal["calibrated"] | None
"""Largest distance of the same person in bits of the last code, or the encoder's calibrated one, or no decision."""


@dataclass(frozen=True)
class PersonDescription:
    """A person in words of the encoder's attributes; all conditions must hold.

    Attributes:
        has: attributes that the person has, such as ``backpack``.
        upper: colours or patterns of the upper garment, such as ``red``.
        lower: the same of the lower garment.
        lacks: attributes that the person does not have.

    Raises:
        UsageError: it is empty, or one of these is one text and not a list.
    """

    has: Sequence[str] = ()
    upper: Sequence[str] = ()
    lower: Sequence[str] = ()
    lacks: Sequence[str] = ()

    def __post_init__(self) -> None:
        for name in ("has", "upper", "lower", "lacks"):
            words = getattr(self, name)
            if isinstance(words, str):
                raise UsageError(f"{name} is a list of words: write {name}=[{words!r}]")
            listed = tuple(words) if isinstance(words, Iterable) else (words,)
            if not all(isinstance(word, str) for word in listed):
                raise UsageError(f"{name} is a list of words, not {words!r}")
            object.__setattr__(self, name, listed)
        if not (self.has or self.upper or self.lower or self.lacks):
            raise UsageError("a description names at least one attribute that a person has or does not have")


@dataclass(frozen=True, eq=False)
class Query:
    """One person to look for.

    Pictures, vectors, codes and entries of one query show the same person and are searched as one, by the majority of
    each bit of their codes. A description narrows the search to entries that pass it; alone, it ranks all entries.

    Attributes:
        pictures: files, or pixels uint8 [height, width, 3] of any size; one, or a list.
        colour: order of the channels of pixels.
        vectors: embeddings from the encoder's network or your own: float [d]; or float [n, d], n of one person.
        codes: packed codes by name, uint8 [n, row bytes]; at least those that the search compares.
        ids: entries of the gallery; they are left out of the answer. This needs no encoder.
        description: what is known of the person's looks.
        k: how many hits.
        cascade: how to search, such as ``"id32<=11 > id2048"``; by default the encoder's calibrated cascade, or
            exhaustive search by its longest code where it has none.
        exact: compare the longest code with every entry.
        filters: which entries to search.
        threshold: the largest distance of the same person; None for no decision.
        reranking: order the first 1,000 hits by their k-reciprocal neighbours among themselves.
        name: of the query; by default the file's name, the entry's id or the description.
        person: the query's person, where known: then hits are marked right or wrong.
        camera: of the pictures, for ``Filters.other_cameras``; by default taken from files' names and entries.
        thumbnails: how many hits bring their thumbnail.

    Raises:
        UsageError: the query is empty, or its fields exclude each other.

    Example:
        >>> query = Query(ids=["a.jpg", "b.jpg"], k=5, filters=Filters(not_cameras=["door"]))
        >>> query.k, query.ids
        (5, ('a.jpg', 'b.jpg'))
    """

    pictures: Picture | Sequence[Picture] = ()
    colour: Colour = "rgb"
    vectors: NDArray[np.floating[Any]] | None = None
    codes: Mapping[str, NDArray[np.uint8]] | None = None
    ids: str | Sequence[str] = ()
    description: PersonDescription | None = None
    k: int = 10
    cascade: Cascade | str | None = None
    exact: bool = False
    filters: Filters = field(default_factory=Filters)
    threshold: Threshold = "calibrated"
    reranking: Reciprocal | None = None
    name: str | None = None
    person: str | None = None
    camera: str | None = None
    thumbnails: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "pictures", pictures_of(self.pictures, self.colour))
        ids = (self.ids,) if isinstance(self.ids, str) else tuple(listed_ids(self.ids, "a query"))
        object.__setattr__(self, "ids", ids)
        check_type("filters", self.filters, Filters, "Filters(cameras=[...])")
        check_type("description", self.description, (PersonDescription, type(None)), "PersonDescription(has=[...])")
        check_type("codes", self.codes, (Mapping, type(None)), "{'id128': codes}")
        check_type("reranking", self.reranking, (Reciprocal, type(None)), "Reciprocal()")
        for name in ("name", "person", "camera"):
            check_type(name, getattr(self, name), (str, type(None)), "'...'")
        whole_number("k", self.k, 1)
        whole_number("thumbnails", self.thumbnails, 0)
        if isinstance(self.cascade, str):
            object.__setattr__(self, "cascade", Cascade.parse(self.cascade))
        if self.exact and self.cascade is not None:
            raise UsageError("exact search has no cascade: give one of the two")
        threshold: object = self.threshold
        if isinstance(threshold, (np.integer, np.floating)):
            object.__setattr__(self, "threshold", threshold.item())  # an answer in plain values can be stored as JSON
        elif isinstance(threshold, bool) or not (
            threshold is None
            or isinstance(threshold, (int, float))
            or (isinstance(threshold, str) and threshold == "calibrated")
        ):
            raise UsageError(f"a threshold is a distance in bits, 'calibrated' or None, not {threshold!r}")
        if self.by_looks:
            return
        if self.description is None:
            raise UsageError("a query needs pictures, vectors, codes, ids or a description")
        if self.reranking or self.cascade is not None or self.exact or isinstance(self.threshold, (int, float)):
            raise UsageError(
                "a description alone is one attribute stage: leave out re-ranking, a cascade, exact search and a "
                "same-person threshold, or add a query picture"
            )

    @property
    def by_looks(self) -> bool:
        """Whether it compares codes of pictures, and not a description alone."""
        return bool(self.pictures or self.ids or self.vectors is not None or self.codes is not None)


def pictures_of(pictures: Any, colour: Colour) -> tuple[Picture, ...]:
    """One picture, or several, in a tuple.

    Raises:
        UsageError: something is neither a file nor an array, or ``colour`` is given for files.
    """
    if colour not in ("rgb", "bgr"):
        raise UsageError(f"colour is 'rgb' or 'bgr', not {colour!r}")
    if isinstance(pictures, np.ndarray) and pictures.ndim < 3:
        advice = (
            "give embeddings as vectors=, in float32" if pictures.dtype != np.uint8 else "a grey one needs 3 channels"
        )
        raise UsageError(
            f"{pictures.dtype} {pictures.shape} is no picture, which is uint8 [height, width, 3]: {advice}"
        )
    one = isinstance(pictures, (str, Path)) or (isinstance(pictures, np.ndarray) and pictures.ndim == 3)
    try:
        listed = (pictures,) if one else tuple(pictures)
    except TypeError:
        listed = (pictures,)
    for picture in listed:
        if isinstance(picture, (str, Path)):
            if colour != "rgb":
                raise UsageError("colour='bgr' is for arrays of pixels; files state their own order: leave colour out")
        elif not isinstance(picture, np.ndarray):
            raise UsageError(
                f"a picture is a file or a uint8 array [height, width, 3], not {type(picture).__name__}: for a Pillow "
                "image give numpy.asarray(image.convert('RGB'))"
            )
    return listed


def check_type(name: str, value: object, kinds: type | tuple[type, ...], example: str) -> None:
    """Raise a `UsageError`, with an example, if an argument is of another type."""
    if not isinstance(value, kinds):
        raise UsageError(f"{name} got {type(value).__name__}: write {name}={example}")


class QueryOptions(TypedDict, total=False):
    """The fields of a `Query`, as keyword arguments."""

    pictures: Picture | Sequence[Picture]
    colour: Colour
    vectors: NDArray[np.floating[Any]] | None
    codes: Mapping[str, NDArray[np.uint8]] | None
    ids: str | Sequence[str]
    description: PersonDescription | None
    k: int
    cascade: Cascade | str | None
    exact: bool
    filters: Filters
    threshold: Threshold
    reranking: Reciprocal | None
    name: str | None
    person: str | None
    camera: str | None
    thumbnails: int


AnyQuery: TypeAlias = Query | Picture | NDArray[np.floating[Any]] | Sequence[Picture] | None
"""A `Query`; a picture, or several of one person; a vector, float [d]; or nothing, where options give the query."""


def query_of(query: AnyQuery, options: Mapping[str, Any]) -> Query:
    """A `Query`; or one of pictures, a vector or nothing, with the other fields.

    Raises:
        UsageError: options came with a `Query`, one is not known, or the query makes no sense.
    """
    unknown = sorted(set(options) - set(QueryOptions.__annotations__))
    if unknown:
        raise UsageError(
            f"a query has no {unknown[0]!r}: it has {', '.join(QueryOptions.__annotations__)}; k is the number of hits"
        )
    if isinstance(query, Query):
        if options:
            raise UsageError(f"{', '.join(options)}: give them to the Query")
        return query
    given: Any = query
    if given is None:
        return Query(**options)
    if isinstance(given, np.ndarray) and given.dtype.kind == "f" and given.ndim < 3:
        if options.get("vectors") is not None:
            raise UsageError("give vectors once: as the query, or as vectors=")
        return Query(**{**options, "vectors": given})
    if "pictures" in options:
        raise UsageError("give pictures once: as the query, or as pictures=")
    return Query(pictures=given, **options)
