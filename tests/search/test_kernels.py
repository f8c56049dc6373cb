"""Every native kernel equals the reference, bit for bit."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_cases import NAMES, Case, cases, codes_like
from swiftreid.errors import UsageError
from swiftreid.search import distances, kernels
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import bits_of, pack_bits, row_bytes_of
from swiftreid.search.results import SearchResult
from swiftreid.search.table import CodeTable

NATIVE = [name for name in kernels.available_kernels() if name != "reference"]

pytestmark = pytest.mark.skipif(not NATIVE, reason="the native kernels are not built")


def assert_equal(result: SearchResult, expected: SearchResult) -> None:
    for name in ("indices", "distances", "stages", "counts"):
        got, wanted = getattr(result, name), getattr(expected, name)
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got, wanted, err_msg=name)
    for ours, theirs in zip(result.report, expected.report, strict=True):
        assert (ours.entries_in, ours.entries_kept) == (theirs.entries_in, theirs.entries_kept), ours.rule


@pytest.mark.parametrize("kernel", NATIVE)
@settings(max_examples=150)
@given(case=cases())
def test_search_equals_the_reference(kernel: str, case: Case) -> None:
    def run(kernel: str) -> SearchResult:
        return case.cascade.search(
            case.table,
            case.queries,
            k=case.k,
            threads=case.threads,
            mask=case.mask,
            weights=case.weights,
            min_candidates=case.least,
            kernel=kernel,
        )

    assert_equal(run(kernel), run("reference"))


@pytest.mark.parametrize("kernel", NATIVE)
@settings(max_examples=150)
@given(case=cases(), ties=st.sampled_from(["gallery", "stages"]))
def test_rank_equals_the_reference(kernel: str, case: Case, ties: str) -> None:
    def run(kernel: str) -> SearchResult:
        return case.cascade.rank(
            case.table,
            case.queries,
            threads=case.threads,
            mask=case.mask,
            weights=case.weights,
            min_candidates=case.least or 0,
            ties=ties,
            kernel=kernel,
        )

    assert_equal(run(kernel), run("reference"))


@pytest.mark.parametrize("kernel", NATIVE)
@pytest.mark.parametrize(
    "text",
    [
        "id32<=11 > id128<=45 > id512<=195 > id2048",
        "id32<=2 > id128 > id2048",  # too few pass: the threshold must rise
        "id32:share=0.2 > id2048",
        "id32:top=5000 > id128:top=600 > id2048<=1000",
        "id2048",
        "id2048<=990",
        "id32",
    ],
)
def test_many_blocks(kernel: str, text: str) -> None:
    """More rows than one block of any loop, in segments that end in the middle of blocks."""
    rng = np.random.default_rng(5)
    cascade = Cascade.parse(text)
    n, names = 21_001, cascade.codes
    codes = {name: rng.integers(0, 256, (n, row_bytes_of(name)), np.uint8) for name in names}
    cuts = [0, 4097, 4097, 12_289, n]
    table = CodeTable.from_segments([CodeTable({m: c[a:b] for m, c in codes.items()}) for a, b in pairwise(cuts)])
    queries = {name: code[[3, 9000, 21_000, 77]].copy() for name, code in codes.items()}
    for mask in (None, rng.random(n) < 0.6, rng.random(n) < 0.02):
        expected = cascade.search(table, queries, k=150, mask=mask, kernel="reference")
        assert_equal(cascade.search(table, queries, k=150, mask=mask, threads=2, kernel=kernel), expected)
        packed = None if mask is None else np.packbits(mask, bitorder="little")
        assert_equal(cascade.search(table, queries, k=150, mask=packed, kernel=kernel), expected)
    expected = cascade.rank(table, queries, kernel="reference")
    assert_equal(cascade.rank(table, queries, threads=2, kernel=kernel), expected)


@pytest.mark.parametrize("kernel", NATIVE)
@pytest.mark.parametrize("name", ["id128", "id160", "id384", "id2048", "id4096"])
@pytest.mark.parametrize("rule", ["", "<=60", ":top=7"])
def test_many_queries_share_a_tile(kernel: str, name: str, rule: str) -> None:
    """Enough queries and rows that tiles are turned; near rows keep coming, and many are at one distance."""
    rng = np.random.default_rng(11)
    n, queries = 2_900, 40
    code = codes_like(rng, n, bits_of(name), 0.9)
    asked = {name: code[rng.integers(n, size=queries)] ^ np.uint8(1)}
    asked[name][0] = ~code[0]
    table = CodeTable.from_segments([CodeTable({name: code[a:b]}) for a, b in pairwise([0, 700, 701, n])])
    cascade = Cascade.parse(name + rule)
    for mask in (None, rng.random(n) < 0.9, rng.random(n) < 0.1):
        for k in (1, 30, 500):
            expected = cascade.search(table, asked, k=k, mask=mask, kernel="reference")
            for threads in (1, 3):
                got = cascade.search(table, asked, k=k, mask=mask, threads=threads, kernel=kernel)
                assert_equal(got, expected)


CASCADES = [
    "id32<=11 > id128<=45 > id512<=195 > id2048",
    "id32<=9 > id128<=30 > id512<=150 > id2048<=900",
    "id128<=40 > id2048",
    "id32:top=900 > id128<=50 > id512:share=0.3 > id2048:top=20",
    "id512<=200 > id32<=12 > id2048",
    "id512:top=100 > id2048",
    "id32:top=300+ > id128:share=0.5+ > id2048",
]


@settings(max_examples=20)
@given(
    text=st.sampled_from(CASCADES),
    seed=st.integers(0, 99),
    queries=st.sampled_from([1, 2, 7, 70]),
    threads=st.integers(1, 4),
    least=st.sampled_from([None, 0, 3, 2000]),
    live=st.sampled_from([1.0, 0.99, 0.5, 0.03, 0.002, 0.0]),
    cuts=st.lists(st.integers(0, 20_000), max_size=3),
)
def test_groups_and_teams_equal_one_query_at_a_time(
    text: str, seed: int, queries: int, threads: int, least: int | None, live: float, cuts: list[int]
) -> None:
    """Several chunks, shared out among queries and threads in every way, against the reference on a few queries.

    Every kernel on the same examples: making one and searching it with the reference takes most of the time.
    """
    rng = np.random.default_rng(seed)
    cascade, n = Cascade.parse(text), 20_000
    centres = rng.random((8, 2048)) < 0.5
    bits = centres[rng.integers(8, size=n)] ^ (rng.random((n, 2048)) < rng.uniform(0.2, 0.45))
    codes = {name: pack_bits(bits[:, : bits_of(name)]) for name in cascade.codes}
    edges = sorted([0, *cuts, n])
    table = CodeTable.from_segments([CodeTable({m: c[a:b] for m, c in codes.items()}) for a, b in pairwise(edges)])
    asked = {name: code[rng.integers(n, size=1) + np.zeros(queries, int)] for name, code in codes.items()}
    asked = {name: code ^ rng.integers(0, 4, code.shape, np.uint8) for name, code in asked.items()}
    mask = None if live == 1.0 else rng.random(n) < live
    chosen = {}
    for i in sorted({0, queries // 2, queries - 1}):
        one = {name: code[i : i + 1] for name, code in asked.items()}
        chosen[i] = cascade.search(table, one, k=50, mask=mask, min_candidates=least, kernel="reference")
    for kernel in NATIVE:
        got = cascade.search(table, asked, k=50, threads=threads, mask=mask, min_candidates=least, kernel=kernel)
        for i, expected in chosen.items():
            for name in ("indices", "distances", "stages", "counts"):
                found, wanted = getattr(got, name)[i : i + 1], getattr(expected, name)
                np.testing.assert_array_equal(found, wanted, err_msg=f"{kernel}: {name}")


@pytest.mark.parametrize("kernel", NATIVE)
@pytest.mark.parametrize("name", [*NAMES, "id4096", "id65504"])
def test_hamming_equals_the_reference(kernel: str, name: str) -> None:
    rng = np.random.default_rng(1)
    for n, q in ((0, 2), (1, 1), (37, 3), (700, 2), (5, 0)):
        width = row_bytes_of(name)
        column, queries = rng.integers(0, 256, (n, width), np.uint8), rng.integers(0, 256, (q, width), np.uint8)
        if q:
            queries[0] = 255  # with the next line: the largest distance that there is
            column[:1] = 0
        got = kernels.hamming(column, queries, name, kernel=kernel)
        np.testing.assert_array_equal(got, distances.hamming(column, queries))
        assert got.dtype == np.int32


@pytest.mark.parametrize("kernel", NATIVE)
def test_read_only_maps_are_searched_in_place(kernel: str, tmp_path) -> None:
    codes = codes_like(np.random.default_rng(0), 500, 2048, 1.0)
    codes.tofile(tmp_path / "codes")
    mapped = np.memmap(tmp_path / "codes", np.uint8, "r", shape=codes.shape)
    table = CodeTable({"id2048": mapped})
    assert table.column("id2048")[0] is mapped
    cascade = Cascade.parse("id2048")
    expected = cascade.search(CodeTable({"id2048": codes}), {"id2048": codes[:3]}, k=9, kernel="reference")
    assert_equal(cascade.search(table, {"id2048": mapped[:3]}, k=9, kernel=kernel), expected)


def test_rows_at_odd_addresses() -> None:
    """Maps may start anywhere: no load may assume alignment."""
    codes = codes_like(np.random.default_rng(3), 300, 256, 1.0)
    memory = np.zeros(codes.nbytes + 1, np.uint8)
    odd = memory[1:].reshape(codes.shape)
    odd[:] = codes
    for kernel in NATIVE:
        got = kernels.hamming(odd, odd[:4], "id256", kernel=kernel)
        np.testing.assert_array_equal(got, distances.hamming(codes, codes[:4]))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_forked_children_search_too() -> None:
    """A child has none of its parent's waiting threads, and must not wait for them."""
    program = """
import os, threading
import numpy as np
from swiftreid.search.cascade import Cascade
from swiftreid.search.table import CodeTable
rng = np.random.default_rng(0)
codes = {"id32": rng.integers(0, 256, (20000, 4), np.uint8), "id128": rng.integers(0, 256, (20000, 16), np.uint8)}
table, cascade, asked = CodeTable(codes), Cascade.parse("id32<=11 > id128"), {n: c[:1] for n, c in codes.items()}
expected = cascade.search(table, asked, threads=3).indices
stop = threading.Event()
def search():
    while not stop.is_set():
        cascade.search(table, asked, threads=3)
for _ in range(2):
    threading.Thread(target=search, daemon=True).start()
for _ in range(40):
    child = os.fork()
    if child == 0:
        os._exit(0 if np.array_equal(cascade.search(table, asked, threads=3).indices, expected) else 1)
    assert os.waitpid(child, 0)[1] == 0
stop.set()
print("done")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "done\n", done.stderr


@pytest.mark.parametrize("kernel", NATIVE)
def test_large_results_take_memory_that_nobody_looks_at_any_more(kernel: str) -> None:
    codes = codes_like(np.random.default_rng(12), 9000, 32, 0.9)
    table, cascade = CodeTable({"id32": codes}), Cascade.parse("id32")

    def rank(query: int) -> SearchResult:
        return cascade.rank(table, {"id32": codes[query : query + 1]}, kernel=kernel)

    expected = [cascade.rank(table, {"id32": codes[i : i + 1]}, kernel="reference") for i in range(6)]
    views = [rank(i).distances[0, 1:] for i in range(3)]  # parts of results keep their memory
    results = [rank(i) for i in range(6)]
    for result, wanted in zip(results, expected, strict=True):
        assert_equal(result, wanted)
    for view, wanted in zip(views, expected, strict=False):
        np.testing.assert_array_equal(view, wanted.distances[0, 1:])
    del result
    place = results.pop().indices.ctypes.data
    assert rank(0).indices.ctypes.data == place


@pytest.mark.parametrize("size", [0, 1, 70_000, 5_000_000, 40_000_000])
def test_memory_for_results_is_nobody_elses(size: int) -> None:
    from swiftreid import _native

    for _ in range(3):
        blocks = [_native.room(size) for _ in range(3)]
        for number, block in enumerate(blocks):
            block.fill(number)
        assert all(block.shape == (size,) and (block == number).all() for number, block in enumerate(blocks))
    with pytest.raises(ValueError, match="too large"):
        _native.room(2**60)


def test_a_table_survives_changes_to_the_lists_that_it_gives_out() -> None:
    codes = codes_like(np.random.default_rng(8), 400, 128, 0.9)
    table, cascade = CodeTable({"id128": codes.copy()}), Cascade.parse("id128<=60 > id128")
    expected = cascade.search(table, {"id128": codes[:3]}, k=5)
    table.column("id128").clear()
    gc.collect()
    assert_equal(cascade.search(table, {"id128": codes[:3]}, k=5), expected)


@pytest.mark.parametrize("kernel", NATIVE)
def test_more_threads_than_there_can_be(kernel: str) -> None:
    codes = codes_like(np.random.default_rng(9), 400, 128, 0.9)
    table, cascade = CodeTable({"id128": codes}), Cascade.parse("id128<=60 > id128")
    expected = cascade.search(table, {"id128": codes[:3]}, k=5, kernel="reference")
    assert_equal(cascade.search(table, {"id128": codes[:3]}, k=5, threads=2**31, kernel=kernel), expected)


def test_the_variable_forces_a_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    def look(name: str | None) -> None:
        monkeypatch.setattr(kernels, "_from_environment", lambda: name)

    look(None)
    assert kernels.active_kernel() == kernels.available_kernels()[0]
    for name in kernels.available_kernels():
        look(name)
        assert kernels.active_kernel() == name
    assert kernels.active_kernel("portable") == "portable"  # the argument wins
    look("abacus")
    with pytest.raises(UsageError, match=r"abacus.*portable"):
        kernels.active_kernel()


@pytest.mark.parametrize("name", [*kernels.available_kernels(), None])
def test_the_variable_is_read_from_the_environment(name: str | None) -> None:
    program = "from swiftreid.search import kernels; print(kernels.active_kernel())"
    environment = {key: value for key, value in os.environ.items() if key != kernels.VARIABLE}
    if name is not None:
        environment[kernels.VARIABLE] = name
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == (name or kernels.available_kernels()[0])


def test_without_the_native_module_the_reference_serves_with_one_warning() -> None:
    program = """
