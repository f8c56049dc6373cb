"""Which is better for the same time: fewer bits, or attributes first (SSR paper, Table 8)? How long a list (Fig. 7)?

For each shorter identity code of an encoder with attributes: the length w of the short list for which attribute-based
fast retrieval (AFR) of the longest code compares as many bits, ``short N = attributes N + long w``, and the w, out of a
ladder, for which it takes as long as the short code in this run (ranking the whole gallery for one query at a time, on
one thread, all searches in turns). Then rank-1 and mAP in percent of either, of AFR with both, and of the whole ladder.
Of several encoders with codes of the same lengths, such as one recipe's of several seeds, mean and standard deviation.

    python studies/equal_time.py seed0.safetensors seed1.safetensors seed2.safetensors rendered-test
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence

import numpy as np
from program import over, progress, run, spread

from swiftreid.data.samples import ReidData
from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.evaluation.measure import Measured, measure_cascades
from swiftreid.experiments.encoded import encode_test_set
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import bits_of

Seeds = Sequence[Measured]
"""One search, measured with each encoder."""


def ideal(short: int, attributes: int, long: int, entries: int) -> int:
    """The w of equal work; 0 where the attributes alone are more bits than the short code.

    Example:
        >>> ideal(128, 30, 2048, 15912)  # the paper's: 761
        761
    """
    return max(0, (short - attributes) * entries // long)


def accuracy(found: Seeds | None) -> str:
    """Rank-1 and mAP."""
    if found is None:
        return f"{'-':^28}"
    rank1 = spread([100 * m.metrics.rank1 for m in found])
    return f"{rank1 + ' / ' + spread([100 * m.metrics.map_standard for m in found]):^28}"


def time_of(found: Seeds) -> float:
    """Microseconds to rank the whole gallery."""
    return statistics.mean(m.full_microseconds or 0.0 for m in found)


def measured(encoder: Encoder, data: ReidData, cascades: dict[str, Cascade]) -> list[Measured]:
    test = encode_test_set(data, encoder, progress=progress())
    return measure_cascades(cascades, test.query, test.gallery, timed=True, protocol=test.protocol)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "encoder", nargs="+", help="With attributes and several identity codes: a file, or a shipped one."
    )
    parser.add_argument("data", help="Data set with query and gallery pictures.")
    parser.add_argument(
        "--steps",
        type=int,
        default=24,
        help="Lengths on the ladder, from 10 to the whole gallery, each the same share longer than the one before.",
    )
    args = parser.parse_args()
    encoders, data = [open_encoder(name) for name in args.encoder], open_data(args.data)
    spec, entries = encoders[0].spec, len(data.gallery)
    if any(encoder.spec != spec for encoder in encoders):
        raise SystemExit(f"error: not codes of the same lengths: {', '.join(str(e.spec) for e in encoders)}")
    attributes, final = f"attr{len(encoders[0].card.attributes)}", spec.final
    shorts = [name for name in spec if name.startswith("id") and name != final]
    if not encoders[0].card.attributes or not shorts:
        raise SystemExit(f"error: {args.encoder[0]} has not both attributes and a code shorter than {final}: {spec}")
    ladder = np.unique(np.geomspace(min(10, entries), entries, args.steps).astype(int)).tolist()
    same_work = {name: ideal(bits_of(name), bits_of(attributes), bits_of(final), entries) for name in shorts}
    lengths = sorted({*ladder, *filter(None, same_work.values())})
    cascades = {name: Cascade.parse(name) for name in [*shorts, final]}
    cascades |= {f"w {w}": Cascade.parse(f"{attributes}:top={w} > {final}") for w in lengths}
    each = [measured(encoder, data, cascades) for encoder in encoders]
    found = {rows[0].label: rows for rows in zip(*each, strict=True)}

    print(f"{data.name}: {len(data.query):,} queries, {entries:,} entries; {attributes} > {final}")
    print(f"rank-1 / mAP, {over(len(encoders))}\n")
    print(f"{'bits':>8}{'us':>8}{'':28}{'w, same work':>14}{'AFR':^28}{'w, same time':>14}{'us':>8}{'AFR':^28}")
    for name in shorts:
        within = [w for w in lengths if time_of(found[f"w {w}"]) <= time_of(found[name])]
        timely = found[f"w {within[-1]}"] if within else None
        print(
            f"{name:>8}{time_of(found[name]):8.0f}{accuracy(found[name])}"
            f"{same_work[name] or '-':>14}{accuracy(found.get(f'w {same_work[name]}'))}"
            f"{within[-1] if within else '-':>14}{f'{time_of(timely):.0f}' if timely else '-':>8}{accuracy(timely)}"
        )
    print(f"{final:>8}{time_of(found[final]):8.0f}{accuracy(found[final])}\n")
    print(f"{'w':>8}{'us':>8}{'AFR':^28}")
    for w in lengths:
        print(f"{w:8}{time_of(found[f'w {w}']):8.0f}{accuracy(found[f'w {w}'])}")


if __name__ == "__main__":
    run(main)
