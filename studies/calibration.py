"""Whether calibrated thresholds keep what they promise, on people that had no say in them.

Each folder is a data set in Market-1501 layout whose people the encoder has not learned from; queries and gallery are
taken together. Its people are divided at random, many times: thresholds come from one part, figures from the other,
whose every picture is a query among all the others.

- ``kept``: share of the exhaustive result that passes all stages, as `recall_thresholds` promises it: a mean over
  people, of relevant entries within the certified reach. ``broken``: divisions in which less was kept than promised.
- ``lost``: mAP below exhaustive search, in points. ``bytes``: compared for an entry, of 256 by exhaustive search.
- ``same person``: the threshold for 5 % false accepts in a gallery of ``--gallery`` pictures; counted are the queries
  whose person is not there and that are given an entry of such a gallery, and those whose person is found.

With several folders, each one's people as a whole also calibrate the cascade of the others: other cameras, for which
nothing is promised. ``--synthetic TRIALS`` does without pictures: codes of which the share kept is known exactly.

    python studies/calibration.py cuhk01 cuhk03-np-pair1 --encoder hashed.safetensors --json calibration.json
    python studies/calibration.py --synthetic 200
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from program import progress, run

from swiftreid.calibration.pairs import pair_histograms
from swiftreid.calibration.recall import TooFewPeople, people_needed, recall_thresholds, relevant_pairs
from swiftreid.calibration.same_person import fit_same_person
from swiftreid.calibration.short_list import fit_short_list
from swiftreid.calibration.thresholds import fit_thresholds
from swiftreid.data.market import read_market
from swiftreid.encoding.cache import EncodingCache
from swiftreid.evaluation.labelled import LabelledCodes, together
from swiftreid.evaluation.ranking_metrics import metrics_of_cascade
from swiftreid.experiments.encoded import encode_test_set
from swiftreid.search import kernels
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.codes import bits_of, pack_bits
from swiftreid.search.reference import share_of
from swiftreid.search.table import CodeTable

PROMISES = ((0.90, 0.95), (0.95, 0.95), (0.99, 0.95))
BETAS = (2.0, 4.0)
FALSE_ACCEPTS = 0.05

SYNTHETIC = ((0.90, 0.80, 100), (0.95, 0.95, 150), (0.99, 0.90, 400))
"""Share, confidence, people."""
BITS = (16, 64, 128)
RATES = (0.05, 0.12, 0.25)
"""Of a person's bits wrong in a picture; each person has one of them."""


@dataclass(frozen=True)
class ChosenCascade:
    """A cascade, and what it promises to keep."""

    cascade: Cascade
    promise: float | None = None


@dataclass
class Tally:
    """Figures of one way to choose thresholds, one of each a division."""

    promise: float | None
    kept: list[float] = field(default_factory=list)
    lost: list[float] = field(default_factory=list)
    bytes_per_entry: list[float] = field(default_factory=list)
    refused: int = 0

    def summary(self) -> dict[str, Any]:
        if not self.kept:
            return {"refused": self.refused}
        broken = None if self.promise is None else sum(kept < self.promise for kept in self.kept)
        return {
            "divisions": len(self.kept),
            "kept": float(np.mean(self.kept)),
            "least": min(self.kept),
            "broken": broken,
            "map_lost": float(np.mean(self.lost)),
            "bytes_per_entry": float(np.mean(self.bytes_per_entry)),
        }


def choices(people: LabelledCodes, seed: int) -> tuple[dict[str, ChosenCascade | None], int]:
    """Every way to choose a cascade, None where there are too few people, and the certified reach (else all bits)."""
    data, final = (people.codes, people.persons, people.cameras), list(people.codes)[-1]
    found: dict[str, ChosenCascade | None] = {}
    reach = bits_of(final)
    for share, confidence in PROMISES:
        label = f"recall {share:.0%} at {confidence:.0%}"
        try:
            certified = recall_thresholds(*data, share=share, confidence=confidence, seed=seed)
        except TooFewPeople:
            found[label] = None
        else:
            found[label], reach = ChosenCascade(certified.cascade(), share), certified.reach
    histograms = pair_histograms(*data)
    for method in ("gaussian", "empirical"):
        for formula in ("derived", "printed") if method == "gaussian" else ("derived",):
            for beta in BETAS:
                fitted = fit_thresholds(histograms, beta=beta, method=method, formula=formula)
                label = f"DTO {method}{', as printed' if formula == 'printed' else ''}, beta {beta:g}"
                found[label] = ChosenCascade(fitted.cascade(final))
    found["w rule, rank-w 97%"] = ChosenCascade(fit_short_list(*data).cascade())
    return found, reach


