"""What re-ranking, query expansion and several pictures of a person do to real rankings.

Each folder is a data set in Market-1501 layout. Figures are rank-1 / mAP (standard) in per cent, single query,
cross-camera. Settings are the literature's (k1 = 20, k2 = 6, lambda = 0.3; alpha = 0, 1 and 3): none is fitted to the
data. The encoder must not have learned from the people measured.

- ``all together``: all queries are one another's neighbours, as papers do it. ``alone``: each query by itself, its
  first 100 results, with the graph of the whole gallery. ``first N``: each query by itself, its first N results among
  themselves, which is what `swiftreid search --rerank` does.
- ``other cameras only``: the same, searching only pictures of cameras other than the query's. The protocol ignores
  pictures of the query's person by its own camera as results, but re-ranking uses them: this says what it owes them.
- ``expanded by n``: the query and its n best results make a new query.
- ``together``: the query with all gallery pictures of the same person by the same camera as one query.

    python studies/rerank.py cuhk03-np-pair1 cuhk01 --encoder hashed.safetensors --json rerank.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from program import progress, run

from swiftreid.data.market import read_market
from swiftreid.encoding.cache import EncodingCache
from swiftreid.evaluation.embeddings import rank_by_embedding
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.protocol import evaluate_rankings
from swiftreid.experiments.encoded import encode_test_set
from swiftreid.reranking.expansion import expand_codes, expand_embeddings
from swiftreid.reranking.gallery_graph import GalleryGraph
from swiftreid.reranking.multi_query import fuse_embeddings, search_together
from swiftreid.reranking.rerank import POOL, rerank_codes, rerank_embeddings, rerank_results
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.stages import EMBEDDING
from swiftreid.search.table import CodeTable

Rankings = Iterable[NDArray[np.int64]]
Method = Callable[[LabelledCodes, LabelledCodes], Rankings]

FIRST = 100
POOLS = (100, 200, 500, POOL)
EXPANSIONS = [(n, alpha) for n in (3, 5, 10) for alpha in (0, 1, 3)]


class Board:
    """Prints and keeps the figures of one data set."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.rows: dict[str, list[float]] = {}

    def add(self, label: str, query: LabelledCodes, gallery: LabelledCodes, rankings: Rankings) -> None:
        found = evaluate_rankings(rankings, query.persons, query.cameras, gallery.persons, gallery.cameras)
        self.put(label, [100 * found.rank1, 100 * found.map_standard])

    def put(self, label: str, figures: list[float]) -> None:
        self.rows[label] = [round(figure, 1) for figure in figures]
        print(f"{self._name:18} {label:44} {figures[0]:5.1f} / {figures[1]:5.1f}", flush=True)


def plain(code: str) -> Method:
    return lambda query, gallery: Cascade([Stage(code)]).rank(CodeTable(dict(gallery.codes)), query.codes).indices


def together(code: str) -> Method:
    return lambda query, gallery: rerank_codes(code, query.codes[code], gallery.codes[code])


def alone(code: str) -> Method:
    """The first results by the graph of the whole gallery; what follows keeps its order."""

    def rank(query: LabelledCodes, gallery: LabelledCodes) -> Rankings:
        graph = GalleryGraph.of_codes(CodeTable(dict(gallery.codes)), code)
        graph.build()
        found = np.asarray(plain(code)(query, gallery))
        first = graph.rerank(found[:, :FIRST], query.codes[code]).indices
        return np.concatenate([first, found[:, FIRST:]], axis=1)

    return rank


def first(code: str, pool: int) -> Method:
    """The first results among themselves; what follows keeps its order."""

    def rank(query: LabelledCodes, gallery: LabelledCodes) -> Rankings:
        found = np.asarray(plain(code)(query, gallery))
        best = rerank_results(CodeTable(dict(gallery.codes)), code, query.codes[code], found[:, :pool]).indices
        return np.concatenate([best, found[:, pool:]], axis=1)

    return rank


def floats(query: LabelledCodes, gallery: LabelledCodes) -> Rankings:
    return rank_by_embedding(_embedding(query), _embedding(gallery))


def other_cameras(method: Method, query: LabelledCodes, gallery: LabelledCodes) -> list[float]:
    """Each camera's queries in a gallery of the other cameras; means over all queries that have a match."""
    shares, weights = [], []
    for camera in np.unique(query.cameras):
        queries, entries = query.take(query.cameras == camera), gallery.take(gallery.cameras != camera)
        if not len(entries):
            continue
        found = evaluate_rankings(
            method(queries, entries), queries.persons, queries.cameras, entries.persons, entries.cameras
        )
        shares.append([100 * found.rank1, 100 * found.map_standard])
        weights.append(found.valid)
    means: list[float] = np.average(shares, axis=0, weights=weights).tolist()
    return means


