"""Hash any embedding: from a base encoder and labelled pictures to a calibrated pyramid encoder."""

from __future__ import annotations

import numpy as np

from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import DISTRACTOR, ReidData, Split, cameras_of, persons_of
from swiftreid.data.schemas import AttributeSchema, schema_of, unusable
from swiftreid.encoding.embedded import embed_paths
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.stream import OnBad
from swiftreid.encoding.vectors import Vectors, encode_vectors
from swiftreid.errors import SwiftReIDError, UsageError
from swiftreid.progress import Progress, no_progress
from swiftreid.training.frozen.learning import Learning, Origin, Views, learn_codes
from swiftreid.training.frozen.recipe import FrozenRecipe
from swiftreid.training.pictures import attributes_of, schema_to_learn
from swiftreid.training.views import seeded_views


def learn_hash(
    base: Encoder,
    data: ReidData,
    *,
    name: str = "hashed",
    recipe: FrozenRecipe | None = None,
    beta: float | None = None,
    max_loss: float = 0.005,
    seed: int = 0,
    on_bad: OnBad | None = None,
    progress: Progress = no_progress,
) -> Encoder:
    """Learn codes, attributes or both on the training people of ``data``, beside what is kept, and calibrate them.

    As the CtF paper does (its section 4.2), a first pyramid learns from part of the people; thresholds are fitted and
    figures measured on the rest; then the pyramid that is returned learns from all of them. Distractors and junk are
    no known person and are left out.

    Args:
        base: encoder whose float embedding is hashed; it stays as it is.
        data: the data set; its training split is learned from.
        name: on the card.
        recipe: what is learned and how; by default codes, with `FrozenRecipe`'s defaults.
        beta: weight of recall in the thresholds; None has it chosen by ``max_loss``.
        max_loss: mAP that thresholds may cost on the held-out people, as a share of 1.
        seed: of everything random.
        on_bad: takes each picture that cannot be read, which is left out; without it the first raises.
        progress: takes pictures embedded, and epochs learned.

    Returns:
        The new encoder, calibrated where the recipe holds people out.

    Raises:
        UsageError: the base has no float embedding, or nothing to keep, or there are too few people, or no held-out
            person was seen by two cameras.
        SwiftReIDError: no training picture could be read, or training failed.
    """
    recipe = recipe or FrozenRecipe()
    _refuse_what_cannot_be(base, recipe)
    known = [sample for sample in data.train if sample.person > DISTRACTOR]
    if not known:
        raise UsageError(
            f"data set {data.name} has no training pictures of known persons: run `swiftreid doctor` on it"
        )
    before = base if base.pyramid else None
    learning = Learning(before, _schema(known, data.name, recipe), recipe, seed, progress)
    network = base.base  # codes are put on this, not on other codes
    embedded = embed_views(
        network, known, learning.schema, views=recipe.views, seed=seed, on_bad=on_bad, progress=progress
    )
    origin = Origin(data.name, fingerprint_of(data), data.rendered)
    return learn_codes(base, embedded, learning, origin, name=name, beta=beta, max_loss=max_loss)


