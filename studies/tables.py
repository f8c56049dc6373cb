"""The papers' ablation tables in small: a few seeds of each row, on data sets of the user's own, on a CPU if need be.

Every row is a recipe of `small/` with a few settings changed, trained by `swiftreid train` on the training
people of each data set and measured by `swiftreid evaluate` on its test people. Runs are kept in folders: a script that
was stopped goes on where it was. Then the table: mean and standard deviation over the seeds, rank-1 / mAP in percent
(of attributes: accuracy / mA), and whether each ordering that the paper reports holds: by the mAP (mA) of every seed,
of some ("not seen"), or of none. One seed says nothing of that.

    python studies/tables.py all_in_one rendered cuhk03-np-pair1 --out tables --seeds 3
    python studies/tables.py ranking rendered --out tables --set schedule.epochs=10 --init run/checkpoint.safetensors
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import commands

LENGTHS = ("id32", "id128", "id512", "id2048")
FLOAT = "float embedding"
CODE = "id512"  # of the small SSR recipe
ATTRIBUTES = "attributes"


@dataclass(frozen=True)
class Row:
    """A row of a paper's table: its name, the recipe, what is changed in it, and whose run it goes on from."""

    name: str
    recipe: str
    changes: tuple[str, ...] = ()
    first: Row | None = None


def _settings(**changes: float | bool | str) -> tuple[str, ...]:
    return tuple(f"settings.{name}={json.dumps(value)}" for name, value in changes.items())


ALL_IN_ONE = (
    Row("separate", "all_in_one", _settings(pyramid=False, probability_weight=0, similarity_weight=0)),
    Row("pyramid", "all_in_one", _settings(probability_weight=0, similarity_weight=0)),
    Row("+ probability", "all_in_one", _settings(similarity_weight=0)),
    Row("+ similarity", "all_in_one"),
    Row("similarity 100", "all_in_one", _settings(similarity_weight=100)),  # instead of the paper's 1000
)

RANKING = (
    Row("baseline", "baseline"),
    Row("CE before neck", "ranking", _settings(lin_weight=0, neck=False)),
    Row("CE after neck", "ranking", _settings(lin_weight=0)),
    Row("Lin before neck", "ranking", _settings(classification_weight=0, lin_weight=1, neck=False)),
    Row("Lin after neck", "ranking", _settings(classification_weight=0, lin_weight=1)),
    Row("both", "ranking"),
    Row("both, T 0", "ranking", _settings(temperature=0)),
    Row("both, T 2", "ranking", _settings(temperature=2)),
    Row("both, r 0.3", "ranking", _settings(radius=0.3)),
    Row("both, r 1.1", "ranking", _settings(radius=1.1)),
    Row("both, w 0.1", "ranking", _settings(lin_weight=0.1)),
    Row("both, w 1", "ranking", _settings(lin_weight=1)),
)

RELAXATIONS = ("sigmoid", "hardsigmoid", "tanh", "hardtanh", "dsh", "SSR teacher", "SSR student")


def _relaxed(name: str, *, norm: bool) -> Row:
    kind, _, codes = name.partition(" ")
    changes: dict[str, bool | str] = {"relaxation": kind.lower(), "norm": norm}
    if codes:
        changes["codes"] = codes
    return Row(f"{name}, BN" if norm else name, "smooth_relaxation", _settings(**changes))


RELAXATION = tuple(_relaxed(name, norm=norm) for norm in (False, True) for name in RELAXATIONS)


def _guided(beta: float, *, attention: bool) -> Row:
    name = f"beta {beta}, {'AAB' if attention else 'no AAB'}"
    return Row(name, "smooth_relaxation", _settings(attribute_weight=beta, attention=attention))


BETAS = (0, 0.1, 0.3, 1, 3)
ATTRIBUTE = tuple(_guided(beta, attention=attention) for attention in (False, True) for beta in BETAS)


def _distilled(alpha: float, *, norm: bool, first: Row | None = None) -> Row:
    name = f"alpha {alpha}{', BN' if norm else ''}{', pretrained' if first else ''}"
    changes = _settings(distillation_weight=alpha, norm=norm, pretrained=first is not None)
    return Row(name, "smooth_relaxation", changes, first)


