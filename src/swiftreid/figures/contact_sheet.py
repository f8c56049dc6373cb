"""The contact sheet: a few pictures of every split with their numbers, and what is wrong, to look at."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from swiftreid.data.doctor import Examination
from swiftreid.data.doctor.diagnosis import SplitCounts
from swiftreid.data.doctor.files import leaks_of, torn_of
from swiftreid.data.doctor.words import count
from swiftreid.data.samples import DISTRACTOR, JUNK, NumberedSample, Split
from swiftreid.errors import UsageError
from swiftreid.figures.picture_rows import PictureRow, check_sizes, draw_rows


def draw_contact_sheet(
    examination: Examination, *, columns: int = 12, crop_height: int = 152, seed: int = 0
) -> Image.Image:
    """Draw pictures of people chosen at random, one row for each split, and the pictures that findings are about.

    Wrong numbers show at a glance: the same coat under two persons, a split in another resolution, boxes off the
    person. After the splits come duplicates that two persons or splits share, side by side, and unreadable files.

    Args:
        examination: what was found.
        columns: pictures in a row.
        crop_height: height of each in pixels; it is half as wide.
        seed: which people are chosen.

    Raises:
        UsageError: the data set holds no picture, or sizes that cannot be drawn.
    """
    check_sizes(columns, crop_height)
    rows = _rows(examination, columns, np.random.default_rng(seed))
    if not rows:
        raise UsageError("there is no picture to draw: the data set is empty or could not be opened")
    return draw_rows(rows, columns=columns, crop_height=crop_height)


def _rows(examination: Examination, columns: int, rng: np.random.Generator) -> list[PictureRow]:
    data, diagnosis = examination.data, examination.diagnosis
    if data is None:
        return []
    parts: Mapping[str, Split] = {
        "train": data.train,
        "query": data.query,
        "gallery": data.gallery,
        "multi_query": data.multi_query,
        "distractors": data.distractors,
    }
    rows = [
        PictureRow(
            _heading(name, diagnosis.counts[name]), [(s.path, _caption(s)) for s in _some(samples, columns, rng)]
        )
        for name, samples in parts.items()
        if samples
    ]
    shared = {
        "the same picture in training and test": leaks_of(list(examination.duplicates)),
        "the same picture under several persons or cameras": torn_of(list(examination.duplicates)),
    }
    for words, groups in shared.items():
        cells = [(sample.path, f"{name}\n{_caption(sample)}") for group in groups for name, sample in group]
        if cells:
            rows.append(PictureRow(f"{words}: {count(len(groups), 'picture')}", cells[:columns]))
    if diagnosis.unreadable:
        unreadable = [(Path(name), f"{Path(name).name}\n{why}") for name, why in diagnosis.unreadable.items()]
        rows.append(PictureRow(f"cannot be read: {count(len(unreadable), 'picture')}", unreadable[:columns]))
    return rows


def _heading(name: str, counts: SplitCounts) -> str:
    counted = [count(counts.pictures, "picture"), count(counts.persons, "person", "people")]
    counted += [count(counts.cameras, "camera")] if counts.cameras else []
    counted += [f"{counts.junk:,} junk"] if counts.junk else []
    counted += [count(counts.distractors, "distractor")] if counts.distractors else []
    return f"{name}: {', '.join(counted)}"


def _some(samples: Split, columns: int, rng: np.random.Generator) -> Split:
    """One picture each of people chosen at random; several of each where there are fewer people than columns."""
    shuffled = [samples[i] for i in rng.permutation(len(samples))]
    first: dict[int, NumberedSample] = {}
    for sample in shuffled:
        first.setdefault(sample.person, sample)
    chosen = list(first.values())[:columns]
    taken = {id(sample) for sample in chosen}
    chosen += [sample for sample in shuffled if id(sample) not in taken][: columns - len(chosen)]
    return sorted(chosen, key=lambda sample: (sample.person, sample.camera))


def _caption(sample: NumberedSample) -> str:
    who = {JUNK: "junk", DISTRACTOR: "distractor"}.get(sample.person, f"person {sample.person}")
    return f"{who}\ncamera {sample.camera}" if sample.camera else who