class Judge:
    """What cascades do to people who had no say in them."""

    def __init__(self, people: LabelledCodes, reach: int) -> None:
        self._people, self._table = people, CodeTable(dict(people.codes))
        self._queries, self._entries = relevant_pairs(people.persons, people.cameras)
        final = list(people.codes)[-1]
        within = self._apart(final) <= reach
        self._queries, self._entries = self._queries[within], self._entries[within]
        self._exhaustive = self._rank(Cascade([Stage(final)]))[0]

    def _apart(self, name: str) -> NDArray[np.int64]:
        code = self._people.codes[name]
        apart = np.bitwise_count(code[self._queries] ^ code[self._entries])
        bits: NDArray[np.int64] = apart.sum(axis=1, dtype=np.int64)
        return bits

    def _rank(self, cascade: Cascade) -> tuple[float, float]:
        metrics, report = metrics_of_cascade(cascade, self._table, self._people, self._people)
        return metrics.map_standard, report.bytes_per_query / len(self._people)

    def add(self, chosen: ChosenCascade, tally: Tally) -> None:
        precision, compared = self._rank(chosen.cascade)
        tally.lost.append(100 * (self._exhaustive - precision))
        tally.bytes_per_entry.append(compared)
        tally.kept.append(self._kept(chosen.cascade))

    def _kept(self, cascade: Cascade) -> float:
        passes = np.ones(len(self._queries), bool)
        for stage in cascade.stages[:-1]:
            passes &= self._apart(stage.code) <= self._furthest(stage)[self._queries]
        return by_person(self._queries, passes, self._people.persons)

    def _furthest(self, stage: Stage) -> NDArray[np.int64]:
        """For each query the largest distance that a stage lets pass; of a share, whoever ties with its last one."""
        count = len(self._people)
        if stage.threshold is not None:
            return np.full(count, stage.threshold)
        assert stage.share is not None
        code = self._people.codes[stage.code]
        place = share_of(stage.share, count) - 1
        return np.concatenate(
            [
                np.partition(kernels.hamming(code, code[i : i + 256]), place, axis=1)[:, place]
                for i in range(0, count, 256)
            ]
        )


def by_person(queries: NDArray[np.intp], passes: NDArray[np.bool_], persons: NDArray[np.int64]) -> float:
    """Mean over people of the mean over their queries of the share that passes."""
    queried, which = np.unique(queries, return_inverse=True)
    share = np.bincount(which, passes) / np.bincount(which)
    who = np.unique(persons[queried], return_inverse=True)[1]
    return float((np.bincount(who, share) / np.bincount(who)).mean())


def same_person(fitted: LabelledCodes, unseen: LabelledCodes, gallery: int, rng: np.random.Generator) -> list[float]:
    """False accepts and finds of the threshold on people who had no say in it."""
    name = list(fitted.codes)[-1]
    found = fit_same_person(
        fitted.codes[name], fitted.persons, fitted.cameras, code=name, false_accepts=FALSE_ACCEPTS, gallery=gallery
    )
    accepted_pairs = kernels.hamming(unseen.codes[name], unseen.codes[name]) <= found.threshold
    same = unseen.persons[:, None] == unseen.persons[None, :]
    accepted = [
        accepted_pairs[i, rng.choice(np.flatnonzero(~same[i]), gallery, replace=False)].any()
        for i in range(len(unseen))
    ]
    match = same & (unseen.cameras[:, None] != unseen.cameras[None, :])
    there = match.any(axis=1)
    return [float(np.mean(accepted)), float((accepted_pairs & match).any(axis=1)[there].mean())]


def measure(everybody: LabelledCodes, options: argparse.Namespace) -> dict[str, Any]:
    """Divide the people again and again."""
    people, decided = np.unique(everybody.persons), []
    tallies: dict[str, Tally] = {}
    count = round(options.part * len(people))
    for seed in range(options.divisions):
        rng = np.random.default_rng(seed)
        mine = np.isin(everybody.persons, rng.permutation(people)[:count])
        fitted, unseen = everybody.take(mine), everybody.take(~mine)
        found, reach = choices(fitted, seed)
        judge = Judge(unseen, reach)
        for label, chosen in found.items():
            tally = tallies.setdefault(label, Tally(chosen.promise if chosen else None))
            if chosen is None:
                tally.refused += 1
            else:
                judge.add(chosen, tally)
        decided.append(same_person(fitted, unseen, options.gallery, rng))
    accepts, finds = np.transpose(decided)
    return {
        "people": len(people),
        "calibrating": count,
        "pictures": len(everybody),
        "rows": {label: tally.summary() for label, tally in tallies.items()},
        "same_person": {
            "gallery": options.gallery,
            "false_accepts": float(accepts.mean()),
            "least": float(accepts.min()),
            "most": float(accepts.max()),
            "found": float(finds.mean()),
        },
    }


