"""The papers' ablation tables in small: a few seeds of each row, on data sets of the user's own, on a CPU if need be.

Every row is a recipe of `small/` with a few settings changed, trained on the training people of each data set and
measured on its test people. Runs are kept in folders: a script that was stopped goes on where it was. Then the table:
mean and standard deviation over the seeds, rank-1 / mAP in percent (of attributes: accuracy / mA), and whether each
ordering that the paper reports holds: by the mAP (mA) of every seed, of some ("not seen"), or of none. One seed says
nothing of that.

    python studies/tables.py all_in_one rendered cuhk03-np-pair1 --out tables --seeds 3
    python studies/tables.py ranking rendered cuhk03-np-pair1 --out tables --across
    python studies/tables.py ranking rendered --out tables --set schedule.epochs=10 --init run/checkpoint.safetensors
    python studies/tables.py adaptation cuhk03-np-pair1 --source rendered --out tables
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from program import names_of, over, progress, run, spread, training_reports

from swiftreid.experiments.kept_runs import evaluated, percentages, trained
from swiftreid.experiments.paper_tables import COLUMNS, ORDERINGS, TABLES, TableRow
from swiftreid.training.network.checkpoint import CHECKPOINT

CTF = "CtF, DTO beta 2"  # name of a ranking on result cards

Figures = Mapping[str, tuple[float, float]]
"""Rank-1 and mAP in percent by ranking, and accuracy and mA of attributes."""


def folder_of(row: TableRow, data: Path, seed: int, out: Path) -> Path:
    return out / data.resolve().name / row.name.replace(" ", "_").replace(",", "") / str(seed)


def encoder_of(row: TableRow, data: Path, seed: int, out: Path, args: argparse.Namespace) -> Path:
    """The encoder of one run, which is made if it is not there yet, and before it the run that it goes on from."""
    start, changes = args.init, []
    if row.first is not None:
        start = encoder_of(row.first, data, seed, out, args).parent / CHECKPOINT
        # What is not taken from the first run starts as that did.
        changes = [] if args.init is None else [f"init={args.init}"]
    learned = args.source if row.source == "alone" else data
    return trained(
        f"small/{row.recipe}",
        learned,
        folder_of(row, learned, seed, out),
        changes=[*row.changes, *args.set, *changes],
        seed=seed,
        init=start,
        source=args.source if row.source == "beside" else None,
        reports=training_reports(),
    )


def measured(row: TableRow, data: Path, seed: int, args: argparse.Namespace, on: Path | None = None) -> Figures:
    """Rank-1 and mAP by ranking of one run, and accuracy and mA of its attributes.

    Args:
        row: of the table.
        data: trained on.
        seed: of the run.
        args: of the command.
        on: measured on; None for the test people of ``data``.
    """
    out = args.out / args.table
    encoder, folder = encoder_of(row, data, seed, out, args), folder_of(row, data, seed, out)
    file = folder / ("card.json" if on is None else f"card-{on.resolve().name}.json")
    values = any(column.endswith("real values") for column in COLUMNS[args.table])
    card = evaluated(encoder, on or data, file, values=values, progress=progress())
    return {
        "CtF" if name == CTF else name.removesuffix(" exhaustive"): figures
        for name, figures in percentages(card).items()
    }


def print_table(table: str, heading: str, found: Mapping[str, Sequence[Figures]]) -> None:
    columns, seeds = COLUMNS[table], len(next(iter(found.values())))
    print(f"\n{heading}: rank-1 / mAP, {over(seeds)}")
    width = max(map(len, found)) + 1
    print(" " * width + "".join(f"{column:^27}" for column in columns))
    for name, runs in found.items():
        cells = (
            " / ".join(spread([run[column][i] for run in runs]) for i in (0, 1))
            if all(column in run for run in runs)  # no CtF where nobody was held out
            else "-"
            for column in columns
        )
        print(f"{name:{width}}" + "".join(f"{cell:^27}" for cell in cells))
    for (worse, lower), (better, upper) in ORDERINGS[table]:
        lows, highs = found.get(worse, []), found.get(better, [])
        if lows and highs and all(lower in run for run in lows) and all(upper in run for run in highs):
            gains = [b[upper][1] - a[lower][1] for a, b in zip(lows, highs, strict=True)]
            listed = ", ".join(f"{gain:+.1f}" for gain in gains)
            print(f"  {worse}, {lower} < {better}, {upper}: {verdict(gains)} ({listed})")


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
    parser.add_argument("--across", action="store_true", help="Measure on the test people of the other data sets too.")
    parser.add_argument("--source", type=Path, help="Labelled data set that table adaptation adapts from.")
    parser.add_argument("--rows", nargs="+", help="Only these rows.")
    args = parser.parse_args()
    names_of([*args.data, *([args.source] if args.source else [])])
    known = [row.name for row in TABLES[args.table]]
    if args.seeds < 1 or not set(args.rows or ()) <= set(known):
        parser.error(f"--seeds must be 1 or more, and --rows among: {', '.join(map(repr, known))}")
    if (args.source is None) != all(row.source is None for row in TABLES[args.table]):
        parser.error("--source belongs to table adaptation, and it to --source")
    rows = [row for row in TABLES[args.table] if not args.rows or row.name in args.rows]
    for data in args.data:
        name = data.resolve().name
        for on in (None, *(other for other in args.data if args.across and other != data)):
            found = {row.name: [measured(row, data, seed, args, on) for seed in range(args.seeds)] for row in rows}
            print_table(args.table, name if on is None else f"{name} -> {on.resolve().name}", found)


if __name__ == "__main__":
    run(main)
