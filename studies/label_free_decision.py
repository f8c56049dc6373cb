"""The same-person threshold without labels beside the one from labels: what each certified, and what test people give.

    python studies/label_free_decision.py cuhk03-np-pair1 splits/cuhk01-half --rendered rendered-people

Thresholds are fitted on the training pictures of each data set, for a gallery as large as its test set's strangers, and
measured on its test people, by the last code and by the embedding: 'labels' knows the training people, 'none' does not,
'rendered' knows other people, who do not exist. With ``--cameras`` the encoder first gets statistics of the data set's
cameras.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from program import progress, run

from swiftreid.adaptation.deciding import calibrate_unlabelled
from swiftreid.adaptation.normalising import normalise_cameras
from swiftreid.adaptation.pictures import UnlabelledPictures, embed_pictures, training_pictures
from swiftreid.calibration.same_person import EMBEDDING, SamePerson, fit_same_person, measure_same_person
from swiftreid.calibration.unlabelled import NotCalibrated
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.errors import UsageError
from swiftreid.evaluation.labelled import LabelledCodes


def vectors_of(people: LabelledCodes, code: str) -> np.ndarray:
    vectors = people.embedding if code == EMBEDDING else people.codes[code]
    assert vectors is not None
    return np.asarray(vectors)


def with_labels(people: LabelledCodes, code: str, gallery: int, false_accepts: float) -> SamePerson | None:
    try:
        return fit_same_person(
            vectors_of(people, code),
            people.persons,
            people.cameras,
            code=code,
            false_accepts=false_accepts,
            gallery=gallery,
        )
    except UsageError:
        return None


def without_labels(
    encoder: Encoder, pictures: UnlabelledPictures, code: str, gallery: int, false_accepts: float
) -> SamePerson | None:
    try:
        made = calibrate_unlabelled(encoder, pictures, data="", false_accepts=false_accepts, gallery_size=gallery)
    except NotCalibrated:
        return None
    assert made.card.calibration is not None
    return made.card.calibration.same_person_embedding if code == EMBEDDING else made.card.calibration.same_person


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="+")
    parser.add_argument("--encoder", default="rendered")
    parser.add_argument("--false-accepts", type=float, default=5, help="%% of the people who are not there.")
    parser.add_argument("--rendered", help="Data set of people who do not exist.")
    parser.add_argument("--cameras", action="store_true")
    args = parser.parse_args()
    base, share = open_encoder(args.encoder), args.false_accepts / 100
    rendered = None
    if args.rendered:
        rendered = encode_samples(base, open_data(args.rendered).train, progress=progress())
    print("data, code, labels: threshold, certified %, false accepts %, recall %, recall by the fit %")
    for folder in args.data:
        data = open_data(folder)
        encoder: Encoder = base
        if args.cameras:
            encoder = normalise_cameras(base, training_pictures(data), name="here", data=data.name)
        train, test = (
            encode_samples(encoder, samples, cameras=data.cameras_called(samples), progress=progress())
            for samples in (data.train, [*data.query, *data.gallery])
        )
        pictures = embed_pictures(encoder, training_pictures(data), progress=progress())
        for code in (encoder.spec.final, EMBEDDING):
            people = vectors_of(test, code), test.persons, test.cameras
            gallery = len(test) - int(np.bincount(test.persons[test.persons > 0]).max())
            found = {
                "labels": with_labels(train, code, gallery, share),
                "none": without_labels(encoder, pictures, code, gallery, share),
            }
            if rendered is not None:
                found["rendered"] = with_labels(rendered, code, gallery, share)
            for source, fitted in found.items():
                if fitted is None:
                    print(f"{Path(folder).name}, {code}, {source}: not calibrated", flush=True)
                    continue
                real = measure_same_person(*people, fitted)
                shares = (fitted.false_accepts, real.false_accepts, real.recall, fitted.recall)
                print(
                    f"{Path(folder).name}, {code}, {source}: {fitted.threshold:g},",
                    ", ".join(f"{100 * each:.1f}" for each in shares),
                    flush=True,
                )


if __name__ == "__main__":
    run(main)
