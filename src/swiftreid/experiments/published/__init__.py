"""Every table and figure of the papers, row by row: the commands that make each, and what the papers report.

The rows are data, in the YAML files beside this one.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

PAPERS = ("all_in_one", "ranking", "smooth_relaxation", "self_similarity")

IN_FULL: Mapping[str, str] = {
    "data": "market1501",
    "other": "dukemtmc-reid",
    "source": "msmt17",
    "large": "market1501+500k",
    "distractors": "0,100000,all",
    "weights": "--weights FILE",
    "attributes": "attr30",
    "cascade": "CASCADE",
    "sweep": "sweep-*.json",
}
"""What stands for the names in braces, as the papers have it: on Market-1501, from an ImageNet file."""


class PublishedRow(BaseModel):
    """One row of a table, or one figure.

    Attributes:
        place: which table or figure, such as "Table IV".
        row: the row's name.
        train: recipe of the network that it is of.
        set: changes to the recipe.
        more: further options of the training.
        trained_on: data set to train on.
        before: commands that come first.
        data: data set to measure on.
        evaluate: options of `swiftreid evaluate`.
        then: commands in place of `swiftreid evaluate`.
        run: commands in place of all of this.
        small: those commands in small.
        result: the ranking of the result card that is the row's.
        reported: rank-1 and mAP in percent that the paper reports, by data set.
        note: what else the reader should know.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    place: str
    row: str
    train: str | None = None
    set: tuple[str, ...] = ()
    more: str = ""
    trained_on: str = "{data}"
    before: tuple[str, ...] = ()
    data: str = "{data}"
    evaluate: str = ""
    then: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    small: tuple[str, ...] = ()
    result: str | None = None
    reported: dict[str, tuple[float, float]] = Field(default_factory=dict)
    note: str = ""

    @model_validator(mode="after")
    def _one_way(self) -> PublishedRow:
        if (self.train is None) == (not self.run):
            raise ValueError(f"{self.place}, {self.row}: a row has either train or run")
        return self

    def commands(self, names: Mapping[str, str] = IN_FULL, *, folder: str = "m") -> list[str]:
        """The commands, one after the other, in a folder of their own.

        Args:
            names: what stands for data sets, weights, the attribute code and the cascade.
            folder: of the run whose encoder is measured.
        """
        given = {**names, "folder": folder, "encoder": f"{folder}/encoder.safetensors"}
        if self.run:
            return [line.format(**given) for line in self.run]
        changes = "".join(f" --set {_quoted(change)}" for change in self.set)
        more = f" {self.more}" if self.more else ""
        train = f"swiftreid train {self.train} {self.trained_on} -o {folder} {{weights}}{changes}{more}"
        options = f" {self.evaluate}" if self.evaluate else ""
        measure = self.then or (f"swiftreid evaluate {self.data} --encoder {{encoder}}{options}",)
        lines = [line.format(**given) for line in (*self.before, train, *measure)]
        return [" ".join(line.split()) for line in lines]  # where there are no weights


def _quoted(change: str) -> str:
    return f"'{change}'" if "[" in change else change


@cache
def published_rows(paper: str) -> tuple[PublishedRow, ...]:
    """The rows of one of `PAPERS`, in the paper's order."""
    text = resources.files(__name__).joinpath(f"{paper}.yaml").read_text(encoding="utf-8")
    return tuple(PublishedRow.model_validate(row) for row in yaml.safe_load(text)["rows"])


@cache
def paper_title(paper: str) -> str:
    """The paper's name in headings."""
    text = resources.files(__name__).joinpath(f"{paper}.yaml").read_text(encoding="utf-8")
    return str(yaml.safe_load(text)["paper"])
