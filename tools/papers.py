"""`docs/papers.md`: the papers' tables and figures, row by row, from `swiftreid.experiments.published`."""

from __future__ import annotations

from swiftreid.experiments.published import PAPERS, PublishedRow, paper_title, published_rows

HEAD = """# The papers' tables, row by row

Made from `src/swiftreid/experiments/published/` by `make generated`. In Python, `published_rows("ranking")` of
`swiftreid.experiments.published` has the rows.

The papers start from ImageNet weights: give your file, as in `--weights resnet50-0676ba61.pth`. SwiftReID downloads
nothing. `market1501` is the data set: its folder, or its name if `SWIFTREID_MARKET1501` contains the path;
`market1501+500k` has its 500,000 distractors. For the columns of other data sets, train and evaluate on those:
`dukemtmc-reid`, `cuhk03-np-labelled`, `cuhk03-np-detected`, `msmt17`. `attr30` is the code of Market-1501's attributes;
DukeMTMC-reID's is `attr23`, that of CUHK03 `attr27`. The attributes of CUHK03 were never published, so its rows with
attributes need a file of your own.

The papers train on all training people, so these recipes hold nobody out unless a row says so. *Result* is the row of
the table that `swiftreid evaluate` prints; add `--card FILE` to save the result card. *Reported* is rank-1 / mAP in
percent, as the paper prints it. SwiftReID did not measure these figures; [ablations](ablations.md) has small versions
that it did. The papers' times and bytes are not listed: they are of other machines.

*CtF* is coarse-to-fine search, *DTO* how its thresholds are [fitted](calibration.md). *AFR* compares
[attributes](attributes.md) first; its rows' mAP is over the short list (`--ap short_list`), where the paper's gain is.

Self-similarity learns without labels: its rows train on the same folders and use no person ids of them. In its Table
VIII, domain adaptation, the data set after `--source` is the one whose labels are used.
"""


def papers_page() -> str:
    """The page."""
    return HEAD + "".join(_section(paper) for paper in PAPERS)


def _section(paper: str) -> str:
    lines = ["", f"## {paper_title(paper)}", "", "| row | commands | result | reported |", "|---|---|---|---|"]
    lines += [_line(row) for row in published_rows(paper)]
    return "\n".join(lines) + "\n"


def _line(row: PublishedRow) -> str:
    commands = "<br>".join(f"`{command}`" for command in row.commands())
    note = f" ({row.note})" if row.note else ""
    result = f"`{row.result.format(attributes='attr30', cascade='CASCADE')}`" if row.result else ""
    reported = "<br>".join(f"{data}: {rank1:.1f} / {mean:.1f}" for data, (rank1, mean) in row.reported.items())
    return f"| {row.place}, {row.row}{note} | {commands} | {result} | {reported} |"
