"""How good a network is while it learns: on people held out from training, every picture a query against the others."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from swiftreid.encoding.attribute_bits import AttributeBits
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.measure import Measured, measure_cascades, measure_embedding
from swiftreid.evaluation.protocol import Protocol
from swiftreid.methods.method import Method
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.codes import pack_bits
from swiftreid.training.network.embedding import embed_pictures
from swiftreid.training.pictures import TrainingPictures


def encode_pictures(method: Method, pictures: TrainingPictures, *, mirror: bool = False) -> LabelledCodes:
    """Codes and embeddings of all pictures by the method in its present mode; ``mirror`` as `embeddings_of` has it."""
    embedding = embed_pictures(method, pictures, mirror=mirror)
    return LabelledCodes(codes_of(method, embedding), pictures.persons, pictures.cameras, embedding, pictures.paths)


@torch.no_grad()
def codes_of(method: Method, embedding: NDArray[np.float32]) -> dict[str, NDArray[np.uint8]]:
    """Packed codes of embeddings, shortest first; none where the method has no pyramid."""
    if method.pyramid is None:
        return {}
    device = next(method.parameters()).device
    values = torch.from_numpy(embedding).to(device)
    if method.unit:
        values = torch.nn.functional.normalize(values)
    found = [pack_bits(value.float().cpu().numpy()) for value in method.pyramid(values)]
    lengths = method.pyramid.lengths
    codes = {f"id{length}": code for length, code in sorted(zip(lengths, found, strict=True), key=lambda item: item[0])}
    layer = method.attribute_layer()
    if layer is not None:
        codes |= AttributeBits({"weight": layer[0].numpy(), "bias": layer[1].numpy()})(embedding)
    return codes


def judge(people: LabelledCodes, *, cross_camera: bool) -> list[Measured]:
    """Exhaustive search by every code, and by the float embedding."""
    cascades = {f"{name} exhaustive": Cascade([Stage(name)]) for name in people.codes}
    measured = judge_cascades(people, cascades, cross_camera=cross_camera)
    protocol = _protocol(people, cross_camera=cross_camera)
    return [*measured, measure_embedding(people, people, timed=False, protocol=protocol)]


def judge_cascades(people: LabelledCodes, cascades: Mapping[str, Cascade], *, cross_camera: bool) -> list[Measured]:
    """Search by each of these cascades."""
    protocol = _protocol(people, cross_camera=cross_camera)
    return measure_cascades(cascades, people, people, timed=False, protocol=protocol) if cascades else []


def _protocol(people: LabelledCodes, *, cross_camera: bool) -> Protocol:
    return Protocol(cross_camera=cross_camera, self_positions=np.arange(len(people)))