def several_pictures(
    board: Board, query: LabelledCodes, gallery: LabelledCodes, code: str, *, with_floats: bool
) -> float:
    """Every query with the gallery's pictures of its person by its camera; returns the pictures a query has so."""
    query = query.take(np.sort(np.unique(_who_and_where(query), return_index=True)[1]))  # one for each
    key, others = _who_and_where(query), _who_and_where(gallery)
    more = np.isin(others, key)
    if not more.any():
        return 1.0
    people = np.concatenate([key, others[more]])
    in_order = query.take(np.argsort(key))
    codes = {name: np.concatenate([query.codes[name], gallery.codes[name][more]]) for name in query.codes}
    table, cascade = CodeTable(dict(gallery.codes)), Cascade([Stage(code)])
    for fusion in ("mean", "nearest", "vote"):
        found = search_together(cascade, table, codes, people, len(gallery), fusion=fusion).indices
        board.add(f"together by {fusion}, {code}", in_order, gallery, found)
    if with_floats:
        fused = fuse_embeddings(np.concatenate([_embedding(query), _embedding(gallery)[more]]), people)
        board.add("together by mean, float", in_order, gallery, rank_by_embedding(fused, _embedding(gallery)))
    return len(people) / len(key)


def _embedding(codes: LabelledCodes) -> NDArray[np.float32]:
    found: NDArray[np.float32] = codes.columns(embedding=True)[EMBEDDING]
    return found


def _who_and_where(codes: LabelledCodes) -> NDArray[np.int64]:
    return codes.persons * 2**20 + codes.cameras


def measure(query: LabelledCodes, gallery: LabelledCodes, name: str) -> dict[str, Any]:
    board, table = Board(name), CodeTable(dict(gallery.codes))
    codes = list(query.codes)
    code, with_floats = codes[-1], query.embedding is not None and gallery.embedding is not None
    for each in codes[1:]:
        board.add(f"plain, {each}", query, gallery, plain(each)(query, gallery))
        board.add(f"all together, {each}", query, gallery, together(each)(query, gallery))
    if with_floats:
        board.add("plain, float", query, gallery, floats(query, gallery))
        board.add("all together, float", query, gallery, rerank_embeddings(_embedding(query), _embedding(gallery)))
    ways: dict[str, Method] = {f"alone, first {FIRST}, {code}": alone(code)}
    ways |= {f"first {pool:,} among themselves, {code}": first(code, pool) for pool in POOLS}
    for label, method in ways.items():
        board.add(label, query, gallery, method(query, gallery))
    for label, method in {f"plain, {code}": plain(code), f"all together, {code}": together(code), **ways}.items():
        board.put(f"other cameras only: {label}", other_cameras(method, query, gallery))
    best = np.asarray(plain(code)(query, gallery))
    nearest = np.array(list(floats(query, gallery))) if with_floats else best
    for n, alpha in EXPANSIONS:
        wider = LabelledCodes(expand_codes(query.codes, table, best[:, :n], alpha=alpha), query.persons, query.cameras)
        board.add(f"expanded by {n}, alpha {alpha}, {code}", query, gallery, plain(code)(wider, gallery))
        if with_floats:
            grown = expand_embeddings(_embedding(query), _embedding(gallery), nearest[:, :n], alpha=alpha)
            rankings = rank_by_embedding(grown, _embedding(gallery))
            board.add(f"expanded by {n}, alpha {alpha}, float", query, gallery, rankings)
    pictures = several_pictures(board, query, gallery, code, with_floats=with_floats)
    known = gallery.persons[gallery.persons > 0]
    return {
        "data": name,
        "queries": len(query),
        "gallery": len(gallery),
        "pictures_per_person": len(known) / max(1, len(np.unique(known))),
        "pictures_of_a_query_together": pictures,
        "rows": board.rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="data sets in Market-1501 layout")
    parser.add_argument("--encoder", required=True, help="encoder file, or 'stripes'")
    parser.add_argument("--cache", type=Path, help="folder to keep encodings in; default: the user's own")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    cache = EncodingCache(options.cache) if options.cache else None
    found = []
    for folder in options.folders:
        data = read_market(folder, need=("query", "gallery"))
        test = encode_test_set(data, options.encoder, progress=progress(), cache=cache)
        found.append(measure(test.query, test.gallery, folder.resolve().name))
        print(
            "{data}: {queries:,} queries, {gallery:,} gallery pictures, {pictures_per_person:.1f} a person; "
            "{pictures_of_a_query_together:.1f} pictures of a query searched together".format(**found[-1])
        )
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