def elsewhere(fitted: LabelledCodes, unseen: LabelledCodes) -> dict[str, Any]:
    """All people of one data set calibrate, another is measured."""
    found, reach = choices(fitted, 0)
    judge, rows = Judge(unseen, reach), {}
    for label, chosen in found.items():
        tally = Tally(chosen.promise if chosen else None)
        if chosen is not None:
            judge.add(chosen, tally)
            rows[label] = tally.summary() | {"cascade": str(chosen.cascade)}
    return rows


def synthetic(trials: int) -> list[dict[str, Any]]:
    """Promises about codes whose bits are wrong independently, so that the kept share is a formula."""
    rows = []
    for share, confidence, people in SYNTHETIC:
        kept = []
        for seed in range(trials):
            rng = np.random.default_rng(seed)
            rates, persons = rng.choice(RATES, people), np.repeat(np.arange(people), 4)
            codes = {}
            for bits in BITS:
                own = rng.random((people, bits)) > 0.5
                codes[f"id{bits}"] = pack_bits(
                    own[persons] ^ (rng.random((4 * people, bits)) < rates[persons][:, None])
                )
            fitted = recall_thresholds(
                codes, persons, np.tile([0, 1, 0, 1], people), share=share, confidence=confidence, depth=None, seed=seed
            )
            kept.append(truly_kept(fitted.values))
        rows.append(
            {
                "share": share,
                "confidence": confidence,
                "people": people,
                "needed": people_needed(share, confidence),
                "trials": trials,
                "broken": sum(each < share for each in kept),
                "allowed": round((1 - confidence) * trials),
                "kept": float(np.mean(kept)),
            }
        )
        print(
            "{share:.0%} at {confidence:.0%}, {people} people: {broken} of {trials} promises broken where {allowed} "
            "were allowed; kept {kept:.2%}".format(**rows[-1])
        )
    return rows


def truly_kept(values: Mapping[str, int]) -> float:
    """Chance that two pictures of a person are within all thresholds: their bits differ with 2 r (1 - r) each."""
    total = 0.0
    for rate in RATES:
        differ, chance = 2 * rate * (1 - rate), 1.0
        for code, most in values.items():
            bits = int(code[2:])
            chance *= sum(math.comb(bits, i) * differ**i * (1 - differ) ** (bits - i) for i in range(most + 1))
        total += chance / len(RATES)
    return total


def show(title: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    print(f"{title}\n{'':34}{'kept':>8}{'least':>8}{'broken':>8}{'lost':>8}{'bytes':>8}")
    for label, row in rows.items():
        if "kept" not in row:
            print(f"  {label:32}  no promise: too few people")
            continue
        broken = "-" if row["broken"] is None else row["broken"]
        print(
            f"  {label:32}{row['kept']:8.1%}{row['least']:8.1%}{broken:>8}{row['map_lost']:8.2f}"
            f"{row['bytes_per_entry']:8.1f}{'  ' + row['cascade'] if 'cascade' in row else ''}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, metavar="DIR", help="data sets in Market-1501 layout")
    parser.add_argument("--encoder", help="encoder file, or 'stripes'")
    parser.add_argument("--divisions", type=int, default=10, help="how often the people are divided")
    parser.add_argument("--part", type=float, default=0.6, help="share of the people who calibrate")
    parser.add_argument("--gallery", type=int, default=300, help="size of the gallery for the same-person threshold")
    parser.add_argument("--synthetic", type=int, default=0, metavar="TRIALS", help="measure codes of known distances")
    parser.add_argument("--cache", type=Path, help="folder to keep encodings in; default: the user's own")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    if bool(options.folders) != bool(options.encoder) or not (options.folders or options.synthetic):
        parser.error("give data sets and --encoder, or --synthetic, or all of them")
    out: dict[str, Any] = {}
    sets: dict[str, LabelledCodes] = {}
    encoder = options.encoder
    cache = EncodingCache(options.cache) if options.cache else None
    for folder in options.folders:
        data = read_market(folder, need=("query", "gallery"))
        test = encode_test_set(data, encoder, progress=progress(), cache=cache)
        everybody = together(test.query, test.gallery)
        sets[folder.resolve().name] = everybody.take(everybody.persons > 0)  # distractors are nobody
    for name, everybody in sets.items():
        found = out[name] = measure(everybody, options)
        title = f"{name}: {found['calibrating']} of {found['people']} people calibrate, {options.divisions} divisions"
        show(title, found["rows"])
        print(
            "same person: {false_accepts:.1%} false accepts ({least:.1%} to {most:.1%}) in {gallery} pictures, "
            "{found:.1%} found\n".format(**found["same_person"])
        )
    for (name, fitted), (other, unseen) in permutations(sets.items(), 2):
        out[f"{name} to {other}"] = elsewhere(fitted, unseen)
        show(f"calibrated on {name}, measured on {other}", out[f"{name} to {other}"])
    if options.synthetic:
        out["synthetic"] = synthetic(options.synthetic)
    if options.json is not None:
        options.json.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
