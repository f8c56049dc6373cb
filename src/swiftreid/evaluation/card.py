"""Result cards: one JSON file that says what was measured, on what, how, and with which versions."""

from __future__ import annotations

import platform
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import SPLITS, ReidData, persons_of
from swiftreid.durable import save_bytes
from swiftreid.errors import SwiftReIDError
from swiftreid.evaluation.protocol import EmptyRule, Metrics

FORMAT: Final = 1
"""Version of the card's format; a card of a newer one is refused."""

_PACKAGES = ("swiftreid", "numpy", "pillow", "simplejpeg", "torch", "onnxruntime", "openvino")


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataCard(_Part):
    """The data set that was measured on.

    Attributes:
        name: its name.
        fingerprint: see `swiftreid.data.fingerprint.fingerprint_of`.
        pictures: split -> number of pictures.
        persons: split -> number of different person ids.
    """

    name: str
    fingerprint: str
    pictures: dict[str, int]
    persons: dict[str, int]

    @classmethod
    def of(cls, data: ReidData) -> DataCard:
        """Describe a data set; reads file sizes, no pictures."""
        return cls(
            name=data.name,
            fingerprint=fingerprint_of(data),
            pictures={split: len(data.split(split)) for split in SPLITS},
            persons={split: len(set(persons_of(data.split(split)).tolist())) for split in SPLITS},
        )


class EncoderCard(_Part):
    """The encoder that was measured: its name and the fingerprint of its artefact."""

    name: str
    fingerprint: str


class ProtocolCard(_Part):
    """How rankings were judged, in words and in fields that can be compared."""

    words: str
    cross_camera: bool
    empty: EmptyRule
    queries: int
    skipped: int

    @classmethod
    def of(cls, metrics: Metrics) -> ProtocolCard:
        """The protocol that made these figures."""
        return cls(
            words=metrics.protocol,
            cross_camera=metrics.cross_camera,
            empty=metrics.empty,
            queries=metrics.valid,
            skipped=metrics.skipped,
        )


class ResultRow(_Part):
    """Figures of one way of ranking; shares are from 0 to 1.

    Attributes:
        ranking: the way, such as "id2048 exhaustive".
        rank1: share of queries with a good match at rank 1; likewise `rank5` and `rank10`.
        rank5: see `rank1`.
        rank10: see `rank1`.
        map_standard: mean of the standard average precision.
        map_trapezoid: mean of Market-1501's trapezoidal average precision.
        minp: mean inverse negative penalty.
        incomplete: queries whose ranking missed at least one good match.
        bytes_per_entry: storage of one gallery entry's codes, bytes.
        microseconds_per_query: time of one query, or None where it was not measured; see `Measured.microseconds`.
        extra: further figures by name.
    """

    ranking: str
    rank1: float
    rank5: float
    rank10: float
    map_standard: float
    map_trapezoid: float
    minp: float
    incomplete: int = 0
    bytes_per_entry: int | None = None
    microseconds_per_query: float | None = None
    extra: dict[str, float | int | str] = Field(default_factory=dict)

    @classmethod
    def of(
        cls,
        ranking: str,
        metrics: Metrics,
        *,
        bytes_per_entry: int | None = None,
        microseconds_per_query: float | None = None,
        extra: dict[str, float | int | str] | None = None,
    ) -> ResultRow:
        """A row from `Metrics`, which must hold ranks up to 10."""
        return cls(
            ranking=ranking,
            rank1=metrics.rank(1),
            rank5=metrics.rank(5),
            rank10=metrics.rank(10),
            map_standard=metrics.map_standard,
            map_trapezoid=metrics.map_trapezoid,
            minp=metrics.minp,
            incomplete=metrics.incomplete,
            bytes_per_entry=bytes_per_entry,
            microseconds_per_query=microseconds_per_query,
            extra=extra or {},
        )


def software_versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that figures depend on; nothing is imported."""
    versions = {"python": platform.python_version(), "machine": platform.machine()}
    for package in _PACKAGES:
        with suppress(metadata.PackageNotFoundError):
            versions[package] = metadata.version(package)
    return versions


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


class ResultCard(_Part):
    """Everything needed to understand, repeat and compare one evaluation.

    Attributes:
        format: version of this format.
        created: time in UTC, ISO 8601.
        software: package -> version.
        data: the data set.
        encoder: the encoder, or None where codes came from elsewhere.
        seed: the seed of whatever was random, or None.
        protocol: how rankings were judged.
        unreadable: pictures of the data set that could not be read and were left out.
        rows: one per way of ranking.
    """

    format: Literal[1] = FORMAT
    created: str = Field(default_factory=_now)
    software: dict[str, str] = Field(default_factory=software_versions)
    data: DataCard
    encoder: EncoderCard | None = None
    seed: int | None = None
    protocol: ProtocolCard
    unreadable: int = 0
    rows: list[ResultRow]

    def save(self, path: Path) -> None:
        """Write the card as JSON; a file that is there is replaced whole or not at all.

        Raises:
            SwiftReIDError: the file cannot be written.
        """
        save_bytes(path, (self.model_dump_json(indent=2) + "\n").encode())

    @classmethod
    def load(cls, path: Path) -> ResultCard:
        """Read a card.

        Raises:
            SwiftReIDError: the file is missing, is no result card, or is of a newer format.
        """
        try:
            text = path.read_bytes()
        except OSError as error:
            raise SwiftReIDError(f"result card {path} cannot be read: {error.strerror or error}") from error
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"]) or "the file"
            if where == "format" and isinstance(first["input"], int) and first["input"] > FORMAT:
                raise SwiftReIDError(
                    f"result card {path} has format {first['input']}; up to {FORMAT} is known: update swiftreid"
                ) from None
            raise SwiftReIDError(f"{path} is not a result card: {where}: {first['msg']}") from None
