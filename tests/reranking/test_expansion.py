"""Query expansion against votes counted bit by bit and sums of vectors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from search_cases import codes_like
from swiftreid.errors import UsageError
from swiftreid.reranking.expansion import expand_codes, expand_embeddings, vote
from swiftreid.search.codes import bits_of, pack_bits, unpack_bits
from swiftreid.search.table import CodeTable


def naive_bits(code: np.ndarray, bits: int) -> list[int]:
    return [int(code[b // 8]) >> (b % 8) & 1 for b in range(bits)]


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 3),
    st.integers(1, 30),
    st.sampled_from([0, 1, 3]),
    st.sampled_from([None, 0, 3, 20]),
    st.sampled_from([None, "id32"]),
)
@settings(max_examples=50)
def test_codes_are_voted_bit_by_bit(
    seed: int, queries: int, entries: int, alpha: int, within: int | None, weigh_by: str | None
) -> None:
    rng = np.random.default_rng(seed)
    both = {name: codes_like(rng, queries + entries, bits_of(name), 0.5) for name in ("id32", "attr30", "id72")}
    query = {name: code[:queries] for name, code in both.items()}
    gallery = {name: code[queries:] for name, code in both.items()}
    indices = rng.integers(-1, entries, (queries, 5))
    found = expand_codes(query, CodeTable(gallery), indices, weigh_by=weigh_by, alpha=alpha, within=within)
    by = weigh_by or "id72"
    for row in range(queries):
        weights = []
        for g in indices[row]:
            if g >= 0:
                own, other = naive_bits(query[by][row], bits_of(by)), naive_bits(gallery[by][g], bits_of(by))
                apart = sum(a != b for a, b in zip(own, other, strict=True))
                cosine = 1 - 2 * apart / bits_of(by)
                votes = cosine > 0 and (within is None or apart <= within)
                weights.append((int(g), cosine**alpha if votes else 0.0))
        for name in both:
            own = naive_bits(query[name][row], bits_of(name))
            for b, bit in enumerate(own):
                ballot = [(bit, 1.0)] + [(naive_bits(gallery[name][g], bits_of(name))[b], w) for g, w in weights]
                balance = sum(w if value else -w for value, w in ballot)
                expected = bit if abs(balance) < 1e-9 else int(balance > 0)
                assert naive_bits(found[name][row], bits_of(name))[b] == expected
            padding = unpack_bits(found[name], found[name].shape[1] * 8)[:, bits_of(name) :]
            assert not padding.any()


@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 1.0, 3.0]), st.sampled_from([None, 0.3]))
@settings(max_examples=50)
def test_embeddings_are_summed(seed: int, alpha: float, within: float | None) -> None:
    rng = np.random.default_rng(seed)
    query, gallery = rng.normal(size=(3, 6)).astype(np.float32), rng.normal(size=(20, 6)).astype(np.float32)
    indices = rng.integers(-1, 20, (3, 4))
    found = expand_embeddings(query, gallery, indices, alpha=alpha, within=within)
    for row in range(3):
        own = query[row].astype(float) / np.linalg.norm(query[row].astype(float))
        total = own.copy()
        for g in indices[row]:
            other = gallery[g].astype(float) / np.linalg.norm(gallery[g].astype(float))
            if g >= 0 and own @ other > 0 and (within is None or 1 - own @ other <= within):
                total += (own @ other) ** alpha * other
        assert np.allclose(found[row], total / np.linalg.norm(total), atol=1e-5)


def test_codes_are_the_signs_of_expanded_vectors() -> None:
    rng = np.random.default_rng(2)
    bits = rng.random((30, 128)) < 0.5
    bits[1:6] = bits[0] ^ (rng.random((5, 128)) < 0.2)
    signs, codes = np.where(bits, 1, -1).astype(np.float32), pack_bits(bits)
    indices = np.array([[1, 2, 3, 4]])
    vectors = expand_embeddings(signs[:1], signs, indices, alpha=1)
    expanded = expand_codes({"id128": codes[:1]}, CodeTable({"id128": codes}), indices, alpha=1)["id128"]
    assert np.array_equal(expanded, pack_bits(vectors))
    assert not np.array_equal(expanded, codes[:1])


def test_a_noisy_query_comes_closer_to_its_person() -> None:
    rng = np.random.default_rng(3)
    person = rng.random(512) < 0.5
    seen = person ^ (rng.random((6, 512)) < 0.2)
    codes = pack_bits(np.vstack([seen, rng.random((50, 512)) < 0.5]))
    new = expand_codes({"id512": codes[:1]}, CodeTable({"id512": codes}), np.array([[1, 2, 3, 4, 5]]))["id512"]

    def apart(code: np.ndarray) -> int:
        return int((unpack_bits(code, 512)[0] != person).sum())

    assert apart(new) < apart(codes[:1]) / 2


def test_no_results_leave_the_query() -> None:
    codes = codes_like(np.random.default_rng(1), 4, 32, 0.5)
    for indices in (np.full((4, 3), -1), np.empty((4, 0), np.int64)):
        assert np.array_equal(expand_codes({"id32": codes}, CodeTable({"id32": codes}), indices)["id32"], codes)


def test_zeros_and_results_on_the_other_side_do_not_count() -> None:
    query, gallery = np.array([[1, 0]], np.float32), np.array([[-1, 0], [0, 0], [0, 1]], np.float32)
    assert np.allclose(expand_embeddings(query, gallery, np.array([[0, 1, 2]])), query)
    assert np.array_equal(expand_embeddings(gallery[1:2], gallery, np.array([[0]])), gallery[1:2])


def test_wrong_arguments_are_refused() -> None:
    codes = np.zeros((2, 4), np.uint8)
    table, good = CodeTable({"id32": codes}), np.array([[0], [1]])
    for arguments, message in (
        ({"alpha": -1}, "alpha must be 0 or more"),
        ({"within": -2}, "within must be a distance"),
        ({"weigh_by": "id64"}, "no code 'id64' to weigh by"),
    ):
        with pytest.raises(UsageError, match=message):
            expand_codes({"id32": codes}, table, good, **arguments)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="position 2"):
        expand_codes({"id32": codes}, table, np.array([[0], [2]]))
    with pytest.raises(UsageError, match="whole numbers"):
        expand_codes({"id32": codes}, table, np.array([[0]]))
    with pytest.raises(UsageError, match="no code 'id64'"):
        expand_codes({"id64": np.zeros((2, 8), np.uint8)}, table, good)
    with pytest.raises(UsageError, match="embeddings must be"):
        expand_embeddings(np.ones((1, 2), np.float32), np.ones((1, 3), np.float32), np.array([[0]]))
    with pytest.raises(UsageError, match="no codes id32 to vote"):
        vote("id32", codes[:0])
