"""Hash any embedding: from a base encoder and labelled pictures to a calibrated pyramid encoder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.pictures import read_batches
from swiftreid.data.samples import DISTRACTOR, ReidData, Split, cameras_of, persons_of
from swiftreid.data.schemas import AttributeSchema
from swiftreid.encoding.attribute_bits import AttributeBits, with_second_bits
from swiftreid.encoding.calibrate import fit_calibration, scored
from swiftreid.encoding.card import Calibration, Tensors
from swiftreid.encoding.composed import PyramidEncoder, compose
from swiftreid.encoding.domain import LEARNED_FROM, sources_of
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.pyramid import PyramidCodes
from swiftreid.encoding.stream import OnBad
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.evaluation.attributes import AttributeScore
from swiftreid.evaluation.benchmark import LabelledCodes, measure_cascades, measure_embedding
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.codes import CodeSpec, pack_bits
from swiftreid.training.folding import halved
from swiftreid.training.frozen import FittedPyramid, fit_pyramid
from swiftreid.training.frozen_attributes import fit_attributes
from swiftreid.training.pictures import attributes_of, schema_to_learn
from swiftreid.training.recipe import FrozenRecipe
from swiftreid.training.views import picture_views

ProgressBar = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""Opens a progress bar with a title; what it gives is called with (done, total)."""


@dataclass(frozen=True)
class Views:
    """Frozen embeddings of several views of each picture, float32 [views, n, d], and whose they are.

    ``attributes`` are float32 [n, a] as `attributes_of` gives them; a is 0 where none are learned.
    """

    embeddings: NDArray[np.float32]
    persons: NDArray[np.int64]
    cameras: NDArray[np.int64]
    attributes: NDArray[np.float32]

    def take(self, rows: NDArray[np.bool_]) -> Views:
        """The chosen pictures, bool [n]."""
        return Views(self.embeddings[:, rows], self.persons[rows], self.cameras[rows], self.attributes[rows])


def learn_hash(
    base: Encoder,
    data: ReidData,
    *,
    name: str,
    recipe: FrozenRecipe,
    beta: float | None,
    max_loss: float,
    seed: int,
    on_bad: OnBad | None,
    progress: ProgressBar,
) -> PyramidEncoder:
    """Learn a pyramid on the training people of ``data``, or attributes beside one that is there, and calibrate it.

    As the CtF paper does (its section 4.2), a first pyramid learns from part of the people; thresholds are fitted and
    figures measured on the rest; then the pyramid that is returned learns from all of them. Distractors and junk are
    nobody in particular and are left out.

    Raises:
        UsageError: the base has no float embedding, or no pyramid to keep, or there are too few people, or no held-out
            person was seen by two cameras.
        SwiftReIDError: no training picture could be read, or training failed.
    """
    if base.card.embedding is None:
        raise UsageError(f"encoder {base.card.name} gives no float embedding to hash")
    before = base if isinstance(base, PyramidEncoder) else None
    owner = before if recipe.codes == "keep" else None  # of the codes that are kept
    network = base if before is None else before.base  # codes are put on this, not on other codes
    if recipe.codes == "keep" and not (owner and recipe.attributes):
        raise UsageError(
            "codes=keep adds attributes to an encoder that `swiftreid hash` or `swiftreid train` gave codes: set "
            f"attributes=true too, and give such an encoder; {base.card.name} is of the kind {base.card.kind}"
        )
    known = [sample for sample in data.train if sample.person > DISTRACTOR]
    if not known:
        raise UsageError(
            f"data set {data.name} has no training pictures of known persons: run `swiftreid doctor` on it"
        )
    schema = schema_to_learn(known, data.name, off="attributes=false") if recipe.attributes else None
    fingerprint = fingerprint_of(data)
    embedded = embed_views(network, known, schema, views=recipe.views, seed=seed, on_bad=on_bad, progress=progress)

    def fit(pictures: Views, title: str) -> FittedPyramid:
        if owner is not None:
            people = len(np.unique(pictures.persons))
            return FittedPyramid(owner.pyramid, {"persons": people, "pictures": len(pictures.persons)})
        with progress(title) as advance:
            fitted = fit_pyramid(
                pictures.embeddings,
                pictures.persons,
                pictures.cameras,
                seed=seed,
                config=recipe.training,
                progress=lambda done, total, _loss: advance(done, total),
            )
        return replace(fitted, tensors=halved(fitted.tensors)) if recipe.export == "fp16" else fitted

    calibration: Calibration | None = None
    metrics: list[dict[str, Any]] = []
    if recipe.held_out > 0:
        kept = hold_out(embedded.persons, recipe.held_out, seed)
        if not _across_cameras(embedded.take(kept)):
            raise UsageError(
                "no held-out person was seen by two cameras, so nothing can be calibrated or measured: give pictures "
                "of the same people by several cameras, or learn without with --set held_out=0"
            )
        some, rest = embedded.take(~kept), embedded.take(kept)
        codes = PyramidCodes(fit(some, "learning from some").tensors)(rest.embeddings[0])
        scores: list[AttributeScore] = []
        if schema is not None:
            layer, bits = _attributes(some, schema, recipe)
            told = AttributeBits(layer)
            codes |= told(rest.embeddings[0])
            logits = told.values(rest.embeddings[0])
            scores = scored(bits, logits > 0, logits, rest.attributes, schema.names)
        people = LabelledCodes(codes, rest.persons, rest.cameras, rest.embeddings[0])
        calibration = fit_calibration(
            people,
            CodeSpec(tuple(codes)),
            data=f"{data.name} train, {recipe.held_out:.0%} of the people held out",
            data_fingerprint=fingerprint,
            beta=beta,
            max_loss=max_loss,
            attributes=scores,
        )
        metrics = _measure(people, calibration)
        if before is not None and owner is None:
            metrics.append(_before(before, people, calibration.data))
    final = fit(embedded, "learning from all")
    attributes, names = (None, []) if schema is None else _attributes(embedded, schema, recipe)
    learned_from = f"{final.record['persons']} people of {data.name}, {final.record['pictures']} pictures"
    learned = compose(
        network,
        final.tensors,
        attributes=attributes,
        attribute_names=names,
        name=name,
        provenance=learned_from,
        training={
            **final.record,
            "recipe": recipe.model_dump(mode="json"),
            "data": data.name,
            "data_fingerprint": fingerprint,
            LEARNED_FROM: sources_of(base.card),
        },
    )
    if calibration is not None:  # its distances are this encoder's: no other may use it
        calibration = calibration.model_copy(update={"encoder": learned.fingerprint})
    about = {"licence": base.card.licence}
    if before is not None:
        new, old = ("attributes", "all else") if owner else ("pyramid", "embedding")
        about["provenance"] = f"{new}: {learned_from}; {old} ({base.card.name}): {base.card.provenance}"
    card = learned.card.model_copy(update={"calibration": calibration, "metrics": metrics, **about})
    return PyramidEncoder(card, learned.tensors)