import sys, warnings
sys.modules["swiftreid._native"] = None
import numpy as np
from swiftreid.search.cascade import Cascade
from swiftreid.search.table import CodeTable
codes = {"id32": np.zeros((3, 4), np.uint8)}
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    for _ in range(3):
        result = Cascade.parse("id32").search(CodeTable(codes), codes, k=2)
print(len(seen), seen[0].category.__name__, result.indices.tolist())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1 RuntimeWarning [[0, 1], [0, 1], [0, 1]]"


def test_the_native_module_refuses_what_would_overrun() -> None:
    from swiftreid import _native

    codes = np.zeros((3, 4), np.uint8)
    column, rules = _native.Column([codes], None), _native.Rules(["all"], [0.0], [False])

    few = np.zeros(33, np.uint16)

    def call(**changes):
        arguments = {
            "columns": [column], "lists": None, "sample": None, "queries": [codes], "weights": [None],
            "rules": rules, "bitmap": None, "min_candidates": 0, "order": "search", "threads": 1, "kernel": "portable",
            "indices": np.zeros((3, 2), np.int64), "distances": np.zeros((3, 2), np.int32),
            "stages": np.zeros((3, 2), np.int8), "counts": np.zeros(3, np.int64),
            "figures": np.zeros((3, 1)),
        }  # fmt: skip
        _native.cascade(**{**arguments, **changes})

    call()
    wrong = [
        {"columns": []},
        {"columns": [column, column]},
        {"columns": [None]},
        {"columns": [codes]},
        {"columns": [_native.Column([np.zeros((3, 8), np.uint8)], None)]},
        {"columns": [_native.Column([codes.astype(np.float32)], None)]},
        {"queries": [codes[:2]]},
        {"queries": [codes.astype(np.float32)]},
        {"weights": []},
        {"weights": [np.zeros((2, 32), np.uint8)]},
        {"weights": [np.zeros((3, 31), np.uint8)]},
        {"weights": [np.zeros((3, 32), np.int8)]},
        {"weights": [np.zeros((3, 32), np.uint8)], "rules": _native.Rules(["threshold"], [3.0], [False])},
        {"rules": None},
        {"rules": _native.Rules(["nprobe"], [0.1], [False])},
        {"bitmap": np.zeros(2, np.uint8)},
        {"order": "gallery"},  # a ranking of three entries needs three columns
        {"order": "sideways"},
        {"lists": (codes, 1, [])},
        {"sample": (column, column, codes, codes, few, few)},  # two parts that are more than the whole
        {"sample": (column, codes, few, few)},
        {"kernel": "abacus"},
        {"indices": np.zeros((2, 2), np.int64)},
        {"distances": np.zeros((3, 3), np.int32)},
        {"counts": np.zeros(2, np.int64)},
        {"figures": np.zeros((3, 2))},
        {"figures": np.zeros((3, 1), np.int64)},
    ]
    for changes in wrong:
        with pytest.raises((ValueError, RuntimeError, TypeError)):
            call(**changes)
    for segments, planes in (
        ([], None),
        ([codes.astype(np.int32)], None),
        ([codes[:, ::-1]], None),
        ([codes, np.zeros((3, 8), np.uint8)], None),
        ([np.zeros((3, 6), np.uint8)], None),
        ([codes], []),
        ([codes], [np.zeros(2047, np.uint8)]),
        ([codes], [np.zeros(2048, np.int8)]),
    ):
        with pytest.raises((ValueError, RuntimeError, TypeError)):
            _native.Column(segments, planes)
    for keeps, amounts in (([], []), (["most"], [0.0]), (["all"], [-1.0]), (["all"], [float("nan")]),
                           (["share"], [1.5]), (["all"], []), (["all", "nprobe"], [0.0, 0.5])):  # fmt: skip
        with pytest.raises((ValueError, RuntimeError, TypeError)):
            _native.Rules(keeps, amounts, [False] * len(keeps))
