"""The toy method of docs/add_a_method.md, saved as a file and registered by one line, is found by recipes and tests."""

from __future__ import annotations

import re
from pathlib import Path

from warm import run_python

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/add_a_method.md").read_text(encoding="utf-8")

PROGRAM = """
import torch
from swiftreid.methods import METHODS, build_method
from swiftreid.training.network.recipe import load_network_recipe

METHODS.register({line})
recipe = load_network_recipe("recipe.yaml", ["settings.scale=3"])
method = build_method(recipe.method, 4, **recipe.settings)
assert type(method).__module__ == "cosine_softmax" and method.config.scale == 3
method.loss(torch.randn(4, 3, 64, 32), torch.arange(4))["total"].backward()
assert all(p.grad is not None for p in method.parameters())
try:
    load_network_recipe("recipe.yaml", ["views=2"])
except ValueError as error:
    print(error)
"""


def test_the_file_and_the_line_of_the_page_are_a_method(tmp_path: Path) -> None:
    [block] = re.findall(r"^```python\n(.*?)^```", PAGE, re.M | re.S)
    [line] = re.findall(r'^```text\n("cosine_softmax": .*),\n```', PAGE, re.M)
    (tmp_path / "cosine_softmax.py").write_text(block.partition("\n\nif __name__")[0] + "\n")
    (tmp_path / "recipe.yaml").write_text("method: cosine_softmax\nsettings: {trunk: osnet_x0_25}\n")
    assert "swiftreid.methods.cosine_softmax:" in line
    registered = line.replace('": "', '", "').replace("swiftreid.methods.", "")  # where this test may write
    ran = run_python("-c", PROGRAM.format(line=registered), folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "method cosine_softmax has none" in ran.stdout
