"""Cameras first: differences between cameras are taken out of embeddings before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

from swiftreid.data.samples import NamedSample
from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.camera_encoder import CameraEncoder, with_cameras
from swiftreid.encoding.camera_statistics import ALIGNMENT, fit_camera_statistics
from swiftreid.encoding.embedded import embed_paths
from swiftreid.encoding.stream import OnBad
from swiftreid.errors import UsageError
from swiftreid.progress import Progress, no_progress


def normalise_cameras(
    encoder: Encoder,
    samples: Sequence[NamedSample],
    *,
    name: str,
    data: str,
    data_fingerprint: str = "",
    alignment: float = ALIGNMENT,
    on_bad: OnBad | None = None,
    progress: Progress = no_progress,
) -> CameraEncoder:
    """An encoder that takes out of its embeddings what is the cameras', fitted on unlabelled pictures.

    Args:
        encoder: of pictures, with an embedding; its codes and attributes stay, its calibration does not.
        samples: pictures with their cameras; persons are not looked at.
        name: of the new encoder.
        data: what the pictures are of, for the card.
        data_fingerprint: of the data set that they are of, where it is one that encoders are measured on.
        alignment: how far covariances are moved (`swiftreid.encoding.camera_statistics.fit_camera_statistics`).
        on_bad: takes pictures that cannot be used, which are left out; without it the first one raises.
        progress: takes how far encoding is.

    Raises:
        UsageError: the encoder gives no embedding, or fewer than two cameras have enough pictures.
        BadPicture: a picture cannot be used, and there is no ``on_bad``.
    """
    if encoder.card.embedding is None or encoder.takes != "pictures":
        raise UsageError(f"encoder {encoder.card.name} gives no embeddings of pictures: give another")
    kept, views = embed_paths(encoder, [sample.path for sample in samples], on_bad=on_bad, progress=progress)
    cameras = [samples[place].camera for place in kept.tolist()]
    statistics = fit_camera_statistics(views[0], cameras, alignment=alignment)
    words = f"{sum(statistics.pictures):,} unlabelled pictures by {len(statistics.cameras)} cameras of {data}"
    return with_cameras(encoder, statistics, name=name, provenance=words, data_fingerprint=data_fingerprint)
