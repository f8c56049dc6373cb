"""What follows training: evaluation on held-out people, and an encoder that is exported and calibrated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

from swiftreid.calibration.fit import fit_calibration
from swiftreid.data.samples import Split
from swiftreid.encoding.calibrate import attribute_accuracy, calibrated
from swiftreid.encoding.domain import LEARNED_FROM
from swiftreid.encoding.encoder import Encoder
from swiftreid.errors import UsageError
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.measure import Measured
from swiftreid.methods.method import Method
from swiftreid.training.network.erasing import SAMPLER
from swiftreid.training.network.export import export_encoder
from swiftreid.training.network.held_out import encode_pictures, judge, judge_cascades
from swiftreid.training.network.loop import Run
from swiftreid.training.network.plan import Plan, Reports, Trained
from swiftreid.training.pictures import TrainingPictures

ENCODER: Final = "encoder.safetensors"
_COMPARED: Final = 256  # pictures on which both runtimes must agree


@dataclass(frozen=True)
class Finish:
    """A run with the people it learns from and those held out.

    Attributes:
        plan: of the run.
        reports: where it reports to.
        run: with its weights, averaged ones in place where there are some.
        method: the network.
        learned: what is learned from.
        rest: pictures of the held-out people; None where there are none.
        held_out: the same as samples.
        labelled: whether persons are learned from.
        beside: pictures among those learned from that are of another data set.
    """

    plan: Plan
    reports: Reports
    run: Run
    method: Method
    learned: TrainingPictures
    rest: TrainingPictures | None
    held_out: Split
    labelled: bool = True
    beside: int = 0

    def evaluate(self, epochs: int) -> tuple[LabelledCodes, list[Measured]]:
        """The held-out people by the weights in place after so many epochs, and what was measured on them."""
        assert self.rest is not None
        people = encode_pictures(self.method, self.rest, mirror=self.plan.recipe.mirror)
        measured = judge(people, cross_camera=self.plan.data.cross_camera)
        figures = {f"{m.label} {name}": value for m in measured for name, value in _figures(m).items()}
        self.run.log.write("held out", self.run.header.step, figures)
        if self.reports.on_evaluation is not None:
            self.reports.on_evaluation(epochs, measured)
        return people, measured

    def export(self) -> Trained:
        """Export, measure, calibrate and write the encoder."""
        self.reports.note("exporting")
        plan, learned = self.plan, self.learned
        places = np.linspace(0, len(learned) - 1, min(_COMPARED, len(learned))).astype(np.int64)
        persons = len(np.unique(learned.persons))
        header = self.run.header
        files = learned.files - self.beside
        provenance = f"{persons} people of {plan.data.name}, {files:,} pictures"
        if not self.labelled:
            persons, provenance = 0, f"{files:,} pictures of {plan.data.name} without labels"
        if header.step < self.run.steps:
            provenance += f" (unfinished: step {header.step:,} of {self.run.steps:,})"
        record: dict[str, Any] = {
            "recipe": plan.recipe.model_dump(mode="json"),
            "seed": plan.seed,
            "data": plan.data.name,
            "data_fingerprint": header.data_fingerprint,
            LEARNED_FROM: header.sources,
            "teacher": header.teacher,
            "persons": persons,
            "pictures": files,
            "steps": header.step,
            "losses": header.losses,
            "torch": torch.__version__,
        }
        if plan.recipe.augmentation.erase:
            record["random_erasing"] = SAMPLER
        encoder = export_encoder(
            self.method,
            learned.read(places),
            name=plan.folder.resolve().name,
            provenance="; ".join(filter(None, [provenance, header.provenance])),
            licence=header.licence or "not stated",
            training=record,
            half=plan.recipe.export == "fp16",
            mirror=plan.recipe.mirror,
            attributes=header.attributes,
        )
        measured: list[Measured] = []
        if self.rest is not None:
            people, measured = self.evaluate(len(header.losses))
            encoder = self._calibrated(encoder, people, measured)
        encoder.save(plan.folder / ENCODER)
        self.run.log.close()
        held_out = 0 if self.rest is None else len(np.unique(self.rest.persons))
        coded = self.method.pyramid is not None
        return Trained(encoder, measured, persons, files, self.run.header.losses, held_out, coded)

    def _calibrated(self, encoder: Encoder, people: LabelledCodes, measured: list[Measured]) -> Encoder:
        """The encoder with thresholds fitted on the held-out people, if they were seen by two cameras.

        What its cascades reach on these people goes behind ``measured``.
        """
        where = f"{self.plan.data.name} train, {self.plan.recipe.held_out:.0%} of the people held out"
        if self.method.pyramid is not None:
            try:
                calibration = fit_calibration(
                    people,
                    encoder.spec,
                    data=where,
                    data_fingerprint=self.run.header.data_fingerprint,
                    rendered=self.plan.data.rendered,
                    beta=None,
                    attributes=attribute_accuracy(encoder, people, self.held_out),
                )
                encoder = calibrated(encoder, calibration)
                measured += judge_cascades(people, calibration.cascades, cross_camera=self.plan.data.cross_camera)
            except UsageError as error:
                self.reports.note(f"not calibrated: {error}")
        figures = [{"ranking": m.label, **_figures(m), "data": where} for m in measured]
        return encoder.with_card(encoder.card.model_copy(update={"metrics": figures}))


def _figures(measured: Measured) -> dict[str, float]:
    return {"rank1": float(measured.metrics.rank(1)), "map": float(measured.metrics.map_standard)}
