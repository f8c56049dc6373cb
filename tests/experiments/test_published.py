"""Every table and figure of the papers has a row, and every row's commands run in small."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from command import Ran, run_in
from swiftreid.experiments.published import PAPERS, PublishedRow, published_rows
from warm import run_python

ROOT = Path(__file__).resolve().parents[2]
STATION = ROOT / "examples" / "station"

# Diagrams and example pictures have no command: Fig. 1 and 2 of the first and of the second paper; Fig. 1, 3 and 4 of
# the third; Fig. 1 to 5 of the fourth. Its Table I is a list of symbols.
PLACES = {
    "all_in_one": [*(f"Table {n}" for n in range(1, 6)), "Fig. 3", "Fig. 4"],
    "ranking": [f"Table {n}" for n in ("I", "II", "III", "IV", "V", "VI", "VII")],
    "smooth_relaxation": [*(f"Table {n}" for n in range(1, 11)), *(f"Fig. {n}" for n in (2, 5, 6, 7))],
    "self_similarity": [
        *(f"Table {n}" for n in ("II", "III", "IV", "V", "VI", "VII", "VIII")),
        *(f"Fig. {n}" for n in (6, 7, 8, 9)),
    ],
}
ROWS = [(paper, row) for paper in PAPERS for row in published_rows(paper)]
NUMERALS = ["I", "II", "III", "IV", "V", "VI", "VII", "VIII"]


def places_of(text: str) -> list[str]:
    """``Tables 1 to 3, 10`` is Tables 1, 2, 3 and 10."""
    kind, _, numbers = text.replace("Tables", "Table").partition(" ")
    found = []
    for part in numbers.split(", "):
        first, _, last = part.partition(" to ")
        names = NUMERALS if first in NUMERALS else [str(n) for n in range(1, 20)]
        found += names[names.index(first) : names.index(last or first) + 1]
    return [f"{kind} {number}" for number in found]


@pytest.mark.parametrize("paper", PAPERS)
def test_every_table_and_figure_has_a_row(paper: str) -> None:
    rows = [row for row in published_rows(paper) if row.place != "(not in the paper)"]
    covered = {place for row in rows for place in places_of(row.place)}
    assert covered == set(PLACES[paper])
    assert len({(row.place, row.row) for row in rows}) == len(rows)


def test_figures_are_shares_of_queries() -> None:
    for paper, row in ROWS:
        for data, (rank1, mean) in row.reported.items():
            assert 0 < rank1 <= 100, (paper, row.row, data)
            assert 0 < mean <= 100, (paper, row.row, data)


TEXTS = {
    "all_in_one": "faster-reid-ctf-2020",
    "ranking": "ranking-classification-reid",
    "smooth_relaxation": "ssr-hashing-reid-2021",
    "self_similarity": "ussl-pseudo-pair-2022",
}


@pytest.mark.parametrize("paper", PAPERS)
def test_reported_figures_stand_side_by_side_in_the_papers_text(paper: str) -> None:
    path = ROOT.parent / "shared" / "papers" / f"{TEXTS[paper]}.txt"
    if not path.is_file():
        pytest.skip(f"needs the paper's text at {path}")
    numbers = [float(number) for number in re.findall(r"\d+\.\d+|\d+", path.read_text(encoding="utf-8"))]
    rows = [row for row in published_rows(paper) if row.reported]
    assert len(rows) > 10
    for row in rows:
        # Table 5 of the first paper has five rank-1, then five mAP (four each of the upper bound).
        apart = {"upper bound": 4}.get(row.row[:11], 5) if (paper, row.place) == ("all_in_one", "Table 5") else 1
        for data, reported in row.reported.items():
            # Tables II, IV and VIII of the fourth paper have rank-5 and rank-10 between the two.
            ranks = row.place in ("Tables II to IV", "Table VIII") and not data.startswith("cuhk03")
            between = paper == "self_similarity" and ranks
            pairs = set(zip(numbers, numbers[3 if between else apart :], strict=False))
            first = paper in ("ranking", "self_similarity") and reported[::-1] in pairs  # tables with the mAP first
            assert reported in pairs or first, (row.place, row.row, data, reported)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"place": "Table 1", "row": "x"}, "either train or run"),
        ({"place": "Table 1", "row": "x", "train": "baseline", "run": ["x"]}, "either train or run"),
        ({"place": "Table 1", "row": "x", "trian": "baseline"}, "trian"),
    ],
)
def test_a_wrong_row_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PublishedRow.model_validate(given)


SMALL = [
    "settings.trunk=resnet18_half", "size=[96, 32]", "schedule.epochs=1", "schedule.per_epoch=8", "schedule.warm_up=0",
    "batches.persons=2", "batches.pictures=2",
]  # fmt: skip


KNOWN = ["settings.trunk=resnet18_half_ibn_a", "settings.length=256", "size=[128, 64]", "init=rendered"]


@pytest.fixture(scope="module")
def few_people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten training people and four test people of the rendered station, with attributes, and pictures to pool."""
    root = tmp_path_factory.mktemp("few") / "people"
    for split, most in (("bounding_box_train", 10), ("query", 4), ("bounding_box_test", 4)):
        (root / split).mkdir(parents=True)
        persons = sorted({path.name[:4] for path in (STATION / split).iterdir()})[:most]
        for path in (STATION / split).iterdir():
            if path.name[:4] in persons:
                shutil.copy(path, root / split)
    shutil.copytree(root / "query", root / "gt_bbox")
    (root / "distractors").mkdir()
    for number, path in enumerate(sorted((STATION / "bounding_box_test").iterdir())[-2:]):
        shutil.copy(path, root / "distractors" / f"{number}.jpg")
    for path in sorted((root / "gt_bbox").iterdir()):
        path.rename(path.with_name(path.name.replace("_01.jpg", "_02.jpg")))
    shutil.copy(STATION / "attributes.csv", root)
    return root


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, few_people: Path) -> Path:
    """One folder for all rows: rows with the same network train it once."""
    place = tmp_path_factory.mktemp("rows")
    (place / "data").symlink_to(few_people)
    (place / "other").symlink_to(few_people)
    return place


