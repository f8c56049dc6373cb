"""Synthetic codes with the distances of real ones, so that searches keep and find what they would in a real gallery.

A person is a point in a space of latents; a picture moves it by its camera and, by an amount that differs from picture
to picture, by its frame; a fixed set of hyperplanes, the same for every seed, turns it into bits as an encoder does.
Short codes see the first latents only, and stray less, because they are trained to keep what matters most. The numbers
below were chosen so that the thresholds 11, 45 and 195 of the first three codes let through 6.4 %, 0.57 % and 0.11 % of
the other people's entries, one after another, while pictures of one person differ by 520 +- 90 of 2048 bits and by
5.5 +- 2.3 of 32, and pictures of different people by 1016 +- 85. That last spread is about that of real codes: it
decides how well graphs and inverted files can tell near from far, so it must not be left to chance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.progress import Progress, no_progress
from swiftreid.search.codes import bits_of, row_bytes_of
from swiftreid.search.kernels import aligned, hamming
from swiftreid.search.table import CodeTable

VERSION = 2
"""Raised whenever the same seed would give other codes: older caches are then made anew."""

NAMES = ("id32", "id128", "id512", "id2048")
PICTURES_PER_PERSON = 12

_LATENTS = {"id32": 32, "id128": 38, "id512": 53, "id2048": 66}
_STRAY = {"id32": 0.62, "id128": 0.8, "id512": 0.9, "id2048": 1.04}
_FRAME = 0.6  # how far a picture strays, on average, and (shape of a gamma distribution) how evenly
_FRAME_SHAPE = 12.0
_CAMERAS = 6
_CAMERA = 0.25
_LOOSE = 0.5  # the 32 planes of the shortest code are this far from orthogonal: trained bits hardly repeat each other
_ENCODER_SEED = 7
_CHUNK = 4096
_SAMPLE = 2**17

Codes = NDArray[np.uint8]


@dataclass(frozen=True)
class SyntheticCodes:
    """A gallery and queries whose right answers are known.

    Attributes:
        table: codes of the gallery, shuffled.
        queries: uint8 [q, row bytes] for each code.
        positives: for each query the positions of its person's entries, int64, ascending.
        seed: what they were made from.
        folder: where they are kept, and what is made of them may be kept too; None if they are not.
    """

    table: CodeTable
    queries: dict[str, Codes]
    positives: list[NDArray[np.int64]]
    seed: int
    folder: Path | None = None

    def __repr__(self) -> str:
        return f"SyntheticCodes({self.table}, {len(self.positives)} queries, seed {self.seed})"

    def first(self, entries: int) -> SyntheticCodes:
        """The first entries only, without copying; positives that lie further on are left out."""
        columns = {name: self.table.column(name)[0][:entries] for name in self.table.names}
        return SyntheticCodes(
            CodeTable(columns), self.queries, [found[found < entries] for found in self.positives], self.seed
        )


class Population:
    """The people and pictures behind the codes; the same arguments always give the same codes on one machine.

    Args:
        entries: gallery entries, at least 1; a person has 12 of them on average.
        queries: query pictures, at least 1, of people drawn from the gallery.
        seed: of people and pictures; the encoder is the same for all.

    Attributes:
        people: how many there are.
        persons: whom each entry shows, int64 [entries].
        query_persons: whom each query shows, int64 [queries].

    Raises:
        UsageError: a number is too small.
    """

    def __init__(self, entries: int, queries: int, seed: int = 0) -> None:
        if entries < 1 or queries < 1 or seed < 0:
            raise UsageError(
                f"entries and queries must be at least 1 and seed at least 0, got {(entries, queries, seed)}"
            )
        self.entries, self.queries, self.seed = entries, queries, seed
        rng = np.random.default_rng([seed, 0])
        self.people = max(1, entries // PICTURES_PER_PERSON)
        self.persons = rng.permutation(np.arange(entries, dtype=np.int64) % self.people)
        self.query_persons = rng.integers(self.people, size=queries)

    @cached_property
    def _identity(self) -> NDArray[np.float32]:
        rng = np.random.default_rng([self.seed, 1])
        return rng.standard_normal((self.people, max(_LATENTS.values())), dtype=np.float32)

    def positives(self) -> list[NDArray[np.int64]]:
        """For each query the positions of its person's entries, ascending."""
        order = np.argsort(self.persons, kind="stable")
        bounds = np.searchsorted(self.persons[order], [self.query_persons, self.query_persons + 1])
        return [order[low:high] for low, high in bounds.T]

    def floats(self, name: str, *, of_queries: bool = False) -> Iterator[NDArray[np.float32]]:
        """What a code was made of by sign: float32 [up to 4096, bits], chunk by chunk in gallery (or query) order."""
        return (_project(name, *chunk) for chunk in self._chunks(of_queries))

    def codes(self, progress: Progress = no_progress) -> SyntheticCodes:
        """All codes; needs little more memory than they take themselves."""
        return SyntheticCodes(
            CodeTable(self._encode(False, progress)), self._encode(True, no_progress), self.positives(), self.seed
        )

    def _encode(self, of_queries: bool, progress: Progress) -> dict[str, Codes]:
        rows = self.queries if of_queries else self.entries
        codes = {name: _room(rows, name) for name in NAMES}
        at = 0
        for identity, frame in self._chunks(of_queries):
            upto = at + len(frame)
            for name in NAMES:
                codes[name][at:upto] = np.packbits(_project(name, identity, frame) > 0, axis=1, bitorder="little")
            at = upto
            progress(f"{rows:,} entries: codes", at, rows)
        return codes

    def _chunks(self, of_queries: bool) -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        """Identity and frame latents of 4096 pictures at a time, each chunk from its own random numbers."""
        persons = self.query_persons if of_queries else self.persons
        cameras = _encoder()[_CAMERA_KEY]
        for number, start in enumerate(range(0, len(persons), _CHUNK)):
            some = persons[start : start + _CHUNK]
            rng = np.random.default_rng([self.seed, 3 if of_queries else 2, number])
            # How far one picture strays differs from picture to picture: this spreads positives as measured.
            stray = rng.gamma(_FRAME_SHAPE, _FRAME / _FRAME_SHAPE, (len(some), 1)).astype(np.float32)
            frame = rng.standard_normal((len(some), cameras.shape[1]), dtype=np.float32) * stray
            frame += _CAMERA * cameras[rng.integers(_CAMERAS, size=len(some))]
            yield self._identity[some], frame


