"""The real values behind the codes of a test set, and the relaxation that they passed in training."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from swiftreid.encoding.card import EncoderCard
from swiftreid.errors import UsageError
from swiftreid.experiments.encoded import EncodedData


def code_values(test: EncodedData) -> dict[str, NDArray[np.float32]]:
    """The values whose signs are the identity codes of the gallery: for each code float32 [n, bits].

    Raises:
        UsageError: the encoder gives no embedding that they could be computed from.
    """
    if test.gallery.embedding is None:
        raise UsageError(f"the encoder {test.encoder.card.name} gives bits alone, without values behind them")
    values: Mapping[str, NDArray[np.float32]] = test.encoder.values_of(test.gallery.embedding)
    return {code: each for code, each in values.items() if code.startswith("id")}


def relaxation_of(card: EncoderCard) -> str:
    """What stood in for the sign while the encoder learned its codes: "tanh", "sigmoid", "ssr", ...; "none" otherwise.

    All-in-One, on frozen embeddings too, has tanh; a method with the setting ``relaxation`` what that says.
    """
    recipe = card.training.get("codes_recipe", card.training.get("recipe"))
    if not isinstance(recipe, dict):
        return "none"
    if recipe.get("method") == "all_in_one":
        return "tanh"
    settings = recipe.get("settings")
    default = "ssr" if recipe.get("method") == "smooth_relaxation" else "none"
    return str(settings.get("relaxation", default)) if isinstance(settings, dict) else default
