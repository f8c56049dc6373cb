"""Graphs of other packages are kept as they grow."""

from __future__ import annotations

from pathlib import Path

import pytest

from swiftreid.bench import peers
from swiftreid.bench.codes import synthetic_codes


def test_an_interrupted_build_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("faiss", reason="FAISS is not installed: pip install 'swiftreid[bench]'")
    monkeypatch.setattr(peers, "_GRAPH_STEP", 400)
    synthetic_codes(1_000, 4, cache_folder=tmp_path)
    data = synthetic_codes(1_000, 4, cache_folder=tmp_path)
    build, steps = peers._built, []

    def interrupted(work):
        if len(steps) == 1:
            raise KeyboardInterrupt
        steps.append(1)
        return build(work)

    monkeypatch.setattr(peers, "_built", interrupted)
    with pytest.raises(KeyboardInterrupt):
        peers._grown_graph(data, "graph")
    assert data.folder is not None
    assert len(list((data.folder / "graph").iterdir())) == 1
    added = []
    monkeypatch.setattr(peers, "_built", lambda work: added.append(len(work.args[0])) or build(work))
    index, seconds = peers._grown_graph(data, "graph")
    assert (index.ntotal, added) == (1_000, [400, 200])
    assert seconds > 0
    added.clear()
    again, kept = peers._grown_graph(data, "graph")
    assert (again.ntotal, added, kept) == (1_000, [], pytest.approx(seconds, abs=0.0006))