_CAMERA_KEY = "cameras"


@cache
def _encoder() -> dict[str, NDArray[np.float32]]:
    """The hyperplanes of each code, float32 [latents, bits], and the cameras' latents."""
    rng = np.random.default_rng(_ENCODER_SEED)
    planes = {name: rng.standard_normal((_LATENTS[name], bits_of(name))) for name in NAMES}
    short = NAMES[0]
    planes[short] = np.linalg.qr(planes[short])[0] * np.sqrt(_LATENTS[short]) + _LOOSE * planes[short]
    planes[_CAMERA_KEY] = rng.standard_normal((_CAMERAS, max(_LATENTS.values())))
    return {name: np.ascontiguousarray(array, np.float32) for name, array in planes.items()}


def _project(name: str, identity: NDArray[np.float32], frame: NDArray[np.float32]) -> NDArray[np.float32]:
    width = _LATENTS[name]
    values: NDArray[np.float32] = (identity[:, :width] + np.float32(_STRAY[name]) * frame[:, :width]) @ _encoder()[name]
    return values


def _room(rows: int, name: str) -> Codes:
    """For rows of a code, where a gallery would have them: at whole lines of the caches."""
    width = row_bytes_of(name)
    return aligned(rows * width).reshape(rows, width)


def synthetic_codes(
    entries: int, queries: int, seed: int = 0, *, cache_folder: Path | None = None, progress: Progress = no_progress
) -> SyntheticCodes:
    """Synthetic codes, read from the cache folder if they are there, else made and, if it was named, kept there.

    Args:
        entries: gallery entries, at least 1.
        queries: query pictures, at least 1.
        seed: of people and pictures.
        cache_folder: where codes of this size and seed are kept (340 bytes an entry); None keeps nothing.
        progress: takes entries made and entries in all.

    Raises:
        UsageError: a number is too small.
        SwiftReIDError: the cache cannot be read or written.
    """
    population = Population(entries, queries, seed)
    if cache_folder is None:
        return population.codes(progress)
    folder = cache_folder / f"codes-v{VERSION}-n{entries}-q{queries}-seed{seed}"
    done = folder / "complete"
    try:
        if done.is_file():
            gallery = {name: _room(entries, name) for name in NAMES}
            for name in NAMES:
                gallery[name][:] = np.load(folder / f"gallery-{name}.npy", mmap_mode="r")
            query_codes = {name: np.load(folder / f"queries-{name}.npy") for name in NAMES}
            return SyntheticCodes(CodeTable(gallery), query_codes, population.positives(), seed, folder)
        made = population.codes(progress)
        folder.mkdir(parents=True, exist_ok=True)
        for name in NAMES:
            np.save(folder / f"gallery-{name}.npy", made.table.column(name)[0])
            np.save(folder / f"queries-{name}.npy", made.queries[name])
        done.touch()  # last, so that codes cut short by a full disk or an interruption are never read
    except (OSError, ValueError) as error:
        raise SwiftReIDError(
            f"codes could not be kept in {folder}: {error}; remove that folder, or choose another"
        ) from error
    return replace(made, folder=folder)


def kept_shares(data: SyntheticCodes, thresholds: Mapping[str, int], queries: int = 256) -> dict[str, dict[str, float]]:
    """How the codes are distributed, as a check: for each code distances of positives and others, and what is kept.

    Args:
        data: codes and right answers.
        thresholds: code name -> distance; codes without one keep all.
        queries: how many queries to look at.

    Returns:
        For each code and for ``positive`` and ``other`` entries: ``_mean`` and ``_deviation`` of the distances in bits,
        and ``_kept``, the share that is within the thresholds of this code and of all before it. Others are those
        among the first 131,072 entries: the gallery is shuffled.
    """
    sample = data.first(_SAMPLE)
    figures: dict[str, dict[str, float]] = {}
    passed: dict[tuple[int, str], NDArray[np.bool_]] = {}
    for name in data.table.names:
        groups: dict[str, list[NDArray[np.int32]]] = {"positive": [], "other": []}
        kept: dict[str, list[NDArray[np.bool_]]] = {"positive": [], "other": []}
        for i in range(min(queries, len(data.positives))):
            query = data.queries[name][i : i + 1]
            others = hamming(sample.table.column(name)[0], query, name)[0]
            groups["other"].append(np.delete(others, sample.positives[i]))
            groups["positive"].append(hamming(data.table.rows(name, data.positives[i]), query, name)[0])
            for group, distances in groups.items():
                within = distances[i] <= thresholds.get(name, bits_of(name))
                passed[i, group] = within & passed.get((i, group), np.bool_(True))
                kept[group].append(passed[i, group])
        figures[name] = {}
        for group, distances in groups.items():
            together = np.concatenate(distances)
            figures[name] |= {
                f"{group}_mean": float(together.mean()),
                f"{group}_deviation": float(together.std()),
                f"{group}_kept": float(np.concatenate(kept[group]).mean()),
            }
    return figures
