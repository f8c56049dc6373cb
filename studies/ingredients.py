"""What each ingredient of rendered people adds, by what a network learned from them does on real pictures.

For each row one ingredient is left out (`swiftreid synth --without`), or there are a quarter of the people with four
times the pictures of each, or there is no teacher and the network learns the people by number, as All-in-One does.
Everything else stays: the number of pictures, the network, the steps and rates. One row has everything with other seeds
of people and weights: differences like its own say nothing. Each network is measured on the data
sets given, which it never saw, by its float embedding; beside it `stripes` and the teacher. Data sets and runs are kept
in a folder: a script that was stopped goes on where it was.

    python studies/ingredients.py cuhk01 cuhk03-np-pair1 --teacher teacher.safetensors --out ingredients
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from program import names_of, progress, run, training_reports

from swiftreid.experiments.kept_runs import evaluated, once, percentages, trained
from swiftreid.synthetic import synthesize
from swiftreid.synthetic.workers import usable_processors

INGREDIENTS = ("backgrounds", "light", "occlusion", "patterns", "crops", "wear")
FEWER = 4
"""The row 'fewer people' has so many times fewer, each seen by so many times more cameras."""


@dataclass(frozen=True)
class IngredientRow:
    """One network: what its people were rendered without, whether there are fewer, or no teacher, or other seeds."""

    name: str
    without: str = ""
    fewer: bool = False
    with_teacher: bool = True
    reseeded: bool = False


ROWS = (
    IngredientRow("everything"),
    IngredientRow("other seeds", reseeded=True),
    *(IngredientRow(f"no {ingredient}", without=ingredient) for ingredient in INGREDIENTS),
    IngredientRow("fewer people", fewer=True),
    IngredientRow("no teacher", with_teacher=False),
)


def rendered(row: IngredientRow, args: argparse.Namespace) -> Path:
    """The row's rendered people, all of them for training; a render that was stopped goes on."""
    kind = "fewer" if row.fewer else "reseeded" if row.reseeded else f"without_{row.without}" if row.without else "all"
    folder: Path = args.out / "people" / kind
    people, seen_by = (args.people // FEWER, 3 * FEWER) if row.fewer else (args.people, 3)
    pictures, size = folder / "pictures", tuple(args.size)
    seed = args.seed + row.reseeded
    settings = {"people": people, "seen_by": seen_by, "size": size, "seed": seed, "without": row.without}

    def render() -> None:
        synthesize(
            pictures,
            people=people,
            shots=1,
            seed=seed,
            size=size,
            progress=progress(),
            seen_by=seen_by,
            train_share=1,
            without=row.without.split(","),
            workers=usable_processors(),
        )

    once(folder, settings, render)
    return pictures


def learned(row: IngredientRow, args: argparse.Namespace) -> Path:
    """The row's encoder."""
    folder = args.out / "runs" / row.name.replace(" ", "_")
    steps = f"schedule.per_epoch={args.pictures // 8}", "schedule.epochs=8"
    alone = () if row.with_teacher else ("method=all_in_one", "views=1")
    return trained(
        "shipped",
        rendered(row, args),
        folder,
        changes=[*steps, *alone, *args.set],
        seed=int(row.reseeded),
        teacher=args.teacher if row.with_teacher else None,
        reports=training_reports(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, nargs="+", help="Data sets to measure on.")
    parser.add_argument("--teacher", required=True, help="Encoder that the networks learn from.")
    parser.add_argument("--out", type=Path, required=True, help="Folder of rendered people and runs.")
    parser.add_argument("--people", type=int, default=1200)
    parser.add_argument("--pictures", type=int, default=32_000, help="That a network learns from, counting repeats.")
    parser.add_argument("--size", type=int, nargs=2, default=(192, 96), help="Height and width of rendered pictures.")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--set", action="append", default=[], help="Change a field of all recipes; repeatable.")
    args = parser.parse_args()
    names = names_of(args.data)
    encoders: list[tuple[str, str | Path]] = [(row.name, learned(row, args)) for row in ROWS]
    encoders += [("stripes", "stripes"), ("teacher", args.teacher)]
    print(f"rank-1 / mAP by the float embedding; {args.people} people, {args.people * 3} pictures, seed {args.seed}")
    print(f"{'':14}" + "".join(f"{data:>20}" for data in names))
    for name, encoder in encoders:
        cards = args.out / "cards" / name.replace(" ", "_")
        found = [
            percentages(evaluated(encoder, data, cards / f"{each}.json", progress=progress()))
            for data, each in zip(args.data, names, strict=True)
        ]
        figures = [rankings["float embedding"] for rankings in found]
        print(f"{name:14}" + "".join(f"{f'{rank1:.1f} / {mean:.1f}':>20}" for rank1, mean in figures), flush=True)


if __name__ == "__main__":
    run(main)
