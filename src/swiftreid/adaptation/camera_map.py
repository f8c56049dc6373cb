"""How far cameras lie apart in an encoder's embeddings, and what is left of it without what is the cameras'."""

from __future__ import annotations

from collections.abc import Sequence

from swiftreid.data.samples import NamedSample
from swiftreid.encoding.abstract import Encoder
from swiftreid.encoding.camera_encoder import CameraEncoder
from swiftreid.encoding.camera_statistics import fit_camera_statistics
from swiftreid.encoding.embedded import embed_paths
from swiftreid.encoding.stream import OnBad
from swiftreid.errors import UsageError
from swiftreid.figures.camera_map import CameraMap, camera_map
from swiftreid.progress import Progress, no_progress


def map_cameras(
    encoder: Encoder, samples: Sequence[NamedSample], *, on_bad: OnBad | None = None, progress: Progress = no_progress
) -> CameraMap:
    """Embed pictures, and project them with and without what is their cameras'.

    Args:
        encoder: of pictures, with an embedding. One that has statistics of all these cameras uses its own; for any
            other they are fitted on the pictures.
        samples: pictures; those whose camera is not known are left out.
        on_bad: takes pictures that cannot be used, which are left out; without it the first one raises.
        progress: takes how far encoding is.

    Raises:
        UsageError: the encoder gives no embedding of pictures, or fewer than two cameras have enough pictures.
        BadPicture: a picture cannot be used, and there is no ``on_bad``.
    """
    if encoder.card.embedding is None or encoder.takes != "pictures":
        raise UsageError(f"encoder {encoder.card.name} gives no embeddings of pictures: give another")
    own = [sample for sample in samples if sample.camera is not None]
    kept, views = embed_paths(encoder, [sample.path for sample in own], on_bad=on_bad, progress=progress)
    cameras = [str(own[place].camera) for place in kept.tolist()]
    if isinstance(encoder, CameraEncoder) and set(cameras) <= encoder.knows_cameras:
        statistics = encoder.statistics
    else:
        statistics = fit_camera_statistics(views[0], cameras)
    return camera_map(views[0], statistics.normalise(views[0], cameras), cameras)
