"""How well gradient similarity tells people from strangers: Fig. 7 of the self-similarity paper, in figures and drawn.

Of a run of `self_similarity`, with the labels and vectors of its last epoch: d_st of all pairs of training pictures by
different cameras (by one, where there is only one), of one person and of two; how the derivative of L_GS moves them;
how good the pseudo pairs are; and rank-1 and mAP of ranking by d_st. Persons serve to count alone. Runs of 100 and of
200 epochs show what the paper draws: the derivative of L_GS at the d_st of one query's pictures, a panel for each run.
The query is the picture whose average precision by the first run is the median.

    python studies/gradient_similarity.py run examples/station
    python studies/gradient_similarity.py run100 examples/station --beside run200 --plot fig7.png
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from program import progress, run

from swiftreid.data.samples import NOBODY, persons_of
from swiftreid.data.sources import open_data
from swiftreid.encoding.headed_file import without_prefix
from swiftreid.errors import UsageError
from swiftreid.evaluation.metrics import average_precision, ranks_of
from swiftreid.experiments.inputs import TRAIN
from swiftreid.figures.style import (
    GRID,
    INK,
    LOOKS,
    SUFFIXES,
    compose,
    grid_size,
    image_of,
    load,
    new_figure,
    panel_grid,
    styled,
)
from swiftreid.methods import build_method
from swiftreid.methods.self_similarity import CLASSES, LABEL, SelfSimilarity, SelfSimilarityConfig
from swiftreid.nn.losses.gradient_similarity import gradient_factors
from swiftreid.training.holding_out import hold_out
from swiftreid.training.network.checkpoint import CHECKPOINT, load_checkpoint, network_weights, targets_state
from swiftreid.training.network.embedding import embed_pictures
from swiftreid.training.network.recipe import NetworkRecipe
from swiftreid.training.pictures import TrainingPictures, load_pictures

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
BINS = np.linspace(-1, 1, 2001)
AT_A_TIME = 256


class Learned(NamedTuple):
    """A run as it ended: its network, its pictures, and the factors of their gradients, divided by their norm."""

    method: SelfSimilarity
    pictures: TrainingPictures
    labels: NDArray[np.int64]
    x: NDArray[np.float32]
    u: NDArray[np.float32]


def learned(folder: Path, data: Path) -> Learned:
    header, tensors = load_checkpoint(folder / CHECKPOINT)
    recipe = NetworkRecipe.model_validate(header.recipe)
    if recipe.method != "self_similarity":
        raise UsageError(f"{folder} is a run of {recipe.method}: give one of self_similarity")
    weights, labels = network_weights(tensors), without_prefix("labels.", targets_state(tensors))
    values = labels["values"]
    outputs = len(weights.get("alignment.classifier.weight", torch.empty(2, 1)))
    method = build_method(recipe.method, outputs, **recipe.settings)
    assert isinstance(method, SelfSimilarity)
    method.load_state_dict(weights)
    known = [sample for sample in open_data(data, need=TRAIN).train if sample.person not in NOBODY]
    out = hold_out(persons_of(known), recipe.held_out, header.seed) if recipe.held_out else [False] * len(known)
    samples = [sample for sample, held_out in zip(known, out, strict=True) if not held_out]
    pictures = load_pictures(samples, recipe.size, progress=progress())
    if len(pictures) != len(values):
        raise UsageError(f"the run learned from {len(values)} pictures, and {data} has {len(pictures)}: give its data")
    x = torch.from_numpy(embed_pictures(method.eval(), pictures, mirror=recipe.mirror, progress=progress()))
    with torch.no_grad():
        factors = gradient_factors(x, method.similarity, labels["memory.centres"], values[:, CLASSES:])
        unit = [torch.nn.functional.normalize(factor).numpy() for factor in factors]
    return Learned(method, pictures, values[:, LABEL].numpy(), *unit)


def report(found: Learned) -> dict[str, Any]:
    """Histograms of d_st, and what ranking by it and the pseudo pairs come to."""
    persons, cameras = found.pictures.persons, found.pictures.cameras
    views = cameras if len(np.unique(cameras)) > 1 else np.arange(len(cameras))
    histograms, rank1, precision = np.zeros((2, len(BINS) - 1)), [], []
    ranked: list[int] = []
    right = paired = 0
    for start in range(0, len(persons), AT_A_TIME):
        rows = np.arange(start, min(start + AT_A_TIME, len(persons)))
        d = (found.x[rows] @ found.x.T) * (found.u[rows] @ found.u.T)
        across = views[rows, None] != views[None, :]
        same = persons[rows, None] == persons[None, :]
        for kind, chosen in enumerate((across & same, across & ~same)):
            histograms[kind] += np.histogram(d[chosen], BINS)[0]
        pairs = across & (found.labels[rows, None] == found.labels) & (found.labels[rows, None] >= 0)
        paired, right = paired + int(pairs.sum()), right + int((pairs & same).sum())
        for row in range(len(rows)):
            order = np.argsort(-d[row][across[row]], kind="stable")
            hits = same[row][across[row]][order]
            if hits.any():
                rank1.append(ranks_of(hits)[0] == 1)
                precision.append(average_precision(hits))
                ranked.append(start + row)
    return {
        "histograms": histograms,
        "rank1": 100 * float(np.mean(rank1)),
        "map": 100 * float(np.mean(precision)),
        "precisions": dict(zip(ranked, precision, strict=True)),
        "paired": paired,
        "right": right,
    }


def draw(runs: Sequence[Learned], reports: Sequence[Mapping[str, Any]], query: int, path: Path) -> None:
    """The derivative of L_GS over d_st, with the pictures of one query on it: a panel for each run.

    Args:
        runs: of the same pictures.
        reports: of each.
        query: place of the picture.
        path: file to write.
    """
    with styled() as points:
        figure = new_figure(*grid_size(len(runs), 3.0), "normal")
        panels = panel_grid(figure, len(runs), left="derivative of L_GS by d_st", below="d_st of query and picture")
        for axes, found, report in zip(panels, runs, reports, strict=True):
            config = found.method.config
            d, same = of_query(found, query)
            slope = derivative(config, d)
            for look, chosen, name in ((LOOKS[0], ~same, "of strangers"), (LOOKS[1], same, "of the same person")):
                axes.scatter(
                    d[chosen], slope[chosen], s=14, marker=("s", "o")[name == "of the same person"],
                    facecolors="none", edgecolors=look.colour, linewidths=0.9, label=name, zorder=3,
                )  # fmt: skip
            axes.axvline(config.threshold, color=INK, linewidth=1.0, linestyle=(0, (4, 2)))
            axes.axhline(0, color=GRID, linewidth=0.8, zorder=0)
            axes.set_xlim(-1.05, 1.05)
            precision = report["precisions"].get(query)
            title = f"epoch {int(found.method.epoch) + 1}, AP {100 * precision:.1f} %, mAP {report['map']:.1f} %"
            axes.set_title(title, loc="left", fontsize=0.95 * points)
        keys = panels[0].get_legend_handles_labels()[0]
        about = [f"picture {query} of {len(runs[0].pictures):,}", "pictures by other cameras"]
        notes = ["Dashed: delta. L_GS moves pairs with a derivative below 0 together, those above 0 apart."]
        compose(figure, "Gradient similarity of one query", about, notes, keys=keys)
        path.write_bytes(image_of(figure, path.suffix))


def of_query(found: Learned, query: int) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """d_st of one picture and all those by other cameras, and which of them show the same person."""
    persons, cameras = found.pictures.persons, found.pictures.cameras
    views = cameras if len(np.unique(cameras)) > 1 else np.arange(len(cameras))
    across = views != views[query]
    d = (found.x[across] @ found.x[query]) * (found.u[across] @ found.u[query])
    return d, persons[across] == persons[query]


def derivative(config: SelfSimilarityConfig, d: NDArray[Any]) -> NDArray[Any]:
    """Of L_GS by d_st: of Eq. 4, or the one that Fig. 7 prints."""
    printed: NDArray[Any] = -config.slope * (d - config.threshold)
    return printed + 1.0 if config.separation == "slope" else printed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="Folder of the run.")
    parser.add_argument("data", type=Path, help="The data set that it learned from.")
    parser.add_argument("--beside", type=Path, nargs="*", default=[], help="Runs to draw beside it, of the same data.")
    parser.add_argument("--plot", type=Path, help="Picture of one query's similarities.")
    args = parser.parse_args()
    check_plot(args.plot)
    runs = [learned(folder, args.data) for folder in (args.run, *args.beside)]
    reports = [report(found) for found in runs]
    for found, got in zip(runs, reports, strict=True):
        print_report(found, got)
    if args.plot is not None:
        known = reports[0]["precisions"]
        if not known:
            raise UsageError("no picture has another of its person by another camera: nothing can be drawn")
        query = sorted(known, key=lambda row: (known[row], row))[len(known) // 2]
        draw(runs, reports, query, args.plot)


def check_plot(path: Path | None) -> None:
    """Refuse what cannot be drawn before hours of work."""
    if path is not None:
        load()
        if path.suffix not in SUFFIXES:
            raise UsageError(f"a figure is written as {', '.join(SUFFIXES)}, not as {path.suffix!r}")


def print_report(found: Learned, got: Mapping[str, Any]) -> None:
    """Quantiles of d_st, pseudo pairs and ranking."""
    config = found.method.config
    centres = (BINS[1:] + BINS[:-1]) / 2
    print(f"{len(found.pictures):,} pictures, after epoch {int(found.method.epoch) + 1}; pairs by different cameras")
    print(f"{'':18}{'pairs':>12}" + "".join(f"{q:>8.0%}" for q in QUANTILES) + f"{'> delta':>9}{'together':>10}")
    for kind, name in enumerate(("of one person", "of strangers")):
        counts = got["histograms"][kind]
        cumulative = np.cumsum(counts) / max(1, counts.sum())
        quantiles = [centres[min(int(np.searchsorted(cumulative, q)), len(centres) - 1)] for q in QUANTILES]
        above = counts[centres > config.threshold].sum() / max(1, counts.sum())
        together = counts[derivative(config, centres) < 0].sum() / max(1, counts.sum())
        print(f"{name:18}{int(counts.sum()):>12,}" + "".join(f"{q:>8.2f}" for q in quantiles), end="")
        print(f"{above:>9.1%}{together:>10.1%}")
    people = max(1.0, got["histograms"][0].sum())
    print(f"pseudo pairs: {got['right']:,} of {got['paired']:,} right, {got['right'] / people:.1%} of all pairs found")
    print(f"ranked by d_st: rank-1 {got['rank1']:.1f}, mAP {got['map']:.1f}")


if __name__ == "__main__":
    run(main)
