"""One evaluation: encode queries and gallery once, measure every ranking, and make the result card.

`evaluate` makes one card, `evaluations` one for each number of distractors, of one encoding.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from swiftreid.data.doctor.people import people
from swiftreid.data.samples import ReidData, Split
from swiftreid.data.schemas import unusable
from swiftreid.encoding.calibrate import attribute_accuracy
from swiftreid.encoding.domain import domain_of
from swiftreid.encoding.encoder import DEFAULT, Encoder
from swiftreid.encoding.labelled import encode_samples, pool_queries
from swiftreid.encoding.stream import OnBad
from swiftreid.errors import UsageError
from swiftreid.evaluation.card import DataCard, EvaluatedEncoder, ProtocolCard, ResultCard
from swiftreid.evaluation.labelled import LabelledCodes, own_pictures, together
from swiftreid.evaluation.measure import Measured, measure, measure_embedding
from swiftreid.evaluation.protocol import Protocol
from swiftreid.evaluation.reranked import (
    measure_reranked_results,
    measure_reranked_search,
    measure_reranking,
    pictures_per_person,
)
from swiftreid.experiments.distractors import Size, distractor_sizes, first_distractors
from swiftreid.experiments.inputs import Data, EncoderSource, data_set, encoder_of, warn
from swiftreid.experiments.places import cameras_of
from swiftreid.experiments.rankings import exhaustive_counterparts, exhaustive_label, rankings_of
from swiftreid.experiments.rows import rows_of
from swiftreid.experiments.settings import EvaluationSettings
from swiftreid.experiments.unreadable import Unreadable, relative_name
from swiftreid.progress import Progress, no_progress
from swiftreid.reranking.reciprocal import Reciprocal
from swiftreid.search.cascade import Cascade


@dataclass(frozen=True)
class Evaluation:
    """A result card, and the encodings that it was measured on.

    Attributes:
        card: the card.
        query: the queries.
        gallery: the entries, distractors among them.
    """

    card: ResultCard
    query: LabelledCodes
    gallery: LabelledCodes


def evaluate(
    data: Data,
    encoder: EncoderSource = DEFAULT,
    settings: EvaluationSettings | None = None,
    *,
    distractors: Size | None = None,
    on_bad: OnBad | None = None,
    progress: Progress = no_progress,
) -> ResultCard:
    """Measure an encoder on a data set: every code, the float embedding, its calibrated cascades and further ones.

    Warns (`SwiftReIDWarning`) of what makes figures too high or leaves something out.

    Args:
        data: the data set, its folder or manifest, or the name of a published one.
        encoder: the encoder, its file, or the name of a shipped one.
        settings: what is measured, and how; None takes the defaults.
        distractors: how many distractors join the gallery, or "all"; None for the data set's own way (none, as a rule).
        on_bad: takes each picture that cannot be read; they are left out and named on the card all the same.
        progress: takes how far encoding and measuring are.

    Raises:
        UsageError: the data set or the encoder cannot give what was asked for.
        SwiftReIDError: one cannot be read, or no query has a good match.

    Example:
        >>> from swiftreid import EvaluationSettings, evaluate
        >>> card = evaluate("examples/station", "stripes", EvaluationSettings(timed=False))
        >>> [row.ranking for row in card.rows][:2]
        ['id32 exhaustive', 'id128 exhaustive']
    """
    sizes = None if distractors is None else [distractors]
    [found] = evaluations(data, encoder, settings, distractors=sizes, on_bad=on_bad, progress=progress)
    return found.card


def evaluations(
    data: Data,
    encoder: EncoderSource = DEFAULT,
    settings: EvaluationSettings | None = None,
    *,
    distractors: Sequence[Size] | None = None,
    on_bad: OnBad | None = None,
    progress: Progress = no_progress,
) -> Iterator[Evaluation]:
    """As `evaluate`, once for each number of distractors, ascending, with one encoding; each comes when it is ready.

    What cannot be is refused, and all pictures are encoded, before this returns.
    """
    settings, encoder, data = settings or EvaluationSettings(), encoder_of(encoder), data_set(data)
    if not settings.cameras:
        data = replace(data, cross_camera=False, notes=[*data.notes, "cameras are not used, as was asked for"])
    _check_pooling(settings, data)
    sizes = distractor_sizes(distractors, data)
    rankings = rankings_of(encoder, settings.cascades)
    _warn_of(data, encoder)
    unreadable = Unreadable(on_bad)
    named = cameras_of(encoder, data)

    def encoded(samples: Split, task: str) -> LabelledCodes:
        cameras = named(samples)
        return encode_samples(encoder, samples, cameras=cameras, on_bad=unreadable, progress=progress, task=task)

    query = encoded(data.query, task="encoding queries")
    if settings.multi_query:
        query = pool_queries(encoder, query, encoded(_pooled(data, query), task="encoding further pictures"))
    # Without splits every picture is a query and an entry: once is enough.
    same = data.gallery == data.query and not settings.multi_query
    gallery = query if same else encoded(data.gallery, task="encoding gallery")
    added = first_distractors(data.distractors, sizes[-1])
    extra = encoded(added, task="encoding distractors") if added else None
    unreadable.warn()
    maker = _CardMaker(encoder, settings, rankings, unreadable, progress)

    def each() -> Iterator[Evaluation]:
        for size in sizes:
            entries = gallery
            if extra is not None and size:
                entries = together(gallery, extra.take(np.arange(_readable(extra, added[:size]))))
            yield maker.measured(replace(data, distractors=added[:size]), query, entries)

    return each()


@dataclass(frozen=True)
class _CardMaker:
    """What all cards of an evaluation share."""

    encoder: Encoder
    settings: EvaluationSettings
    rankings: dict[str, Cascade]
    unreadable: Unreadable
    progress: Progress

    def measured(self, data: ReidData, query: LabelledCodes, gallery: LabelledCodes) -> Evaluation:
        settings, card = self.settings, self.encoder.card
        protocol = Protocol(settings.empty, data.cross_camera, own_pictures(query, gallery))
        rows = measure(self.rankings, query, gallery, timed=settings.timed, protocol=protocol, progress=self.progress)
        if settings.values:
            rows += self._by_values(query, gallery, protocol)
        if settings.rerank is not None:
            rows += self._reranked(query, gallery, settings.rerank, protocol)
        trained_on, domain = domain_of(card, data)
        if domain == "same pictures":
            warn(f"{card.name} was trained on the same pictures, so its figures are far too high; see docs/data.md")
        samples = list(chain(data.query, data.gallery, data.multi_query, data.distractors))
        unreadable = self.unreadable.files(samples, data.root)
        result = ResultCard(
            data=DataCard.of(data, distractors=bool(data.distractors), multi_query=settings.multi_query),
            encoder=EvaluatedEncoder(
                name=card.name, fingerprint=self.encoder.fingerprint, trained_on=trained_on, domain=domain
            ),
            seed=card.training.get("seed"),
            protocol=ProtocolCard.of(
                rows[0].metrics,
                multi_query=settings.multi_query,
                distractors=len(data.distractors),
                ap=settings.ap,
            ),
            unreadable=len(unreadable),
            unreadable_files=unreadable,
            rows=rows_of(
                rows,
                len(gallery),
                counterparts=exhaustive_counterparts(self.rankings),
                longest=exhaustive_label(self.encoder.spec.final),
                ap=settings.ap,
                per_query=settings.per_query,
            ),
            attributes=attribute_accuracy(self.encoder, gallery, [*data.gallery, *data.distractors]),
            queries=[relative_name(path, data.root) for path in query.paths or ()],
            notes=data.notes,
            run=settings.as_run(card.training.get("recipe")),
        )
        return Evaluation(result, query, gallery)

    def _by_values(self, query: LabelledCodes, gallery: LabelledCodes, protocol: Protocol) -> list[Measured]:
        """A row for each code: the ranking by the cosine of the values whose signs are its bits."""
        if query.embedding is None or gallery.embedding is None:
            raise UsageError(f"the encoder {self.encoder.card.name} gives no real values: leave values out")
        asked, kept = (
            self.encoder.values_of(part.embedding) for part in (query, gallery) if part.embedding is not None
        )
        rows = []
        for number, code in enumerate(self.encoder.spec, 1):
            rows.append(
                measure_embedding(
                    replace(query, codes={}, embedding=asked[code]),
                    replace(gallery, codes={}, embedding=kept[code]),
                    timed=self.settings.timed,
                    label=f"{code} real values",
                    protocol=protocol,
                )
            )
            self.progress("measuring real values", number, len(self.encoder.spec))
        return rows

    def _reranked(
        self, query: LabelledCodes, gallery: LabelledCodes, rerank: Reciprocal, protocol: Protocol
    ) -> list[Measured]:
        if (each := pictures_per_person(gallery)) < 2:
            warn(
                f"the gallery has {each:.1f} pictures a person: re-ranking needs several, and usually loses "
                "accuracy here"
            )
        how: dict[str, Any] = {"timed": self.settings.timed, "protocol": protocol}
        code = self.encoder.spec.final
        rows = [
            measure_reranked_search(query, gallery, code, rerank, **how),
            measure_reranked_results(query, gallery, code, rerank, **how),
            measure_reranking(query, gallery, code, rerank, **how),
        ]
        if query.embedding is not None:
            rows.append(measure_reranking(query, gallery, None, rerank, **how))
        return rows


def _check_pooling(settings: EvaluationSettings, data: ReidData) -> None:
    """Refuse to pool where there is no camera to pool by, or nothing to pool."""
    if settings.multi_query and not data.cross_camera:
        raise UsageError("multi-query evaluation pools pictures by camera, and cameras are unknown or not used here")
    if settings.multi_query and not data.multi_query:
        raise UsageError(
            f"data set {data.name} has no further pictures of its queries to pool (Market-1501's are in gt_bbox)"
        )


def _warn_of(data: ReidData, encoder: Encoder) -> None:
    """Warn of what can be known before anything is encoded."""
    if both := people(data.train) & people(data.query):
        warn(
            f"{len(both)} queried people are in the training split too: figures of an encoder that was trained on "
            "it are too high; see `swiftreid doctor`"
        )
    if encoder.card.attributes and (why := unusable(data.gallery)):
        warn(f"attributes are not measured: {why}")


def _pooled(data: ReidData, query: LabelledCodes) -> Split:
    """Further pictures of those persons and cameras that are queried."""
    queried = set(zip(query.persons.tolist(), query.cameras.tolist(), strict=True))
    return [sample for sample in data.multi_query if (sample.person, sample.camera) in queried]


def _readable(codes: LabelledCodes, samples: Split) -> int:
    """How many of the first samples were encoded."""
    paths = {sample.path for sample in samples}
    return sum(path in paths for path in codes.paths or ())
