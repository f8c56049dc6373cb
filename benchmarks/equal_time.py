"""Which is better for the same time: fewer bits, or attributes first (SSR paper, Table 8)?

For each shorter identity code of an encoder with attributes: the length w of the short list for which attribute-based
fast retrieval (AFR) of the longest code compares as many bits, ``short N = attributes N + long w``, and the w, out of a
ladder, for which it takes as long as the short code in this run (ranking the whole gallery for one query at a time, on
one thread, all searches in turns). Then rank-1 and mAP in percent of either, and of AFR with both.

    python benchmarks/equal_time.py encoder.safetensors rendered-test
"""

from __future__ import annotations

import argparse

import numpy as np

from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import open_encoder
from swiftreid.encoding.labelled import encode_samples
from swiftreid.evaluation.benchmark import Measured, measure_cascades
from swiftreid.evaluation.protocol import Protocol
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import bits_of

STEPS = 24
"""Lengths on the ladder, from 10 to the whole gallery, each the same share longer than the one before."""


def ideal(short: int, attributes: int, long: int, entries: int) -> int:
    """The w of equal work; 0 where the attributes alone are more bits than the short code.

    Example:
        >>> ideal(128, 30, 2048, 15912)  # the paper's: 761
        761
    """
    return max(0, (short - attributes) * entries // long)


def told(found: Measured) -> str:
    return f"{100 * found.metrics.rank1:6.1f} /{100 * found.metrics.map_standard:6.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", help="One with attributes and several identity codes: a file, or a shipped one.")
    parser.add_argument("data", help="Data set with query and gallery pictures.")
    args = parser.parse_args()
    encoder, data = open_encoder(args.encoder), open_data(args.data)
    attributes, final = f"attr{len(encoder.card.attributes)}", encoder.spec.final
    shorts = [name for name in encoder.spec if name.startswith("id") and name != final]
    if not encoder.card.attributes or not shorts:
        raise SystemExit(
            f"error: {args.encoder} has not both attributes and a shorter code than {final}: {encoder.spec}"
        )
    query, gallery = encode_samples(encoder, data.query), encode_samples(encoder, data.gallery)
    entries, protocol = len(gallery), Protocol(cross_camera=data.cross_camera)
    ladder = np.unique(np.geomspace(min(10, entries), entries, STEPS).astype(int)).tolist()
    alike = {name: ideal(bits_of(name), bits_of(attributes), bits_of(final), entries) for name in shorts}
    lengths = sorted({*ladder, *filter(None, alike.values())})
    cascades = {name: Cascade.parse(name) for name in [*shorts, final]}
    cascades |= {f"w {w}": Cascade.parse(f"{attributes}:top={w} > {final}") for w in lengths}
    found = {m.label: m for m in measure_cascades(cascades, query, gallery, timed=True, protocol=protocol)}
    print(f"{encoder.card.name} on {data.name}: {len(query):,} queries, {entries:,} entries; {attributes} > {final}")
    print(f"{final} exhaustive: {told(found[final])}, {found[final].full_microseconds:.0f} us")
    afr = f"{'w, same work':>16}{'AFR':>16}{'w, same time':>16}{'us':>8}{'AFR':>16}"
    print(f"{'bits':>8}{'us':>8}{'rank-1 / mAP':>18}{afr}")
    for name in shorts:
        time = found[name].full_microseconds or 0.0
        within = [w for w in lengths if (found[f"w {w}"].full_microseconds or 0.0) <= time]
        measured = found[f"w {within[-1]}"] if within else None
        same = found[f"w {alike[name]}"] if alike[name] else None
        print(
            f"{name:>8}{time:8.0f}{told(found[name]):>18}"
            f"{alike[name] if same else '-':>16}{told(same) if same else '-':>16}"
            f"{within[-1] if measured else '-':>16}"
            f"{f'{measured.full_microseconds:.0f}' if measured else '-':>8}{told(measured) if measured else '-':>16}"
        )


if __name__ == "__main__":
    main()
