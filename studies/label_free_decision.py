"""The same-person threshold without labels beside the one from labels: what each certified, and what test people give.

    python studies/label_free_decision.py cuhk03-np-pair1 splits/cuhk01-half rendered-people

Thresholds are fitted on the training pictures of each data set, for a gallery as large as its test set's strangers, and
measured on its test people, by the last code and by the embedding: 'labels' knows the training people, 'none' does not,
'shipped' is the encoder's own calibration, of rendered people. With ``--cameras`` the encoder first gets statistics of
the data set's cameras, which leaves no calibration.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from program import progress, run

from swiftreid.adaptation.deciding import calibrate_unlabelled
from swiftreid.adaptation.normalising import normalise_cameras
from swiftreid.adaptation.pictures import embed_pictures, training_pictures
from swiftreid.calibration.same_person import EMBEDDING, SamePerson, fit_same_person, measure_same_person
from swiftreid.calibration.unlabelled import NotCalibrated
from swiftreid.data.samples import ReidData
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.errors import UsageError
from swiftreid.evaluation.labelled import LabelledCodes


def vectors_of(people: LabelledCodes, code: str) -> np.ndarray:
    vectors = people.embedding if code == EMBEDDING else people.codes[code]
    assert vectors is not None
    return np.asarray(vectors)


def thresholds(
    encoder: Encoder, data: ReidData, train: LabelledCodes, code: str, gallery: int, false_accepts: float
) -> dict[str, SamePerson | None]:
    """By where the threshold is from; None where there is none."""
    found: dict[str, SamePerson | None] = {}
    try:
        found["labels"] = fit_same_person(
            vectors_of(train, code),
            train.persons,
            train.cameras,
            code=code,
            false_accepts=false_accepts,
            gallery=gallery,
        )
    except UsageError:
        found["labels"] = None
    pictures = embed_pictures(encoder, training_pictures(data), progress=progress())
    try:
        made = calibrate_unlabelled(
            encoder, pictures, data=data.name, false_accepts=false_accepts, gallery_size=gallery
        ).card.calibration
    except NotCalibrated:
        made = None
    for name, calibration in (("none", made), ("shipped", encoder.card.calibration)):
        fitted = None
        if calibration is not None:
            fitted = calibration.same_person_embedding if code == EMBEDDING else calibration.same_person
        if fitted is not None:
            fitted = replace(fitted, gallery=gallery, false_accepts=fitted.false_accepts_in(gallery))
        found[name] = fitted
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--encoder", default="rendered")
    parser.add_argument("--false-accepts", type=float, default=5, help="%% of the people who are not there.")
    parser.add_argument("--cameras", action="store_true")
    args = parser.parse_args()
    base = open_encoder(args.encoder)
    print("data, code, labels: threshold, certified %, false accepts %, recall %, recall by the fit %")
    for folder in args.data:
        data = open_data(folder)
        encoder = base
        if args.cameras:
            encoder = normalise_cameras(base, training_pictures(data), name="here", data=data.name)
        train, test = (
            encode_samples(encoder, samples, cameras=data.cameras_called(samples), progress=progress())
            for samples in (data.train, [*data.query, *data.gallery])
        )
        for code in (encoder.spec.final, EMBEDDING):
            people = vectors_of(test, code), test.persons, test.cameras
            gallery = len(test) - int(np.bincount(test.persons[test.persons > 0]).max())
            found = thresholds(encoder, data, train, code, gallery, args.false_accepts / 100)
            for source, fitted in found.items():
                if fitted is None:
                    print(f"{Path(folder).name}, {code}, {source}: not calibrated")
                    continue
                real = measure_same_person(*people, fitted)
                shares = (fitted.false_accepts, real.false_accepts, real.recall, fitted.recall)
                print(
                    f"{Path(folder).name}, {code}, {source}: {fitted.threshold:g},",
                    ", ".join(f"{100 * share:.1f}" for share in shares),
                    flush=True,
                )


if __name__ == "__main__":
    run(main)
