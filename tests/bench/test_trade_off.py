"""The chart of what searches find against their time."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from swiftreid.bench.trade_off import family, search_chart


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ours CtF 11/45/195", "ours CtF"),
        ("ours CtF 11/45/195, 2 threads", None),
        ("ours exhaustive, avx2", None),
        ("ours inverted lists 0.3, 10/45/195", "ours inverted lists"),
        ("ours certified 1e-6", "ours certified"),
        ("faiss IVF1024 nprobe 16", "faiss IVF1024 nprobe"),
        ("faiss IndexBinaryFlat", "faiss IndexBinaryFlat"),
    ],
)
def test_searches_of_one_family(name: str, expected: str | None) -> None:
    assert family(name) == expected


def test_the_chart_has_one_mark_for_each_search_and_one_for_the_legend() -> None:
    rows = [
        {"name": "faiss IndexBinaryFlat", "batch": 1, "ms": 20.0, "positives_found": 0.99},
        {"name": "faiss HNSW16 ef 128", "batch": 1, "ms": 1.0, "positives_found": 0.9},
        {"name": "faiss HNSW16 ef 512", "batch": 1, "ms": 4.0, "positives_found": 0.95},
        {"name": "faiss HNSW16 ef 8", "batch": 1, "ms": 0.2, "positives_found": 0.5},
        {"name": "ours CtF 11/45/195", "batch": 1, "ms": 0.4, "positives_found": 0.98},
        {"name": "ours CtF 11/45/195", "batch": 256, "ms": 0.1, "positives_found": 0.98},
        {"name": "ours CtF 11/45/195, 2 threads", "batch": 1, "ms": 0.3, "positives_found": 0.98},
    ]
    root = ET.fromstring(search_chart({"entries": 516_000, "k": 100, "rows": rows}))
    space = "{http://www.w3.org/2000/svg}"
    dots, hollow = root.findall(f"{space}circle"), root.findall(f"{space}polygon")
    assert (len(dots), len(hollow)) == (2, 5)
    width, height = (float(side) for side in root.attrib["viewBox"].split()[2:])
    for dot in dots:
        assert 0 < float(dot.attrib["cx"]) < width
        assert 0 < float(dot.attrib["cy"]) < height
    first, second = (float(dot.attrib["cx"]) for dot in dots)
    assert first < second  # the search, then its mark in the legend
    texts = [text.text for text in root.iter(f"{space}text")]
    assert "516,000 entries, k = 100, one query on one thread" in texts
    assert {"ours CtF", "faiss IndexBinaryFlat", "faiss HNSW16 ef"} <= set(texts)
