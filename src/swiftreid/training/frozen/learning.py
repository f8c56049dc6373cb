"""Codes and attributes on frozen embeddings: what is learned of some people, measured on the rest, and what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swiftreid.calibration.calibration import Calibration
from swiftreid.calibration.fit import fit_calibration
from swiftreid.data.schemas import AttributeSchema
from swiftreid.encoding.attribute_bits import AttributeBits, with_second_bits
from swiftreid.encoding.card import Tensors
from swiftreid.encoding.composed import compose
from swiftreid.encoding.domain import LEARNED_FROM, sources_of
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.pyramid import PyramidCodes
from swiftreid.errors import UsageError
from swiftreid.evaluation.attributes import AttributeScore, AttributeScores, score_bits
from swiftreid.evaluation.measure import LabelledCodes, measure_cascades, measure_embedding
from swiftreid.progress import Progress
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.codes import CodeSpec, pack_bits
from swiftreid.training.folding import halved
from swiftreid.training.frozen.attributes import fit_attributes
from swiftreid.training.frozen.pyramid import FittedPyramid, fit_pyramid
from swiftreid.training.frozen.recipe import FrozenRecipe
from swiftreid.training.holding_out import hold_out


@dataclass(frozen=True)
class Views:
    """Frozen embeddings of several views of each picture, float32 [views, n, d], with their persons.

    ``attributes`` are float32 [n, a] as `attributes_of` gives them; a is 0 where none are learned.
    """

    embeddings: NDArray[np.float32]
    persons: NDArray[np.int64]
    cameras: NDArray[np.int64]
    attributes: NDArray[np.float32]

    def take(self, rows: NDArray[np.bool_]) -> Views:
        """The chosen pictures, bool [n]."""
        return Views(self.embeddings[:, rows], self.persons[rows], self.cameras[rows], self.attributes[rows])


@dataclass(frozen=True)
class Origin:
    """What is learned from: its name, its fingerprint, and whether it is rendered."""

    name: str
    fingerprint: str
    rendered: bool


def learn_codes(
    base: Encoder, embedded: Views, learning: Learning, data: Origin, *, name: str, beta: float | None, max_loss: float
) -> Encoder:
    """Learn on some people and measure on the rest, then learn on all.

    Args:
        base: whose embeddings they are.
        embedded: the people's pictures.
        learning: what is learned and kept.
        data: where the pictures are from, for the card.
        name: on the card.
        beta: weight of recall in the thresholds; None has it chosen by ``max_loss``.
        max_loss: mAP that thresholds may cost on the held-out people, as a share of 1.

    Returns:
        The new encoder, calibrated where the recipe holds people out.

    Raises:
        UsageError: there are too few people, or no held-out person was seen by two cameras.
        SwiftReIDError: training failed.
    """
    recipe, before, network = learning.recipe, learning.before, base.base
    calibration: Calibration | None = None
    scores: list[AttributeScore] = []
    scores_before: list[AttributeScore] = []
    metrics: list[dict[str, Any]] = []
    if recipe.held_out > 0:
        kept = hold_out(embedded.persons, recipe.held_out, learning.seed)
        if not _across_cameras(embedded.take(kept)):
            raise UsageError(
                "no held-out person was seen by two cameras, so nothing can be calibrated or measured: give pictures "
                "of the same people by several cameras, or set held_out to 0"
            )
        people, scores, scores_before = learning.examined(embedded.take(~kept), embedded.take(kept))
        calibration = fit_calibration(
            people,
            CodeSpec(tuple(people.codes)),
            data=f"{data.name} train, {recipe.held_out:.0%} of the people held out",
            data_fingerprint=data.fingerprint,
            rendered=data.rendered,
            beta=beta,
            max_loss=max_loss,
            attributes=scores,
        )
        metrics = _measure(people, calibration)
        if before is not None and recipe.codes == "learn":
            metrics.append(_before(before, people, calibration.data))
    final = learning.pyramid(embedded, "learning from all")
    attributes, names = learning.attributes(embedded)
    learned_from = f"{final.record['persons']} people of {data.name}, {final.record['pictures']} pictures"
    learned = compose(
        network,
        final.tensors,
        attributes=attributes or None,
        attribute_names=names,
        name=name,
        provenance=learned_from,
        training={
            **final.record,
            "recipe": recipe.model_dump(mode="json"),
            "data": data.name,
            "data_fingerprint": data.fingerprint,
            LEARNED_FROM: sources_of(base.card),
            **_codes_kept(before, recipe),
            **({"attributes_before": _means(scores_before, scores)} if scores_before else {}),
        },
    )
    if calibration is not None:  # its distances are this encoder's: no other may use it
        calibration = calibration.model_copy(update={"encoder": learned.fingerprint})
    about: dict[str, Any] = {"licence": base.card.licence}
    if recipe.attributes == "keep":
        about["attribute_scores"] = base.card.known_scores
    if before is not None:
        new, old = ("attributes", "all else") if recipe.codes == "keep" else ("pyramid", "embedding")
        about["provenance"] = f"{new}: {learned_from}; {old} ({base.card.name}): {base.card.provenance}"
    card = learned.card.model_copy(update={"calibration": calibration, "metrics": metrics, **about})
    return learned.with_card(card)


def _codes_kept(before: Encoder | None, recipe: FrozenRecipe) -> dict[str, Any]:
    """The recipe of codes that are kept, where it is known: the run's own says nothing of them."""
    if before is None or recipe.codes == "learn":
        return {}
    record = before.card.training
    known = record.get("codes_recipe", record.get("recipe"))
    return {} if known is None else {"codes_recipe": known}


