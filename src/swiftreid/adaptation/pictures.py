"""Unlabelled pictures with their embeddings by an encoder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from swiftreid.adaptation.guard import Leads, leads_of
from swiftreid.clustering.answers import PairAnswer, known_pairs
from swiftreid.clustering.apart import apart_pairs
from swiftreid.clustering.two_stage import ALONE, ClusterSettings, KnownPairs, PeopleClusters, cluster_people
from swiftreid.data.numbering import numbers_of
from swiftreid.data.samples import NamedSample, NumberedSample, ReidData, Sample
from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.camera_statistics import ENOUGH, CameraStatistics, fit_camera_statistics
from swiftreid.encoding.embedded import embed_paths
from swiftreid.encoding.stream import OnBad
from swiftreid.errors import SwiftReIDError
from swiftreid.gallery.entries import valid_text
from swiftreid.progress import Progress, no_progress


@dataclass(frozen=True, eq=False)
class UnlabelledPictures:
    """Unlabelled pictures.

    Attributes:
        samples: n of them; persons are not looked at.
        cameras: number of each camera from 0, int64 [n]; pictures without one have a number of their own together.
        raw: embeddings by an encoder's network, float32 [n, d].
        statistics: of their cameras; None where fewer than two have enough pictures.
        embeddings: without what is the cameras', float32 [n, d].
    """

    samples: list[NamedSample]
    cameras: NDArray[np.int64]
    raw: NDArray[np.float32]
    statistics: CameraStatistics | None
    embeddings: NDArray[np.float32]

    @property
    def tracks(self) -> NDArray[np.int64]:
        """Number of each one's track, int64 [n]; -1 where it is of none."""
        return numbers_of([sample.tracklet for sample in self.samples])

    def known(self, answers: Sequence[PairAnswer]) -> KnownPairs:
        """Answers about pairs of them, by their ids, as pairs of places."""
        return known_pairs(answers, [sample.id for sample in self.samples])

    def apart(self, no_overlap: Collection[tuple[str, str]] = ()) -> list[PairAnswer]:
        """Answers that need nobody: people in one frame are two, and so are people at one time under other cameras.

        Args:
            no_overlap: pairs of cameras that see no place in common (`swiftreid.clustering.apart.apart_pairs`).

        Raises:
            UsageError: such a camera is none of theirs.
        """
        pairs = apart_pairs(self.samples, no_overlap=no_overlap).tolist()
        return [PairAnswer(self.samples[one].id, self.samples[other].id, same=False) for one, other in pairs]

    def clusters(self, settings: ClusterSettings, answers: Sequence[PairAnswer] = ()) -> PeopleClusters:
        """Who may be who, with answers about pairs of them by their ids."""
        known = self.known(answers)
        return cluster_people(self.embeddings, self.cameras, tracks=self.tracks, known=known, settings=settings)

    def leads(self, rows: NDArray[np.bool_], tracklets: NDArray[np.int64]) -> Leads:
        """How far nearest clusters lead, of some pictures, bool [n] (`swiftreid.adaptation.guard.leads_of`).

        ``tracklets`` is as `PeopleClusters` has it.
        """
        own = np.unique(tracklets[rows], return_inverse=True)[1].astype(np.int64)
        return leads_of(self.embeddings[rows], self.cameras[rows], own)

    def as_data(self, rows: NDArray[np.bool_], name: str) -> ReidData:
        """Some of them as a data set in which every picture shows somebody else.

        In random order: pictures of one person often follow each other, and equal distances are broken by order.
        """
        order = np.random.default_rng(0).permutation(np.flatnonzero(rows))
        paths = [sample.path.absolute() for sample in self.samples]
        train = [
            NumberedSample(
                paths[row],
                number + 1,
                int(self.cameras[row]) + 1,
                id=self.samples[row].id,
                tracklet=self.samples[row].tracklet,
            )
            for number, row in enumerate(order.tolist())
        ]
        return ReidData(name, Path(os.path.commonpath([path.parent for path in paths])), train=train)


def embed_pictures(
    encoder: Encoder, samples: Sequence[NamedSample], *, on_bad: OnBad | None = None, progress: Progress = no_progress
) -> UnlabelledPictures:
    """Embed pictures, and take out what is their cameras'; those that cannot be used are left out.

    Args:
        encoder: of pictures, with an embedding.
        samples: pictures with their cameras.
        on_bad: takes pictures that cannot be used; without it the first one raises.
        progress: takes how far encoding is.

    Raises:
        UsageError: the encoder gives no embedding of pictures.
        BadPicture: a picture cannot be used, and there is no ``on_bad``.
        SwiftReIDError: no picture can be used, or an embedding is not finite.
    """
    kept, views = embed_paths(encoder, [sample.path for sample in samples], on_bad=on_bad, progress=progress)
    if not len(kept):
        raise SwiftReIDError(f"none of the {len(samples)} pictures can be read; run `swiftreid doctor` on them")
    own = [samples[place] for place in kept.tolist()]
    raw = views[0]
    if len(broken := np.flatnonzero(~np.isfinite(raw).all(axis=1))):
        raise SwiftReIDError(
            f"encoder {encoder.card.name} gives numbers that are not finite for {len(broken):,} of {len(own):,} "
            f"pictures, such as {own[broken[0]].path}: use another encoder"
        )
    names = [sample.camera or None for sample in own]
    cameras = np.unique([name or "" for name in names], return_inverse=True)[1].astype(np.int64)
    counts = Counter(name for name in names if name is not None)
    if sum(count >= ENOUGH for count in counts.values()) < 2:
        return UnlabelledPictures(own, cameras, raw, None, raw)
    statistics = fit_camera_statistics(raw, names)
    return UnlabelledPictures(own, cameras, raw, statistics, statistics.normalise(raw, names))


def training_pictures(data: ReidData) -> list[NamedSample]:
    """A data set's training pictures with cameras as it calls them, times and tracks, and without their persons."""
    cameras = data.cameras_called(data.train)
    return [
        Sample(
            sample.path,
            None,
            camera,
            sample.time,
            id=_id_of(sample.path, data.root),
            tracklet=sample.tracklet,
            frame=sample.frame,
        )
        for sample, camera in zip(data.train, cameras, strict=True)
    ]


def _id_of(path: Path, root: Path) -> str:
    """A picture's place below its data set's folder."""
    return valid_text(Path(os.path.relpath(path, root)).as_posix())


def in_words(found: PeopleClusters) -> str:
    """Groups, pictures that are in none, and links, in words for users."""
    alone = float((found.people == ALONE).mean())
    return f"{found.groups:,} groups, {alone:.0%} of the pictures alone, {found.beyond_chance:.0%} linked beyond chance"


def held_out_rows(clusters: PeopleClusters, share: float, seed: int) -> NDArray[np.bool_]:
    """Pictures of a random share of the groups, bool [n]; a picture that is alone is a group."""
    people = clusters.people
    groups = np.where(people == ALONE, people.max(initial=0) + 1 + np.arange(len(people)), people)
    names = np.unique(groups)
    chosen = np.random.default_rng([seed, 5]).permutation(names)[: round(share * len(names))]
    return np.isin(groups, chosen)
