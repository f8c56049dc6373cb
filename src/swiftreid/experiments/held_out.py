"""People held out from a test set, to fit thresholds on."""

from __future__ import annotations

from dataclasses import dataclass

from swiftreid.data.doctor.duplicates import find_duplicates
from swiftreid.data.fingerprint import fingerprint_of
from swiftreid.data.samples import NOBODY, ReidData, Split, persons_of
from swiftreid.data.sources import open_data
from swiftreid.encoding.domain import sources_of
from swiftreid.encoding.encoder import Encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.errors import UsageError
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.experiments.encoded import EncodedData
from swiftreid.experiments.inputs import Data, warn
from swiftreid.experiments.places import cameras_of
from swiftreid.progress import Progress, no_progress
from swiftreid.training.holding_out import hold_out


class NobodyHeldOut(UsageError):
    """There are no people to fit thresholds on."""


class NotHeldOut(UsageError):
    """The people to fit on are those of the test set."""


@dataclass(frozen=True)
class HeldOut:
    """People to fit on, with no picture in the test set.

    Attributes:
        name: of their data set and split.
        data: their data set.
        samples: their pictures.
        learned: whether the encoder was trained on the same people.
    """

    name: str
    data: ReidData
    samples: Split
    learned: bool

    def encode(self, test: EncodedData, *, progress: Progress = no_progress) -> LabelledCodes:
        """Their pictures by the test set's encoder; warns where the encoder knows them, and of unreadable ones."""
        if self.learned:
            warn(
                f"the encoder was trained on the people of {self.name}, so thresholds fitted on them are too "
                "tight for other people: give people that it was not trained on"
            )
        task = "encoding held-out people"
        unreadable, known = test.unreadable, len(test.unreadable.found)
        cameras = cameras_of(test.encoder, self.data)(self.samples)
        people = encode_samples(
            test.encoder, self.samples, cameras=cameras, on_bad=unreadable, progress=progress, task=task
        )
        unreadable.warn(known)
        return people


def held_out_people(test: EncodedData, source: Data | None = None) -> HeldOut | None:
    """People to fit on: the train split of another data set, or all of it where it has none.

    Of a data set that the encoder was trained on, only those whom its run held out, if it held out some.

    Args:
        test: what is measured on.
        source: the other data set; None takes the test set's own train split.

    Returns:
        None if no data set was given and the test set has no train split.

    Raises:
        NotHeldOut: the pictures are those of the test set.
    """
    data = test.data if source is None else source if isinstance(source, ReidData) else open_data(source, need=())
    samples, split = data.train, "train"
    if not samples and source is None:
        return None
    if not samples:
        samples, split = [*data.query, *data.gallery], "query and gallery"
    if shared := _shared(samples, test, copies=source is not None):
        raise NotHeldOut(
            f"{shared} of the {len(samples)} pictures to fit on are in the test set itself: thresholds fitted on the "
            "people they are tested on look better than they are; hold out other people"
        )
    learned = split == "train" and learned_from(test.encoder, data)
    if learned and (own := held_out_by_its_run(test.encoder, data)):
        return HeldOut(f"{data.name} train, the people held out from training", data, own, learned=False)
    return HeldOut(f"{data.name} {split}", data, samples, learned)


def learned_from(encoder: Encoder, data: ReidData) -> bool:
    """Whether the encoder was trained on the train split of this data set."""
    return bool(encoder.card.training.get("data_fingerprint") == fingerprint_of(data))


def held_out_by_its_run(encoder: Encoder, data: ReidData) -> Split:
    """Training pictures of the people whom the encoder's run held out, by its record of share and seed.

    None of an encoder whose codes were learned on a frozen embedding, which learn from all people in the end, or whose
    start or teacher had learned from this data set.
    """
    training, fingerprint = encoder.card.training, fingerprint_of(data)
    recipe, seed = training.get("recipe"), training.get("seed")
    if not isinstance(recipe, dict) or not isinstance(seed, int) or recipe.get("features") == "frozen":
        return []
    share = recipe.get("held_out", 0)
    if not share or any(source["data_fingerprint"] in ("", fingerprint) for source in sources_of(encoder.card)[1:]):
        return []
    known = [sample for sample in data.train if sample.person not in NOBODY]
    kept = hold_out(persons_of(known), share, seed)
    return [sample for sample, out in zip(known, kept, strict=True) if out]


def required(people: HeldOut | None, test: EncodedData) -> HeldOut:
    """The people to fit on, where there must be some.

    Raises:
        NobodyHeldOut: there are none.
    """
    if people is None:
        raise NobodyHeldOut(
            f"{test.data.name} has no train split to fit on, and the test set must not be used: hold out other people"
        )
    return people


def _shared(samples: Split, test: EncodedData, *, copies: bool) -> int:
    """How many pictures of the test set are among these; with ``copies``, under other names too."""
    tested = {path.resolve() for path in [*(test.query.paths or []), *(test.gallery.paths or [])]}
    fitted_on = {sample.path.resolve() for sample in samples}
    shared = len(fitted_on & tested)
    if copies:
        files = {path: path in tested for path in [*fitted_on, *tested]}
        shared = max(shared, sum(len(set(group)) > 1 for group in find_duplicates(files)))
    return shared
