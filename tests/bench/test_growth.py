"""The cost model finds the costs that made its data; the chart is well-formed and stays within its frame."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from swiftreid.bench.chart import Line, log_log_chart
from swiftreid.bench.growth import doubt, growth_sizes
from swiftreid.bench.model import CostModel, Moved
from swiftreid.errors import UsageError
from swiftreid.search.cascade import Cascade
from swiftreid.search.table import CodeTable

SVG = "{http://www.w3.org/2000/svg}"


def test_the_model_finds_the_costs_that_made_the_data() -> None:
    made = CostModel(fixed_us=7, scan_gb_per_s=20, line_ns=8, error=0)
    moved = [Moved(n * b, n * share) for n in (1e5, 1e6, 1e7) for b, share in ((256, 0), (4, 0.07), (4, 0.02))]
    found = CostModel.fit(moved, [made.seconds(one) for one in moved])
    assert found.fixed_us == pytest.approx(7)
    assert found.scan_gb_per_s == pytest.approx(20)
    assert found.line_ns == pytest.approx(8)
    assert found.error < 1e-9
    assert found.seconds(Moved(2e9, 1e6)) == pytest.approx(7e-6 + 0.1 + 0.008)


def test_no_cost_is_below_zero() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        moved = [Moved(*rng.uniform(0, 1e6, 2).tolist()) for _ in range(5)]
        found = CostModel.fit(moved, rng.uniform(1e-4, 1e-2, 5).tolist())
        assert found.fixed_us >= 0
        assert found.scan_gb_per_s > 0
        assert found.line_ns >= 0


def test_a_free_scan_has_no_rate_in_json() -> None:
    found = CostModel.fit([Moved(n, 0) for n in (1, 10, 100)], [1e-3] * 3)
    assert found.as_dict()["scan_gb_per_s"] is None
    assert found.fixed_us == pytest.approx(1000)


def test_two_points_are_too_few() -> None:
    with pytest.raises(UsageError, match="three"):
        CostModel.fit([Moved(1, 1)] * 2, [1.0] * 2)


def test_the_largest_gallery_within_a_time() -> None:
    model = CostModel(fixed_us=1000, scan_gb_per_s=10, line_ns=10, error=0)
    assert model.entries_within(Moved(40, 0.1), 0.1) == pytest.approx(0.099 / (4e-9 + 1e-9))
    assert model.entries_within(Moved(40, 0.1), 0.0005) == 0


def test_moved_bytes_are_those_of_the_report() -> None:
    rng = np.random.default_rng(1)
    codes = {"id32": rng.integers(0, 256, (500, 4), np.uint8), "id2048": rng.integers(0, 256, (500, 256), np.uint8)}
    report = (
        Cascade.parse("id32:top=50 > id2048")
        .search(CodeTable(codes), {name: code[:3] for name, code in codes.items()}, k=5)
        .report
    )
    assert Moved.by(report) == Moved(scanned=2000, gathered=50 * 4)
    assert Moved.by(report).times(3) == Moved(6000, 600)


def test_sizes_grow_by_four_up_to_the_largest() -> None:
    assert growth_sizes(10_000_000) == [16_000, 64_000, 256_000, 1_024_000, 4_096_000, 10_000_000]
    assert growth_sizes(1_100_000) == [16_000, 64_000, 256_000, 1_100_000]
    assert growth_sizes(1000) == [1000]


def test_a_model_is_doubted_unless_two_sizes_are_beyond_the_caches() -> None:
    assert "one size, 20,000 entries" in (doubt(growth_sizes(20_000)) or "")
    assert "is a guess" in (doubt(growth_sizes(256_000)) or "")
    assert doubt(growth_sizes(1_000_000)) is None


def test_the_chart_is_an_svg_within_its_frame() -> None:
    lines = [
        Line("exhaustive <all>", [(16_000, 0.2), (1e6, 12)], [(1e6, 12), (1e9, 12_000)]),
        Line("two", [(16_000, 0.01), (1e6, 11.9)], [(1e6, 11.9), (1e9, 11_990)], dashed=True),
    ]
    root = ET.fromstring(log_log_chart("Time", "entries", "ms", lines))
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    dots = [(float(dot.attrib["cx"]), float(dot.attrib["cy"])) for dot in root.iter(f"{SVG}circle")]
    assert len(dots) == 4
    assert dots[0][0] < dots[1][0]
    assert dots[0][1] > dots[1][1], "up is slower"
    for path in root.iter(f"{SVG}polyline"):
        for pair in path.attrib["points"].split():
            across, up = map(float, pair.split(","))
            assert 0 <= across <= width
            assert 0 <= up <= height
    labels = {text.text: float(text.attrib["y"]) for text in root.iter(f"{SVG}text")}
    assert abs(labels["exhaustive <all>"] - labels["two"]) >= 15, "labels do not lie on one another"
    assert {"1k", "1bn", "0.01"} <= set(labels)
