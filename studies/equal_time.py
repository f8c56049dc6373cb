"""Which is better for the same time: fewer bits, or attributes first (SSR paper, Table 8)? How long a list (Fig. 7)?

For each shorter identity code: the length w of the short list for which attribute-based fast retrieval (AFR) of the
longest code compares as many bits, ``short N = attributes N + long w``, and the w, out of a ladder, for which it takes
as long as the short code in this run (ranking the whole gallery for one query at a time, on one thread, all searches of
an encoder in turns). Then rank-1 and mAP in percent of either, of AFR with both, and of the whole ladder; of AFR also
the mAP over the short list, where matches that are not on the list cost nothing; and the share of queries with a match
among the w nearest by attributes alone (the dashed lines of Fig. 7).

The shorter codes are those of the same encoder, or, as in the paper, of encoders with one length each. Of several
encoders of a kind, such as one recipe's of several seeds, mean and standard deviation.

    python studies/equal_time.py seed0.safetensors seed1.safetensors seed2.safetensors crowd
    python studies/equal_time.py length/*/*/encoder.safetensors crowd
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from program import over, progress, run, spread

from swiftreid.data.sources import open_data
from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.evaluation.measure import Measured, measure_cascades
from swiftreid.experiments.encoded import EncodedData, encode_test_set
from swiftreid.figures.short_lists import first_match_ranks
from swiftreid.search.cascade import Cascade
from swiftreid.search.codes import bits_of

Seeds = Sequence[Measured]
"""One search, measured with each encoder of a kind."""


def ideal(short: int, attributes: int, long: int, entries: int) -> int:
    """The w of equal work; 0 where the attributes alone are more bits than the short code.

    Example:
        >>> ideal(128, 30, 2048, 15912)  # the paper's: 761
        761
    """
    return max(0, (short - attributes) * entries // long)


def accuracy(found: Seeds | None, width: int = 28) -> str:
    """Rank-1 and mAP."""
    if found is None:
        return f"{'-':^{width}}"
    rank1 = spread([100 * m.metrics.rank1 for m in found])
    return f"{rank1 + ' / ' + spread([100 * m.metrics.map_standard for m in found]):^{width}}"


def list_accuracy(found: Seeds | None) -> str:
    """Rank-1, mAP, and mAP over the short list."""
    if found is None:
        return f"{'-':^46}"
    over_list = spread([100 * m.metrics.map_short_list for m in found])
    return f"{accuracy(found, 0) + ' / ' + over_list:^46}"


def time_of(found: Seeds) -> float:
    """Microseconds to rank the whole gallery."""
    return statistics.mean(m.full_microseconds or 0.0 for m in found)


def matched(ranks: Sequence[NDArray[np.int64]], w: int) -> str:
    """Percent of queries with a match among the w nearest by attributes; ignored pictures fill places too."""
    return spread([100 * float((each <= w).mean()) for each in ranks])


def kinds_of(encoders: Sequence[Encoder]) -> list[list[Encoder]]:
    """Encoders with the same codes together, the longest code last.

    Raises:
        SystemExit: they cannot be compared.
    """
    kinds: dict[tuple[str, ...], list[Encoder]] = {}
    for encoder in encoders:
        kinds.setdefault(tuple(encoder.spec), []).append(encoder)
    ordered = sorted(kinds.values(), key=lambda kind: bits_of(kind[0].spec.final))
    if len({len(kind) for kind in ordered}) > 1:
        listed = ", ".join(f"{len(kind)} of {kind[0].spec}" for kind in ordered)
        raise SystemExit(f"error: as many encoders of each kind are needed, got {listed}")
    if not ordered[-1][0].card.attributes:
        raise SystemExit(f"error: {encoders[0].card.name} has no attributes")
    return ordered


def by_search(tests: Sequence[EncodedData], cascades: dict[str, Cascade]) -> dict[str, Seeds]:
    """What each search gives with each encoder of a kind."""
    each = [measure_cascades(cascades, t.query, t.gallery, timed=True, protocol=t.protocol) for t in tests]
    return {rows[0].label: rows for rows in zip(*each, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "encoder",
        nargs="+",
        help="With attributes and several identity codes, or one code each: files or shipped ones.",
    )
    parser.add_argument("data", help="Data set with query and gallery pictures.")
    parser.add_argument(
        "--steps",
        type=int,
        default=24,
        help="Lengths on the ladder, from 10 to the whole gallery, each the same share longer than the one before.",
    )
    args = parser.parse_args()
    data = open_data(args.data)
    kinds = kinds_of([open_encoder(name) for name in args.encoder])
    encoded = [[encode_test_set(data, encoder, progress=progress()) for encoder in kind] for kind in kinds]
    *shorter, longest = kinds
    spec, entries = longest[0].spec, len(data.gallery)
    attributes, final = f"attr{len(longest[0].card.attributes)}", spec.final
    own = [name for name in spec if name.startswith("id") and name != final]
    shorts = own or [kind[0].spec.final for kind in shorter]
    if not shorts:
        raise SystemExit(f"error: no code is shorter than {final}: give encoders of several lengths")
    if own and shorter:
        raise SystemExit(f"error: {spec} has shorter codes of its own: give encoders of this kind, or of one code each")
    ladder = np.unique(np.geomspace(min(10, entries), entries, args.steps).astype(int)).tolist()
    same_work = {name: ideal(bits_of(name), bits_of(attributes), bits_of(final), entries) for name in shorts}
    lengths = sorted({*ladder, *filter(None, same_work.values())})
    cascades = {name: Cascade.parse(name) for name in [*own, final]}
    cascades |= {f"w {w}": Cascade.parse(f"{attributes}:top={w} > {final}") for w in lengths}
    found = by_search(encoded[-1], cascades)
    for kind, tests in zip(shorter, encoded, strict=False):
        found |= by_search(tests, {kind[0].spec.final: Cascade.parse(kind[0].spec.final)})
    ranks = [first_match_ranks(attributes, t.query, t.gallery, protocol=t.protocol) for t in encoded[-1]]

    print(f"{data.name}: {len(data.query):,} queries, {entries:,} entries; {attributes} > {final}")
    print(f"rank-1 / mAP, of AFR also mAP over the short list; {over(len(longest))}\n")
    print(f"{'bits':>8}{'us':>8}{'':28}{'w, same work':>14}{'AFR':^46}{'w, same time':>14}{'us':>8}{'AFR':^46}")
    for name in shorts:
        within = [w for w in lengths if time_of(found[f"w {w}"]) <= time_of(found[name])]
        timely = found[f"w {within[-1]}"] if within else None
        print(
            f"{name:>8}{time_of(found[name]):8.0f}{accuracy(found[name])}"
            f"{same_work[name] or '-':>14}{list_accuracy(found.get(f'w {same_work[name]}'))}"
            f"{within[-1] if within else '-':>14}{f'{time_of(timely):.0f}' if timely else '-':>8}"
            f"{list_accuracy(timely)}"
        )
    print(f"{final:>8}{time_of(found[final]):8.0f}{accuracy(found[final])}\n")
    print(f"{'w':>8}{'us':>8}{'AFR':^46}{'matched by attributes':>24}")
    for w in lengths:
        each = found[f"w {w}"]
        print(f"{w:8}{time_of(each):8.0f}{list_accuracy(each)}{matched(ranks, w):>24}")


if __name__ == "__main__":
    run(main)
