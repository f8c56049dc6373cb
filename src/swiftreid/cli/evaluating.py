"""One evaluation run: encode once, measure with each number of distractors, print, and make the cards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from swiftreid.cli.console import Report, printable
from swiftreid.cli.result_table import print_card, rows_of
from swiftreid.cli.sources import BadPictures
from swiftreid.data.published import MARKET_500K
from swiftreid.data.samples import ReidData, Split
from swiftreid.data.schemas import unusable
from swiftreid.encoding.calibrate import attribute_accuracy
from swiftreid.encoding.domain import domain_of
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.labelled import encode_samples, pool_queries
from swiftreid.errors import UsageError
from swiftreid.evaluation.card import DataCard, EncoderCard, ProtocolCard, ResultCard, UnreadableFile
from swiftreid.evaluation.labelled import LabelledCodes, own_pictures, together
from swiftreid.evaluation.measure import Measured, measure
from swiftreid.evaluation.metrics import ApRule
from swiftreid.evaluation.protocol import EmptyRule, Protocol
from swiftreid.evaluation.reranked import (
    measure_reranked_results,
    measure_reranked_search,
    measure_reranking,
    pictures_per_person,
)
from swiftreid.reranking.reciprocal import Reciprocal
from swiftreid.search.cascade import Cascade

DISTRACTOR_SEED = 0
"""Of the order in which distractors join the gallery: fewer of them are always part of more."""


@dataclass(frozen=True)
class Options:
    """What the user asked for.

    Attributes:
        multi_query: pool the pictures of a query's person and camera.
        distractors: sizes to measure with, as text; None for the data set's own way.
        empty: what queries without a good match count.
        ap: definition of the headline mAP.
        timed: whether to take times.
        per_query: whether cards keep the figures of each query.
        rerank: settings of re-ranking; None for none.
        said: the options as given, for the card.
        card: where to write the card; None for nowhere.
    """

    multi_query: bool = False
    distractors: str | None = None
    empty: EmptyRule = "skip"
    ap: ApRule = "standard"
    timed: bool = True
    per_query: bool = True
    rerank: Reciprocal | None = None
    said: Mapping[str, Any] | None = None
    card: Path | None = None


def sizes_of(text: str | None, data: ReidData) -> list[int]:
    """How many distractors to measure with, ascending: from text such as ``0,10000,all``.

    Without text none are added, except to the published data set that is named after them.

    Raises:
        UsageError: the text is no list of numbers, or the data set does not have so many.
    """
    there = len(data.distractors)
    if text is None:
        return [there] if data.published == MARKET_500K else [0]
    sizes = set()
    for part in text.split(","):
        word = part.strip().replace("_", "")
        if word != "all" and not (word.isascii() and word.isdigit()):
            raise UsageError(
                f"--distractors {text!r}: {part.strip()!r} is neither a number nor 'all'; write 0,10000,all"
            )
        sizes.add(there if word == "all" else int(word))
    if max(sizes) > there or (not there and sizes != {0}):
        raise UsageError(
            f"--distractors {text}: data set {data.name} has {there:,} distractors"
            + ("" if there else "; open one that has, such as market1501+500k or a folder with distractors/ or images/")
        )
    return sorted(sizes)


def check_options(options: Options, data: ReidData) -> None:
    """Refuse what the data set cannot give, before anything is encoded.

    Raises:
        UsageError: there is nothing to pool, no camera to pool by, or fewer distractors than asked for.
    """
    if options.multi_query and not data.cross_camera:
        raise UsageError("--multi-query pools pictures by camera, so it needs cameras: leave it or --no-cameras out")
    if options.multi_query and not data.multi_query:
        raise UsageError(
            f"--multi-query: data set {data.name} has no further pictures of its queries (Market-1501's are in gt_bbox)"
        )
    sizes_of(options.distractors, data)


def run_evaluation(
    data: ReidData,
    encoder: Encoder,
    report: Report,
    bad: BadPictures,
    *,
    cascades: Mapping[str, Cascade],
    ends: Mapping[str, str],
    longest: str,
    options: Options,
) -> list[ResultCard]:
    """Encode, measure, print the tables; one card for each number of distractors.

    Args:
        data: the data set.
        encoder: the encoder.
        report: where to print.
        bad: where unreadable pictures go.
        cascades: what to measure, by label.
        ends: label -> label of exhaustive search by the same last code, for cascades that lose against it.
        longest: label of exhaustive search by the longest code.
        options: what the user asked for.

    Raises:
        UsageError: the data set cannot give what was asked for.
    """
    check_options(options, data)
    sizes = sizes_of(options.distractors, data)
    added = _some(data.distractors, sizes[-1])
    if encoder.card.attributes and (why := unusable(data.gallery)):
        report.warn(f"attributes are not measured: {why}")
    query = _encoded("queries", data.query, encoder, report, bad)
    if options.multi_query:
        query = pool_queries(encoder, query, _encoded("further pictures", _wanted(data, query), encoder, report, bad))
    # Without splits every picture is a query and an entry: once is enough.
    same = data.gallery == data.query and not options.multi_query
    gallery = query if same else _encoded("gallery", data.gallery, encoder, report, bad)
    extra = _encoded("distractors", added, encoder, report, bad) if added else None
    cards = []
    for size in sizes:
        entries = gallery
        if extra is not None and size:
            entries = together(gallery, extra.take(np.arange(_readable(extra, added[:size]))))
        used = replace(data, distractors=added[:size])
        card = _card(used, encoder, report, (query, entries), bad, cascades, ends=ends, longest=longest, how=options)
        path = _place(options.card, size if len(sizes) > 1 else None)
        if path is not None:
            card.save(path)  # before anything is printed: `| head` ends the command
        print_card(report, card, queries=len(query), entries=len(entries), longest=longest)
        if path is not None:
            report.text(f"result card: {path}")
        cards.append(card)
    if len(cards) > 1:
        _print_sweep(report, cards, options.ap)
    return cards


def _card(
    data: ReidData,
    encoder: Encoder,
    report: Report,
    codes: tuple[LabelledCodes, LabelledCodes],
    bad: BadPictures,
    cascades: Mapping[str, Cascade],
    *,
    ends: Mapping[str, str],
    longest: str,
    how: Options,
) -> ResultCard:
    query, gallery = codes
    protocol = Protocol(how.empty, data.cross_camera, own_pictures(query, gallery))
    measured = measure(cascades, query, gallery, timed=how.timed, protocol=protocol, progress=report.progress)
    if how.rerank is not None:
        measured += _reranked(query, gallery, encoder.spec.final, how.rerank, timed=how.timed, protocol=protocol)
        each = pictures_per_person(gallery)
        if each < 2:
            report.warn(
                f"the gallery has {each:.1f} pictures a person: re-ranking relies on several, and loses here as a rule"
            )
    words, domain = domain_of(encoder.card, data)
    if domain == "same pictures":
        report.warn(
            f"{encoder.card.name} learnt from these very pictures, so its figures are far too good; see docs/data.md"
        )
    unreadable = _unreadable(data, bad)
    recipe = encoder.card.training.get("recipe")
    return ResultCard(
        data=DataCard.of(data, distractors=bool(data.distractors), multi_query=how.multi_query),
        encoder=EncoderCard(name=encoder.card.name, fingerprint=encoder.fingerprint, trained_on=words, domain=domain),
        seed=encoder.card.training.get("seed"),
        protocol=ProtocolCard.of(
            measured[0].metrics, multi_query=how.multi_query, distractors=len(data.distractors), ap=how.ap
        ),
        unreadable=len(unreadable),
        unreadable_files=unreadable,
        rows=rows_of(measured, len(gallery), against=ends, longest=longest, ap=how.ap, per_query=how.per_query),
        attributes=attribute_accuracy(encoder, gallery, [*data.gallery, *data.distractors]),
        queries=[_relative(path, data.root) for path in query.paths or ()],
        notes=data.notes,
        run={**(how.said or {}), **({"recipe": recipe} if recipe else {})},
    )


def _unreadable(data: ReidData, bad: BadPictures) -> list[UnreadableFile]:
    """Those unreadable pictures that this data set holds: of a sweep each size has its own."""
    samples = chain(data.query, data.gallery, data.multi_query, data.distractors)
    names = {str(sample.path): _relative(sample.path, data.root) for sample in samples} if bad.found else {}
    return [UnreadableFile(file=names[e.name], reason=e.reason) for e in bad.found if e.name in names]


def _place(card: Path | None, size: int | None) -> Path | None:
    """Of a sweep each card has the number of distractors behind its name."""
    return card if card is None or size is None else card.with_stem(f"{card.stem}-{size}")


def _print_sweep(report: Report, cards: list[ResultCard], ap: ApRule) -> None:
    """How figures fall as distractors join."""
    report.table(
        f"{cards[0].data.name}: rank-1 / mAP ({ap}) by number of distractors, in %",
        ["search", *(f"{card.protocol.distractors:,}" for card in cards)],
        [(row.ranking, *(_short(card, row.ranking, ap) for card in cards)) for row in cards[0].rows],
    )


def _short(card: ResultCard, ranking: str, ap: ApRule) -> str:
    row = card.row(ranking)
    return "-" if row is None else f"{100 * row.rank1:.1f} / {100 * getattr(row, f'map_{ap}'):.1f}"


def _encoded(what: str, samples: Split, encoder: Encoder, report: Report, bad: BadPictures) -> LabelledCodes:
    return encode_samples(encoder, samples, on_bad=bad, progress=report.progress, task=f"encoding {what}")


def _wanted(data: ReidData, query: LabelledCodes) -> Split:
    """Further pictures of those persons and cameras that are queried."""
    asked = set(zip(query.persons.tolist(), query.cameras.tolist(), strict=True))
    return [sample for sample in data.multi_query if (sample.person, sample.camera) in asked]


def _some(distractors: Split, count: int) -> Split:
    """The first ``count`` distractors of a fixed random order."""
    if not count:
        return []
    order = np.random.default_rng(DISTRACTOR_SEED).permutation(len(distractors))
    return [distractors[i] for i in order[:count]]


def _readable(codes: LabelledCodes, samples: Split) -> int:
    """How many of the first samples were encoded."""
    paths = {sample.path for sample in samples}
    return sum(path in paths for path in codes.paths or ())


def _relative(path: Path, root: Path) -> str:
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name
    return printable(name)


def _reranked(
    query: LabelledCodes, gallery: LabelledCodes, code: str, settings: Reciprocal, *, timed: bool, protocol: Protocol
) -> list[Measured]:
    measured = [
        measure_reranked_search(query, gallery, code, settings, timed=timed, protocol=protocol),
        measure_reranked_results(query, gallery, code, settings, timed=timed, protocol=protocol),
        measure_reranking(query, gallery, code, settings, timed=timed, protocol=protocol),
    ]
    if query.embedding is not None:
        measured.append(measure_reranking(query, gallery, None, settings, timed=timed, protocol=protocol))
    return measured