@dataclass(frozen=True)
class Learning:
    """What is learned on embeddings, and what is kept of the encoder that was there before.

    Attributes:
        before: the encoder, if it has codes.
        schema: of the attributes that are known; None where they do not matter.
        recipe: says what is learned and what is kept.
        seed: of the codes.
        progress: of learning them.
    """

    before: Encoder | None
    schema: AttributeSchema | None
    recipe: FrozenRecipe
    seed: int
    progress: Progress

    def pyramid(self, pictures: Views, title: str) -> FittedPyramid:
        """What gives the codes."""
        if self.before is not None and self.recipe.codes == "keep":
            people = len(np.unique(pictures.persons))
            return FittedPyramid(self.before.pyramid, {"persons": people, "pictures": len(pictures.persons)})
        fitted = fit_pyramid(
            pictures.embeddings,
            pictures.persons,
            pictures.cameras,
            seed=self.seed,
            config=self.recipe.training,
            progress=self.progress,
            task=title,
        )
        return replace(fitted, tensors=halved(fitted.tensors)) if self.recipe.export == "fp16" else fitted

    def attributes(self, pictures: Views) -> tuple[Tensors, list[str]]:
        """The layer that predicts attributes, and the names of its bits; nothing where none are predicted.

        It learns from the pictures as they are, the first of their views.
        """
        if self.before is not None and self.recipe.attributes == "keep":
            return self.before.attribute_layer, self.before.card.attributes
        if self.schema is None:
            return {}, []
        layer, names = fit_attributes(pictures.embeddings[0], pictures.attributes), list(self.schema.names)
        if self.recipe.attribute_bits == 2:
            layer, names = with_second_bits(layer, names)
        return (halved(layer) if self.recipe.export == "fp16" else layer), names

    def examined(self, some: Views, rest: Views) -> tuple[LabelledCodes, list[AttributeScore], list[AttributeScore]]:
        """What is learned from some people, tried on the rest.

        Returns:
            The rest's codes, the accuracy of their attributes, and that of the encoder's before, if it had some.
        """
        codes = PyramidCodes(self.pyramid(some, "learning from some").tensors)(rest.embeddings[0])
        layer, names = self.attributes(some)
        if layer:
            codes |= AttributeBits(layer)(rest.embeddings[0])
        people = LabelledCodes(codes, rest.persons, rest.cameras, rest.embeddings[0])
        before: list[AttributeScore] = []
        if self.before is not None and self.recipe.attributes is True:
            before = _scored(self.before.attribute_layer, self.before.card.attributes, rest, self.schema)
        return people, _scored(layer, names, rest, self.schema), before


def _scored(
    layer: Tensors, names: Sequence[str], people: Views, schema: AttributeSchema | None
) -> list[AttributeScore]:
    """How accurate a layer's attributes are on people; nothing where it has none, or theirs are not known."""
    if schema is None or not layer:
        return []
    logits = AttributeBits(layer).values(people.embeddings[0])
    return score_bits(names, logits > 0, logits, people.attributes, schema.names)


def _means(before: Sequence[AttributeScore], now: Sequence[AttributeScore]) -> dict[str, Any]:
    """Accuracy and mA of the attributes that the encoder had before, for the record, and mA of the same ones now."""
    names, means = {score.name for score in before}, AttributeScores(before)
    same = AttributeScores([score for score in now if score.name in names])
    shared = {"attributes": len(before), "accuracy": means.accuracy, "mA": means.mean_accuracy}
    return shared | {"mA_now": same.mean_accuracy}


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