def embed_views(
    base: Encoder,
    samples: Split,
    schema: AttributeSchema | None = None,
    *,
    views: int,
    seed: int,
    on_bad: OnBad | None,
    progress: ProgressBar,
) -> Views:
    """The base's embedding of every view of every readable picture, the view 0 being the picture as it is."""
    height, width = base.size
    paths = [sample.path for sample in samples]
    places: list[NDArray[np.int64]] = []
    parts: list[NDArray[np.float32]] = []
    with progress("embedding") as advance:
        for batch in read_batches(paths, height, width, on_bad=on_bad):
            first = int(batch.indices[0])
            seen = [
                base.encode(picture_views(batch.pictures, v, seed=seed, first=first)).embedding for v in range(views)
            ]
            parts.append(np.stack([e for e in seen if e is not None]))
            places.append(batch.indices)
            advance(int(batch.indices[-1]) + 1, len(paths))
    if not parts:
        raise SwiftReIDError(f"none of the {len(paths)} training pictures could be read; run `swiftreid doctor`")
    rows = np.concatenate(places)
    attributes = np.empty((len(rows), 0), np.float32)
    if schema is not None:
        attributes = attributes_of([samples[i] for i in rows], schema)
    return Views(np.concatenate(parts, axis=1), persons_of(samples)[rows], cameras_of(samples)[rows], attributes)


def _attributes(people: Views, schema: AttributeSchema, recipe: FrozenRecipe) -> tuple[Tensors, list[str]]:
    """The layer that tells attributes, learned from the pictures as they are, and the names of its bits."""
    layer, names = with_second_bits(fit_attributes(people.embeddings[0], people.attributes), schema.names)
    return (halved(layer) if recipe.export == "fp16" else layer), names


def hold_out(persons: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Rows of a random share of the people, bool [n]; at least two people on each side.

    Raises:
        UsageError: there are fewer than four people.
    """
    names = np.unique(persons)
    if len(names) < 4:
        raise UsageError(f"{len(names)} people are too few to hold some out: --set held_out=0, and calibrate on others")
    count = int(np.clip(round(share * len(names)), 2, len(names) - 2))
    chosen = np.random.default_rng(seed).permutation(names)[:count]
    return np.isin(persons, chosen)


def _across_cameras(people: Views) -> bool:
    """Whether any person was seen by two cameras."""
    seen = np.unique(np.stack([people.persons, people.cameras]), axis=1)
    return bool(len(np.unique(seen[0])) < seen.shape[1])


def _before(base: Encoder, people: LabelledCodes, data: str) -> dict[str, Any]:
    """The same of the codes that the encoder had before."""
    assert people.embedding is not None
    name = base.spec.final
    codes = {name: pack_bits(base.values_of(people.embedding)[name])}
    had = LabelledCodes(codes, people.persons, people.cameras)
    (m,) = measure_cascades({f"{name} of {base.card.name}": Cascade([Stage(name)])}, had, had, timed=False)
    return {"ranking": m.label, "rank1": m.metrics.rank1, "map": m.metrics.map_standard, "data": data}


def _measure(people: LabelledCodes, calibration: Calibration) -> list[dict[str, Any]]:
    """Rank-1 and mAP on held-out people, every picture a query against all others."""
    cascades = {f"{name} exhaustive": Cascade([Stage(name)]) for name in people.codes}
    cascades["CtF"] = Cascade.parse(calibration.cascade)
    measured = measure_cascades(cascades, people, people, timed=False)
    measured.append(measure_embedding(people, people, timed=False))
    return [
        {"ranking": m.label, "rank1": m.metrics.rank1, "map": m.metrics.map_standard, "data": calibration.data}
        for m in measured
    ]
