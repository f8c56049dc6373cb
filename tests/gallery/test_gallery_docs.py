"""What the page on galleries shows can be run as it stands."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "gallery.md"


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    # tests/docs runs the other blocks.
    block = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    monkeypatch.chdir(tmp_path)
    exec(compile(block, str(PAGE), "exec"), {})
    first, second, third = capsys.readouterr().out.splitlines()
    assert first == "2 True ['a.jpg', 'b.jpg']"
    assert second.startswith("[Entry(id='a.jpg', camera='door'")
    assert third == "['b.jpg']"