def learn_vectors(
    base: Encoder,
    vectors: Vectors,
    *,
    data: str,
    name: str = "hashed",
    recipe: FrozenRecipe | None = None,
    beta: float | None = None,
    max_loss: float = 0.005,
    seed: int = 0,
    rendered: bool = False,
    progress: Progress = no_progress,
) -> Encoder:
    """Learn codes of float vectors with known persons and cameras, as `learn_hash` does on pictures.

    Args:
        base: takes vectors (`swiftreid.encoding.vector_encoder.vector_encoder`).
        vectors: of people, each seen by at least two cameras.
        data: what the vectors are of, for the card.
        name: on the card.
        recipe: how to learn; by default as `FrozenRecipe` says. It has one view of each vector, and no attributes.
        beta: weight of recall in the thresholds; None: chosen by ``max_loss``.
        max_loss: mAP that the coarse-to-fine cascade may lose, as a share of 1.
        seed: of the codes.
        rendered: whether these are people who never existed.
        progress: called as codes are learned.

    Raises:
        UsageError: the base takes pictures, a person or camera is not known, the recipe asks for views or attributes,
            or as `learn_hash` raises.
    """
    recipe = recipe or FrozenRecipe()
    given: object = vectors  # whatever the annotation says
    if not isinstance(given, Vectors):
        raise UsageError(f"learn_vectors takes Vectors, with persons and cameras, not {type(given).__name__}")
    _refuse_what_cannot_be(base, recipe)
    if recipe.views > 1 or recipe.attributes:
        raise UsageError("vectors have one view and no attributes: set views=1 and attributes=false in the recipe")
    embedding = encode_vectors(base, vectors).embedding
    assert embedding is not None  # as encoders of vectors have it
    persons, cameras = vectors.numbered()
    known = persons > DISTRACTOR
    nothing = np.empty((len(persons), 0), np.float32)
    learning = Learning(base if base.pyramid else None, None, recipe, seed, progress)
    origin = Origin(data, vectors.fingerprint, rendered)
    embedded = Views(embedding[None], persons, cameras, nothing).take(known)
    return learn_codes(base, embedded, learning, origin, name=name, beta=beta, max_loss=max_loss)


def embed_views(
    base: Encoder,
    samples: Split,
    schema: AttributeSchema | None = None,
    *,
    views: int,
    seed: int,
    on_bad: OnBad | None,
    progress: Progress,
) -> Views:
    """The base's embedding of every view of every readable picture, the view 0 being the picture as it is.

    They are kept in the user's cache, and taken from there when codes are learned on the same pictures again.

    Raises:
        BadPicture: a picture cannot be used and there is no ``on_bad``.
        UsageError: the base gives no embedding, or an attribute's value is none of the schema's.
        SwiftReIDError: no picture could be read.
    """
    paths = [sample.path for sample in samples]
    seen = seeded_views(views, seed)
    rows, embeddings = embed_paths(base, paths, views=seen, on_bad=on_bad, progress=progress, task="embedding")
    if not len(rows):
        raise SwiftReIDError(f"none of the {len(paths)} training pictures could be read; run `swiftreid doctor`")
    attributes = np.empty((len(rows), 0), np.float32)
    if schema is not None:
        attributes = attributes_of([samples[i] for i in rows], schema)
    return Views(embeddings, persons_of(samples)[rows], cameras_of(samples)[rows], attributes)


def _refuse_what_cannot_be(base: Encoder, recipe: FrozenRecipe) -> None:
    """Refuse to hash what is no number, and to keep what is not there."""
    if base.knows_cameras:
        raise UsageError(
            f"encoder {base.card.name} has statistics of cameras, which lie on its codes: learn codes with the encoder "
            "that they were put on, then put them on the new one"
        )
    if base.card.embedding is None:
        raise UsageError(f"encoder {base.card.name} gives no float embedding to hash")
    composed = bool(base.pyramid)
    if recipe.attributes == "keep" and not (composed and base.card.attributes and recipe.codes == "learn"):
        raise UsageError(
            "attributes=keep is for new codes beside the attributes that an encoder of `swiftreid hash` or `swiftreid "
            f"train` has: give one that has some, and leave codes=keep out; {base.card.name} is of the kind "
            f"{base.card.kind} and has {len(base.card.attributes)} attribute bits"
        )
    if recipe.codes == "keep" and not (composed and recipe.attributes):
        raise UsageError(
            "codes=keep adds attributes to an encoder that `swiftreid hash` or `swiftreid train` gave codes: set "
            f"attributes=true too, and give such an encoder; {base.card.name} is of the kind {base.card.kind}"
        )


def _schema(known: Split, data: str, recipe: FrozenRecipe) -> AttributeSchema | None:
    """Of the attributes to learn, or of those that measure the attributes that are kept."""
    if recipe.attributes is True:
        return schema_to_learn(known, data, off="attributes=false")
    return schema_of(known) if recipe.attributes == "keep" and not unusable(known) else None
