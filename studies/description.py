"""How well people are found by description: precision at 10 against chance, for 1, 2 and 3 attributes.

Each query describes somebody of the data set's test people by some of the attributes that this person has, drawn at
random; a result is right where it shows anybody with all of them. Only descriptions are asked that fit at least 10
pictures. Chance is the share of pictures that a description fits, which is what a random order would find.

    python studies/description.py rendered rendered-test
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from program import run

from swiftreid.data.schemas import attribute_bits, schema_of
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.search.cascade import Cascade
from swiftreid.search.description import Description, attribute_names
from swiftreid.search.table import CodeTable

DEPTH = 10


def descriptions(
    bits: NDArray[np.bool_], count: int, attributes: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Places of the attributes of each query: all are yes of somebody, and of at least `DEPTH` pictures together."""
    found: list[NDArray[np.int64]] = []
    while len(found) < count:
        has = np.flatnonzero(bits[rng.integers(len(bits))])
        if len(has) < attributes:
            continue
        chosen = np.sort(rng.choice(has, attributes, replace=False))
        if bits[:, chosen].all(axis=1).sum() >= DEPTH:
            found.append(chosen)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", help="One with attributes: a file, or a shipped one.")
    parser.add_argument("data", help="Data set whose people's attributes are known.")
    parser.add_argument("--queries", type=int, default=1000, help="Of each number of attributes.")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    encoder, data = open_encoder(args.encoder), open_data(args.data)
    names, known = encoder.card.attributes, attribute_names(encoder.card.attributes)
    samples = [*data.query, *data.gallery]
    schema = schema_of(samples)
    if not names or schema is None or set(known) - set(schema.names):
        raise SystemExit(f"error: {args.encoder} and {args.data} have not the same attributes")
    people = encode_samples(encoder, samples)
    sample_of = {sample.path: sample for sample in samples}
    bits, _ = attribute_bits([sample_of[path] for path in people.paths or ()], schema)
    bits = bits[:, [schema.names.index(name) for name in known]]
    code = f"attr{len(names)}"
    # Random order, so that who comes first among equals has nothing to do with who they are.
    order = np.random.default_rng(args.seed).permutation(len(people))
    bits, table = bits[order], CodeTable({code: np.ascontiguousarray(people.codes[code][order])})
    kinds: dict[str, Mapping[str, float] | None] = {"all alike": None}
    if encoder.card.reliability:
        kinds["by reliability"] = encoder.card.reliability
    print(f"{encoder.card.name}, {code}; {len(people):,} pictures of {data.name}, {args.queries:,} queries a row")
    print(f"{'attributes':>10}{'weights':>18}{f'precision at {DEPTH}':>18}{'chance':>9}{'gain':>8}")
    for attributes in (1, 2, 3):
        rng = np.random.default_rng((args.seed, attributes))
        queries = descriptions(bits, args.queries, attributes, rng)
        fits = np.stack([bits[:, chosen].all(axis=1) for chosen in queries])
        for label, reliability in kinds.items():
            described = [Description({known[i]: True for i in chosen}) for chosen in queries]
            found = Cascade.parse(code).search(
                table,
                {code: np.stack([each.code(names) for each in described])},
                DEPTH,
                weights={code: np.stack([each.weights(names, reliability) for each in described])},
            )
            precision = float(np.take_along_axis(fits, found.indices, axis=1).mean())
            chance = float(fits.mean())
            print(f"{attributes:10}{label:>18}{100 * precision:17.1f}%{100 * chance:8.1f}%{precision / chance:7.1f}x")


if __name__ == "__main__":
    run(main)
