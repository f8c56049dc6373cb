"""Recipes of code pyramids on frozen embeddings: everything of such a run, except the data and the seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from swiftreid.training.frozen.pyramid import FrozenConfig
from swiftreid.training.recipe_file import read_recipe

_OF_NETWORKS = ("settings", "size", "batches", "augmentation", "optimiser", "schedule")
"""Fields that recipes of whole networks have, and these have not."""


class FrozenRecipe(BaseModel):
    """Learning a code pyramid on frozen embeddings, as `swiftreid hash` does."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    method: Literal["all_in_one"] = "all_in_one"
    features: Literal["frozen"] = "frozen"
    views: int = Field(default=1, ge=1, le=64)
    """Views of each picture to learn from, itself the first (see `swiftreid.training.views`)."""
    held_out: float = Field(default=0.2, ge=0, le=0.9)
    """Share of the people kept from the first fit, to calibrate and measure on."""
    codes: Literal["learn", "keep"] = "learn"
    """Whether to learn codes, or to keep those of the encoder and add attributes to them."""
    attributes: bool | Literal["keep"] = False
    """Whether to learn the attributes that the data set states too, a code ``attrN``, or to keep those of the
    encoder."""
    attribute_bits: Literal[1, 2] = 2
    """Bits of each attribute that is learned: the second says that it is sure (see
    `swiftreid.encoding.attribute_bits.with_second_bits`). The SSR paper has one."""
    export: Literal["fp32", "fp16"] = "fp32"
    """Number format of the pyramid's matrices in the encoder's file."""
    training: FrozenConfig = FrozenConfig()


def load_recipe(path: str | Path | None, settings: Sequence[str] = ()) -> FrozenRecipe:
    """Read a recipe; what it leaves out has its default. Without a path all is default.

    Args:
        path: YAML file.
        settings: changes to single fields, such as ``training.epochs=20``; values are YAML.

    Raises:
        SwiftReIDError: the file cannot be read.
        UsageError: it is no recipe, or a field is unknown or has an impossible value; the message names the field.
    """
    return read_recipe(FrozenRecipe, path, settings, others=dict.fromkeys(_OF_NETWORKS, "swiftreid train"))