def in_small(command: str) -> list[str]:
    """The words of a command, with a small network, few steps and held-out people where the row has some."""
    words = shlex.split(command)
    if words[1] == "train":
        # Random weights see no clusters in so few pictures.
        known = KNOWN if "cluster_memory" in words[2] else []
        words += [part for change in [*SMALL, *known] for part in ("--set", change)]
    if words[1] == "hash":
        words += ["--set", "held_out=0.3", "--set", "training.epochs=1"]
    return words


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("paper", "row"), ROWS, ids=[f"{paper}-{row.place}-{row.row}" for paper, row in ROWS])
def test_the_commands_of_a_row_run_in_small(paper: str, row: PublishedRow, folder: Path) -> None:
    if row.run:
        for command in row.small:
            program, script, *options = shlex.split(command)
            assert program == "python"
            ran = run_python(ROOT / script, *options, folder=folder)
            assert ran.returncode == 0, ran.stderr
        assert row.small
        return
    swiftreid: Callable[..., Ran] = run_in(folder)
    run = f"{paper}_" + re.sub(r"\W+", "_", f"{row.train} {row.trained_on} {row.set} {row.more}")
    names = {
        "data": "data", "other": "other", "source": "other",
        "large": "data", "distractors": "0,2", "weights": "", "attributes": "attr57",
        "sweep": "sweep-0.json sweep-2.json", "cascade": "id32<=5 > id128<=25 > id512<=120 > id2048",
    }  # fmt: skip
    for command in row.commands(names, folder=run):
        words = in_small(re.sub(r"\b(first|part)\b", rf"{run}_\1", command))
        if words[0] == "python":
            ran = run_python(ROOT / words[1], *words[2:], folder=folder)
            assert ran.returncode == 0, ran.stderr
            continue
        if words[1] == "train" and (folder / words[words.index("-o") + 1]).exists():
            continue  # another row has this network
        extra = {"evaluate": ["--untimed", "--card", "card.json", "-q"], "figure": ["-q"], "train": ["-q"]}
        given = extra.get(words[1], [])
        swiftreid(*words[1:], *(given if "--card" not in words else ["--untimed", "-q"]))
    if row.result:
        from swiftreid.evaluation.card import ResultCard

        wanted = row.result.format(**names)
        assert ResultCard.load(folder / "card.json").row(wanted) is not None, wanted
