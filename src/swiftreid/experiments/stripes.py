"""The hand-made 'stripes' encoder fitted to pictures of one's own: of a data set, or of any folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from swiftreid.data.camera_folders import AmbiguousFolders
from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.market import parse_name
from swiftreid.data.pictures import find_pictures, read_batches
from swiftreid.data.readers import recognise
from swiftreid.data.samples import DISTRACTOR, NOBODY, ReidData
from swiftreid.data.sources import open_data
from swiftreid.encoding.stream import OnBad
from swiftreid.encoding.stripes import HEIGHT, WIDTH, StripesEncoder, fit_stripes
from swiftreid.errors import SwiftReIDError
from swiftreid.experiments.inputs import TRAIN
from swiftreid.experiments.unreadable import Unreadable
from swiftreid.progress import Progress, no_progress


@dataclass(frozen=True)
class FittedStripes:
    """A fitted encoder, and what it was fitted to.

    Attributes:
        encoder: the encoder; nothing is written, see `Encoder.save`.
        pictures: how many pictures.
        people: how many people they show; None where persons were not used, since not every name states one.
    """

    encoder: StripesEncoder
    pictures: int
    people: int | None


def fit_stripes_to(
    pictures: Path,
    *,
    kind: str | None = None,
    every: bool = False,
    name: str = "stripes",
    provenance: str | None = None,
    licence: str = "Apache-2.0",
    on_bad: OnBad | None = None,
    progress: Progress = no_progress,
) -> FittedStripes:
    """Fit the whitening of `StripesEncoder` to the training split of a data set, or to a folder of any pictures.

    Args:
        pictures: a data set's folder or manifest, or any folder. Without a data set persons come from the pictures'
            names in Market-1501's way, and are used if all state one.
        kind: what the data set is, where it can be several.
        every: take every picture below the folder, those of test splits too.
        name: on the card.
        provenance: source of the pictures; None names the data set, if it is one.
        licence: of the encoder.
        on_bad: takes each picture that cannot be read; without it there is one warning for all.
        progress: takes pictures read and pictures in all.

    Raises:
        UsageError: there are too few pictures, or the data set can be several.
        SwiftReIDError: there is no picture, or none can be read.

    Example:
        >>> from pathlib import Path
        >>> from swiftreid.experiments.stripes import fit_stripes_to
        >>> fitted = fit_stripes_to(Path("examples/station"))
        >>> fitted.pictures, fitted.people
        (450, 30)
    """
    data = None if every else _data_set(pictures, kind)
    if data is None:
        paths = find_pictures(pictures)
        parsed = [parse_name(path.stem) for path in paths]
        persons = [found[0] if found else DISTRACTOR for found in parsed]
    else:
        samples = [sample for sample in data.train if sample.person not in NOBODY]  # unknown persons teach nothing
        paths, persons = [sample.path for sample in samples], [sample.person for sample in samples]
    unreadable = Unreadable(on_bad)
    parts, kept = [], []
    for batch in read_batches(paths, HEIGHT, WIDTH, on_bad=unreadable):
        parts.append(batch.pictures)
        kept += [persons[i] for i in batch.indices]
        progress("reading", int(batch.indices[-1]) + 1, len(paths))
    unreadable.warn()
    if not parts:
        raise SwiftReIDError(f"none of the {len(paths)} pictures under {pictures} could be read")
    who = np.array(kept, np.int64)
    labelled = not np.isin(who, list(NOBODY)).any()
    encoder = fit_stripes(
        np.concatenate(parts),
        who if labelled else None,
        provenance=provenance or (f"training split of {data.name}" if data else "not stated"),
        licence=licence,
        name=name,
        training={"data": data.name, "data_fingerprint": fingerprint_of(data), "pictures": len(who)} if data else None,
    )
    return FittedStripes(encoder, len(who), len(np.unique(who)) if labelled else None)


def _data_set(pictures: Path, kind: str | None) -> ReidData | None:
    """The data set that a folder or manifest is, with a training split; None for any other pictures."""
    if kind is None and pictures.is_dir() and not recognise(pictures):
        return None
    try:
        return open_data(pictures, kind=kind, need=TRAIN, attributes=False)
    except AmbiguousFolders:  # people are a help here, but no need
        return None
