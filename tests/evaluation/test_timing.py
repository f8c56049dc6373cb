from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from swiftreid.evaluation import timing
from swiftreid.evaluation.timing import one_thread, time_searches


def test_one_query_at_a_time_and_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, calls = [0.0], []

    def search(label: str, seconds: float) -> Callable[[int], None]:
        def run(query: int) -> None:
            calls.append((label, query))
            clock[0] += seconds

        return run

    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(timing, "ROUNDS", 3)
    monkeypatch.setattr(timing, "SECONDS", 6.0)
    times = time_searches({"slow": search("slow", 2.0), "quick": search("quick", 1.0)}, 3)
    assert times == pytest.approx({"slow": 2e6, "quick": 1e6})
    assert calls[:2] == [("slow", 0), ("quick", 0)], "warm"
    assert calls[2:5] == [("slow", 0), ("quick", 0), ("quick", 1)]
    assert calls[5:8] == [("slow", 1), ("quick", 2), ("quick", 0)], "each goes on where it was"
    assert time_searches({"x": search("x", 1.0)}, 0) == {}


def test_one_thread_is_one_thread() -> None:
    np.ones((2, 2)) @ np.ones((2, 2))
    with one_thread():
        assert {library["num_threads"] for library in threadpool_info()} <= {1}