ALPHAS = (0.1, 0.3, 0.7, 1)
BEST = (("", 0.7), (", BN", 0.3))  # alpha without and with BN


def _distillations(*, norm: bool) -> Sequence[Row]:
    """Nothing distilled; then the first way, and from what had nothing distilled the second."""
    first = _distilled(0, norm=norm)
    return (first, *(_distilled(alpha, norm=norm, first=start) for start in (None, first) for alpha in ALPHAS))


DISTILLATION = (*_distillations(norm=False), *_distillations(norm=True))

TABLES: Mapping[str, Sequence[Row]] = {
    "all_in_one": ALL_IN_ONE,
    "ranking": RANKING,
    "relaxation": RELAXATION,
    "distillation": DISTILLATION,
    "attribute": ATTRIBUTE,
}

# What the papers report, the worse before the better, each a row and a column. All-in-One, Table 5 and its text: longer
# codes are better in every setting, pyramid and distillation help short codes and the search that uses them. Ranking:
# Table I (losses and neck) and Table VI (against the baseline). SSR: Tables 6 (relaxations) and 7 (attributes, AAB),
# Fig. 5 (alpha) and 6 (beta).
ORDERINGS: Mapping[str, Sequence[tuple[tuple[str, str], tuple[str, str]]]] = {
    "all_in_one": [
        *(((row.name, short), (row.name, long)) for row in ALL_IN_ONE for short, long in pairwise(LENGTHS)),
        (("separate", "id32"), ("pyramid", "id32")),
        (("pyramid", "id32"), ("+ probability", "id32")),
        (("+ probability", "id32"), ("+ similarity", "id32")),
        (("separate", "CtF"), ("pyramid", "CtF")),
        (("pyramid", "CtF"), ("+ probability", "CtF")),
        (("+ probability", "CtF"), ("+ similarity", "CtF")),
        (("+ probability", "id32"), ("similarity 100", "id32")),  # the paper's order, asked of the smaller weight
        (("+ probability", "CtF"), ("similarity 100", "CtF")),
    ],
    "ranking": [
        (("CE before neck", FLOAT), ("CE after neck", FLOAT)),
        (("Lin before neck", FLOAT), ("Lin after neck", FLOAT)),
        (("CE after neck", FLOAT), ("both", FLOAT)),
        (("Lin after neck", FLOAT), ("both", FLOAT)),
        (("baseline", FLOAT), ("both", FLOAT)),
    ],
    "relaxation": [
        *(
            ((worse + norm, CODE), (better + norm, CODE))
            for norm in ("", ", BN")
            for worse, better in [
                ("sigmoid", "tanh"),
                ("tanh", "hardtanh"),
                ("hardtanh", "dsh"),
                ("dsh", "SSR student"),
                ("SSR teacher", "SSR student"),
            ]
        ),
        (("SSR student", CODE), ("SSR student, BN", CODE)),
    ],
    "distillation": [
        *(((f"alpha 0{norm}", CODE), (f"alpha {best}{norm}", CODE)) for norm, best in BEST),
        *(((f"alpha 1{norm}", CODE), (f"alpha {best}{norm}", CODE)) for norm, best in BEST),
    ],
    "attribute": [
        (("beta 0, no AAB", CODE), ("beta 0, AAB", CODE)),
        *(((f"beta {beta}, no AAB", CODE), ("beta 0, no AAB", CODE)) for beta in BETAS[1:]),
        *(((f"beta {beta}, no AAB", CODE), (f"beta {beta}, AAB", CODE)) for beta in BETAS[1:]),
        (("beta 0, AAB", CODE), ("beta 0.3, AAB", CODE)),
        (("beta 0.1, no AAB", ATTRIBUTES), ("beta 0.3, no AAB", ATTRIBUTES)),
        (("beta 0.1, AAB", ATTRIBUTES), ("beta 0.3, AAB", ATTRIBUTES)),
    ],
}

COLUMNS: Mapping[str, Sequence[str]] = {
    "all_in_one": [*LENGTHS, "CtF"],
    "ranking": [FLOAT],
    "relaxation": [CODE],
    "distillation": [CODE],
    "attribute": [CODE, ATTRIBUTES],
}

