"""Attributes before the float features of other networks (SSR paper, Table 9), in small: MGN and ABD-Net.

Each is trained by its recipe of `small/` and its attributes learned on its embedding as `swiftreid hash` does, both
on the training people of the first data set. Then, on the test people of each: rank-1, mAP, and mAP over the short list
in percent, of the float embedding and of attribute-based fast retrieval (AFR) that ends in it, by the 97 % rule on
people held out; bytes of an entry, and milliseconds to rank the whole gallery for one query at a time, on one thread,
both in turns. Means over the seeds; runs are kept in folders, as by `tables.py`.

    python studies/hosts.py rendered crowd --out hosts --seeds 3
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from program import names_of, over, progress, run, spread, training_reports

from swiftreid.encoding.encoder import Encoder, open_encoder
from swiftreid.evaluation.measure import Measured, measure
from swiftreid.experiments.encoded import encode_test_set
from swiftreid.experiments.kept_runs import hashed, trained
from swiftreid.search.cascade import Cascade
from swiftreid.search.stages import EMBEDDING, Stage

HOSTS = ("mgn", "abd_net")
FLOAT, AFR = "float", "+ AFR"
CHANGES = ("attributes=true", "attribute_bits=1")  # as the paper has them


def with_attributes(host: str, data: Path, seed: int, out: Path, settings: Sequence[str]) -> Encoder:
    """A trained host with attributes learned on its embedding."""
    folder = out / host / str(seed)
    encoder = trained(f"small/{host}", data, folder, changes=settings, seed=seed, reports=training_reports())
    file = folder / "attributes.safetensors"
    return open_encoder(hashed(encoder, data, file, changes=CHANGES, seed=seed, progress=progress()))


def afr(encoder: Encoder) -> Cascade:
    """Attributes, as many as it takes for 97 % of the queries held out to have a match among them, then the floats."""
    fitted = encoder.card.calibration
    if fitted is None or fitted.short_list is None or not fitted.short_list.code.startswith("attr"):
        raise SystemExit(f"error: {encoder.card.name} has no short list by attributes")
    return Cascade([Stage(fitted.short_list.code, share=fitted.short_list.share), Stage(EMBEDDING)])


def measured(encoder: Encoder, data: Path, cascade: Cascade) -> list[Measured]:
    """The float embedding, and AFR before it."""
    test = encode_test_set(data, encoder, progress=progress())
    searched, exhaustive = measure({AFR: cascade}, test.query, test.gallery, protocol=test.protocol, float_label=FLOAT)
    return [exhaustive, searched]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="Data sets; the first also has training people.")
    parser.add_argument("--out", type=Path, required=True, help="Folder of the runs.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--set", action="append", default=[], help="Change a field of the recipes; repeatable.")
    args = parser.parse_args()
    names_of(args.data)
    if args.seeds < 1:
        parser.error("--seeds must be 1 or more")
    rows: dict[tuple[str, str, str], list[Measured]] = {}
    for host in HOSTS:
        for seed in range(args.seeds):
            encoder = with_attributes(host, args.data[0], seed, args.out, args.set)
            cascade = afr(encoder)
            print(f"{host}, seed {seed}: {cascade}")
            for data in args.data:
                for row in measured(encoder, data, cascade):
                    rows.setdefault((data.resolve().name, host, row.label), []).append(row)
    print(f"\n{'':36}{'rank-1 / mAP / over the list':^46}{'bytes':>8}{'ms':>16}   {over(args.seeds)}")
    for (name, host, label), found in rows.items():
        each = [(row.metrics.rank1, row.metrics.map_standard, row.metrics.map_short_list) for row in found]
        accuracy = " / ".join(spread([100 * value for value in values]) for values in zip(*each, strict=True))
        times = spread([(row.full_microseconds or 0.0) / 1e3 for row in found])
        print(f"{name:20}{host + ' ' + label:16}{accuracy:^46}{found[0].bytes_per_entry:8}{times:>16}")


if __name__ == "__main__":
    run(main)
