"""Pooling by the values behind the bits, against a loop over queries."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from swiftreid.data.market import read_market
from swiftreid.data.samples import Sample
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.labelled import encode_samples, pool_queries
from swiftreid.errors import UsageError
from swiftreid.search.codes import pack_bits


def test_values_are_averaged_before_they_become_bits(drawn_people: Path) -> None:
    data, encoder = read_market(drawn_people), open_encoder("stripes")
    query = encode_samples(encoder, data.query)
    assert query.paths == [sample.path for sample in data.query]
    more = [*data.gallery, data.query[0], Sample(data.train[0].path, 99, 1)]  # its own picture too, and a stranger
    further = encode_samples(encoder, more)
    pooled = pool_queries(encoder, query, further)
    assert query.embedding is not None
    assert further.embedding is not None
    assert pooled.embedding is not None
    for i, sample in enumerate(data.query):
        rows = [query.embedding[i]] + [
            further.embedding[j]
            for j, other in enumerate(more)
            if (other.person, other.camera) == (sample.person, sample.camera) and other.path.name != sample.path.name
        ]
        assert len(rows) == 2
        assert np.allclose(pooled.embedding[i], np.mean(rows, axis=0), atol=1e-6)
        for name, values in encoder.values_of(np.array(rows)).items():
            assert pooled.codes[name][i].tolist() == pack_bits(values.mean(axis=0)[None])[0].tolist()
    changed = [name for name in query.codes if (pooled.codes[name] != query.codes[name]).any()]
    assert changed == list(query.codes), "pooling must change something"
    alone = pool_queries(encoder, query, further.take(np.array([len(more) - 1])))
    assert all(np.array_equal(alone.codes[name], query.codes[name]) for name in query.codes), "nothing to pool"


def test_what_cannot_be_pooled_is_refused(drawn_people: Path) -> None:
    data, encoder = read_market(drawn_people), open_encoder("stripes")
    query = encode_samples(encoder, data.query[:2])
    with pytest.raises(UsageError, match="no float embedding"):
        pool_queries(encoder, replace(query, embedding=None), query)
    with pytest.raises(UsageError, match="paths"):
        pool_queries(encoder, query, replace(query, paths=None))