# Names of rankings on result cards.
SHORT = {"CtF, DTO beta 2": "CtF"} | {f"{length} exhaustive": length for length in LENGTHS}

Figures = Mapping[str, tuple[float, float]]
"""Rank-1 and mAP in percent by ranking, and accuracy and mA of attributes."""


def folder_of(row: Row, data: Path, seed: int, out: Path) -> Path:
    return out / data.resolve().name / row.name.replace(" ", "_").replace(",", "") / str(seed)


def trained(row: Row, data: Path, seed: int, out: Path, args: argparse.Namespace) -> Path:
    """The encoder of one run, which is made if it is not there yet, and before it the run that it goes on from."""
    start = args.init
    if row.first is not None:
        trained(row.first, data, seed, out, args)
        start = folder_of(row.first, data, seed, out) / "checkpoint.safetensors"
    options = ["--init", start] if start else []
    recipe, folder = f"small/{row.recipe}", folder_of(row, data, seed, out)
    return commands.train(recipe, data, folder, [*row.changes, *args.set], "--seed", seed, *options)


def measured(row: Row, data: Path, seed: int, out: Path, args: argparse.Namespace) -> Figures:
    """Rank-1 and mAP by ranking of one run, and accuracy and mA of its attributes."""
    encoder = trained(row, data, seed, out, args)
    found = commands.evaluate(encoder, data, folder_of(row, data, seed, out) / "card.json")
    return {SHORT.get(name, name): figures for name, figures in found.items()}


def print_table(table: str, data: Path, found: Mapping[str, Sequence[Figures]]) -> None:
    columns, seeds = COLUMNS[table], len(next(iter(found.values())))
    print(f"\n{data.resolve().name}: rank-1 / mAP, {commands.over(seeds)}")
    width = max(map(len, found)) + 1
    print(" " * width + "".join(f"{column:^27}" for column in columns))
    for name, runs in found.items():
        cells = (
            " / ".join(commands.spread([run[column][i] for run in runs]) for i in (0, 1))
            if all(column in run for run in runs)  # no CtF where nobody was held out
            else "-"
            for column in columns
        )
        print(f"{name:{width}}" + "".join(f"{cell:^27}" for cell in cells))
    for (worse, lower), (better, upper) in ORDERINGS[table]:
        lows, highs = found.get(worse, []), found.get(better, [])
        if lows and highs and all(lower in run for run in lows) and all(upper in run for run in highs):
            gains = [b[upper][1] - a[lower][1] for a, b in zip(lows, highs, strict=True)]
            told = ", ".join(f"{gain:+.1f}" for gain in gains)
            print(f"  {worse}, {lower} < {better}, {upper}: {verdict(gains)} ({told})")


def verdict(gains: Sequence[float]) -> str:
    """Whether an ordering holds, by what each seed gained."""
    if len(gains) == 1:
        return "one seed says nothing"
    return "holds" if min(gains) > 0 else "is reversed" if max(gains) < 0 else "is not seen"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=list(TABLES))
    parser.add_argument("data", type=Path, nargs="+", help="Data sets with training, query and gallery pictures.")
    parser.add_argument("--out", type=Path, required=True, help="Folder of the runs.")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--init", help="Checkpoint or encoder that all runs start from. Default: the recipe's.")
    parser.add_argument("--set", action="append", default=[], help="Change a field of all recipes; repeatable.")
    parser.add_argument("--rows", nargs="+", help="Only these rows.")
    args = parser.parse_args()
    commands.names_of(args.data)
    known = [row.name for row in TABLES[args.table]]
    if args.seeds < 1 or not set(args.rows or ()) <= set(known):
        parser.error(f"--seeds must be 1 or more, and --rows among: {', '.join(map(repr, known))}")
    rows = [row for row in TABLES[args.table] if not args.rows or row.name in args.rows]
    for data in args.data:
        found = {
            row.name: [measured(row, data, seed, args.out / args.table, args) for seed in range(args.seeds)]
            for row in rows
        }
        print_table(args.table, data, found)


if __name__ == "__main__":
    main()
