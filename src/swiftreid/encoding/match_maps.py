"""Why are two pictures near or far? Which regions agree, which differ, and which an attribute was read off.

One patch after the other is covered and the picture encoded again (`swiftreid.encoding.covering`). Where that raises
the distance of two pictures they agree; where it lowers it they differ. This is about the encoder, not about the
people: a map shows what moved the codes, be it a coat or a wall.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.pictures import resize
from swiftreid.encoding.covering import Covering, Windows
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.encoding import Encoding
from swiftreid.errors import UsageError
from swiftreid.evaluation.embeddings import unit_length
from swiftreid.progress import Progress, no_progress
from swiftreid.search.codes import bits_of, unpack_bits
from swiftreid.search.description import Description, attribute_names
from swiftreid.search.stages import EMBEDDING

USUAL: Final = Covering()
"""Patches of a quarter of the shorter side, every half patch, covered with the mean colour."""


@dataclass(frozen=True)
class PictureMap:
    """What covering each patch of one picture changed.

    Attributes:
        windows: the patches, in pixels of the picture as the encoder takes it.
        changes: one number a patch, float32 [rows of patches, columns of patches].
    """

    windows: Windows
    changes: NDArray[np.float32]

    @property
    def pixels(self) -> NDArray[np.float32]:
        """For each pixel the mean change of the patches that hold it, float32 [height, width]."""
        return self.windows.spread(self.changes)


@dataclass(frozen=True)
class MatchMap:
    """Where two pictures agree (changes above 0: covering it moves them apart) and differ (below 0).

    Attributes:
        distance: of the two pictures, in ``unit``.
        unit: ``bits``, or ``cosine`` for the cosine distance of embeddings.
        query: changes of the distance when patches of the query are covered.
        candidate: the same of the candidate.
    """

    distance: float
    unit: str
    query: PictureMap
    candidate: PictureMap


@dataclass(frozen=True)
class AttributeMap:
    """What an attribute of one picture was read off.

    Attributes:
        name: of the attribute.
        value: the number behind its bit (a logit): above 0 the picture has it.
        map: how far covering a patch moves that number against the answer: above 0 the patch speaks for the answer,
            below 0 against it.
    """

    name: str
    value: float
    map: PictureMap


@dataclass(frozen=True)
class _Measure:
    """A distance ``(length - a.b) * factor`` of rows of squared length ``length``.

    Of rows of +1 and -1 that is the Hamming distance, exactly: products of so few ones are whole numbers in float32.
    """

    unit: str
    length: int
    factor: float
    rows: Callable[[Encoding], NDArray[np.float32]]

    def distances(self, rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
        """float32 [n, m] and [k, m] -> [n, k]."""
        found: NDArray[np.float32] = (np.float32(self.length) - rows @ others.T) * np.float32(self.factor)
        return found


def match_maps(
    encoder: Encoder,
    query: NDArray[np.uint8],
    candidates: Sequence[NDArray[np.uint8]],
    *,
    code: str | None = None,
    fine: bool = False,
    covering: Covering = USUAL,
    progress: Progress = no_progress,
) -> list[MatchMap]:
    """Where a query and each of some candidates agree and differ, by an encoder's code or embedding.

    Args:
        encoder: any encoder.
        query: uint8 [h, w, 3] RGB of any size; it is scaled to the encoder's.
        candidates: pictures of the same kind.
        code: one of the encoder's codes, or ``embedding`` for the cosine distance; None: the code that results are
            ordered by.
        fine: compare the numbers behind the bits instead of the bits: ``bits / 2 * (1 - cosine)``, which is the
            Hamming distance where these numbers are +1 and -1. Short codes change by few bits, or by none.
        covering: how patches are laid and covered.
        progress: takes covered copies encoded and copies in all.

    Returns:
        One map a candidate.

    Raises:
        UsageError: there is no such code, ``fine`` without an embedding, or pictures or patches that do not fit.

    Example:
        >>> from swiftreid import open_encoder, read_picture
        >>> places = [f"examples/station/{name}.jpg" for name in (
        ...     "query/0004_c1s3_052497_01", "bounding_box_test/0004_c2s2_084013_01")]
        >>> one, other = map(read_picture, places)
        >>> [match] = match_maps(open_encoder("stripes"), one, [other])
        >>> match.query.pixels.shape
        (128, 64)
    """
    measure = _measure(encoder, code, fine=fine)
    if not candidates:
        return []
    pictures = [_scaled(encoder, picture) for picture in (query, *candidates)]
    rows = measure.rows(encoder.encode(np.stack(pictures)))
    distances = measure.distances(rows[:1], rows[1:])[0]
    windows = covering.windows(*encoder.size)
    count = _Counter(len(pictures) * len(windows), progress)

    def changes(picture: NDArray[np.uint8], others: NDArray[np.float32], were: NDArray[np.float32]) -> list[PictureMap]:
        covered = _covered(encoder, picture, covering, count)
        return _maps(windows, np.concatenate([measure.distances(measure.rows(e), others) for e in covered]) - were)

    of_query = changes(pictures[0], rows[1:], distances)
    of_candidates = [changes(each, rows[:1], distances[i : i + 1])[0] for i, each in enumerate(pictures[1:])]
    return [
        MatchMap(float(distance), measure.unit, one, other)
        for distance, one, other in zip(distances, of_query, of_candidates, strict=True)
    ]


def dependence_map(
    encoder: Encoder,
    picture: NDArray[np.uint8],
    *,
    code: str | None = None,
    fine: bool = False,
    covering: Covering = USUAL,
    progress: Progress = no_progress,
) -> PictureMap:
    """What a picture's code depends on: its distance, never below 0, from the same picture with a patch covered.

    Args:
        encoder: any encoder.
        picture: uint8 [h, w, 3] RGB of any size.
        code: as for `match_maps`.
        fine: as for `match_maps`.
        covering: how patches are laid and covered.
        progress: takes covered copies encoded and copies in all.

    Raises:
        UsageError: as for `match_maps`.
    """
    measure = _measure(encoder, code, fine=fine)
    scaled = _scaled(encoder, picture)
    itself = measure.rows(encoder.encode(scaled[None]))
    windows = covering.windows(*encoder.size)
    count = _Counter(len(windows), progress)
    moved = [measure.distances(measure.rows(e), itself) for e in _covered(encoder, scaled, covering, count)]
    return _maps(windows, np.maximum(np.concatenate(moved), 0))[0]  # rounding may bring equal vectors below 0


def attribute_maps(
    encoder: Encoder,
    picture: NDArray[np.uint8],
    names: Sequence[str],
    *,
    covering: Covering = USUAL,
    progress: Progress = no_progress,
) -> list[AttributeMap]:
    """What some attributes of a picture were read off.

    Args:
        encoder: one that predicts attributes (``encoder.card.attributes``).
        picture: uint8 [h, w, 3] RGB of any size.
        names: of the attributes, as on the encoder's card or as `Description.of` takes them for ``has``.
        covering: how patches are laid and covered.
        progress: takes covered copies encoded and copies in all.

    Returns:
        One map an attribute, called as on the card.

    Raises:
        UsageError: the encoder predicts no attributes, or none of such a name; or pictures or patches that do not fit.
    """
    bit_names = [_attribute_named(encoder, name) for name in names]
    bits = [encoder.card.attributes.index(name) for name in bit_names]
    code = f"attr{len(encoder.card.attributes)}"

    def logits(encoding: Encoding) -> NDArray[np.float32]:
        return _values(encoder, encoding, code)[:, bits]

    scaled = _scaled(encoder, picture)
    answers = logits(encoder.encode(scaled[None]))
    windows = covering.windows(*encoder.size)
    count = _Counter(len(windows), progress)
    covered = np.concatenate([logits(encoding) for encoding in _covered(encoder, scaled, covering, count)])
    against = (answers - covered) * np.where(answers > 0, np.float32(1), np.float32(-1))
    return [
        AttributeMap(name, float(answer), found)
        for name, answer, found in zip(bit_names, answers[0], _maps(windows, against), strict=True)
    ]


class _Counter:
    """Counts covered copies over several pictures."""

    def __init__(self, total: int, progress: Progress) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def __call__(self, more: int) -> None:
        self._done += more
        self._progress("covering patches", self._done, self._total)


def _covered(encoder: Encoder, picture: NDArray[np.uint8], covering: Covering, count: _Counter) -> Iterator[Encoding]:
    for copies in covering.copies(picture):
        yield encoder.encode(copies)
        count(len(copies))


def _maps(windows: Windows, changes: NDArray[np.float32]) -> list[PictureMap]:
    """Changes [patches, k] as k maps."""
    grid = (len(windows.tops), len(windows.lefts))
    return [PictureMap(windows, np.ascontiguousarray(column).reshape(grid)) for column in changes.T]


def _scaled(encoder: Encoder, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        what = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else type(picture).__name__
        raise UsageError(f"a map is made of uint8 pictures [height, width, 3], got {what}")
    return resize(picture, *encoder.size)


def _measure(encoder: Encoder, code: str | None, *, fine: bool) -> _Measure:
    name = encoder.spec.final if code is None else code
    if name == EMBEDDING and fine:
        raise UsageError("fine is for codes, and a map of embeddings has no finer form: leave out fine")
    if name == EMBEDDING:
        return _Measure("cosine", 1, 1.0, lambda encoding: unit_length(_embedding(encoder, encoding)))
    if name not in encoder.spec.names:
        more = "" if encoder.card.embedding is None else f", or {EMBEDDING}"
        raise UsageError(f"encoder {encoder.card.name} has no code {name!r}; it has {encoder.spec}{more}")
    bits = bits_of(name)

    def signs(encoding: Encoding) -> NDArray[np.float32]:
        return np.where(unpack_bits(encoding.codes[name], bits), np.float32(1), np.float32(-1))

    def values(encoding: Encoding) -> NDArray[np.float32]:
        return unit_length(_values(encoder, encoding, name)) * np.float32(np.sqrt(bits))

    return _Measure("bits", bits, 0.5, values if fine else signs)


def _embedding(encoder: Encoder, encoding: Encoding) -> NDArray[np.float32]:
    if encoding.embedding is None:
        raise UsageError(f"encoder {encoder.card.name} gives no embedding, only the codes {encoder.spec}")
    return encoding.embedding


def _values(encoder: Encoder, encoding: Encoding, code: str) -> NDArray[np.float32]:
    return encoder.values_of(_embedding(encoder, encoding))[code]


def _attribute_named(encoder: Encoder, word: str) -> str:
    """The attribute that a word names."""
    if not attribute_names(encoder.card.attributes):
        raise UsageError(
            f"encoder {encoder.card.name} predicts no attributes: learn some beside its codes (`swiftreid hash` with "
            "attributes=true in the recipe)"
        )
    [name] = Description.of(encoder.card.attributes, has=[word]).bits
    return name
