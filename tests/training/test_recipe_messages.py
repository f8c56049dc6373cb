"""What is said of recipes that cannot be run."""

from __future__ import annotations

from pathlib import Path

import pytest

from swiftreid.errors import UsageError
from swiftreid.training.frozen.recipe import load_recipe
from swiftreid.training.network.recipe import load_network_recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("views: 2", ": views need a teacher, and method ranking has none: leave views out"),
        ("size: [2, 3]", ": size is height and width of 16 to 1024 pixels, not (2, 3)"),
        ("schedule: {epochs: 0}", ", field schedule.epochs: Input should be greater than or equal to 1"),
        (
            "optimiser: {rate: 1}",
            ", field optimiser.rate: there is no such field; there are name, learning_rate, trunk_rate, "
            "weight_decay, decay_all, clip",
        ),
        ("batchs: {persons: 2}", ", field batchs: there is no such field; did you mean batches?"),
        ("schedule: {epoch: 2}", ", field schedule.epoch: there is no such field; did you mean epochs?"),
        ("features: frozen", " is one of `swiftreid hash`, not of this command"),
    ],
)
def test_messages_name_the_field_where_there_is_one(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "r.yaml"
    path.write_text(f"method: ranking\n{text}\n")
    with pytest.raises(UsageError) as caught:
        load_network_recipe(path)
    assert str(caught.value) == f"recipe {path}{message}"


def test_messages_of_settings_have_no_prefix() -> None:
    with pytest.raises(UsageError) as caught:
        load_recipe(None, ["training.epochs=0"])
    assert str(caught.value) == "settings, field training: training needs at least 1 epoch, got 0"
