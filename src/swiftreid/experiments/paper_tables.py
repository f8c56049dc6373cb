"""The papers' ablation tables as data: rows, columns, and the orderings that the papers report.

A row is a shipped recipe of ``small/`` with a few settings changed; `swiftreid.experiments.kept_runs` trains and
measures it, and ``studies/tables.py`` prints the table.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

LENGTHS = ("id32", "id128", "id512", "id2048")
FLOAT = "float embedding"
CODE = "id512"  # of the small SSR recipe
ATTRIBUTES = "attributes"


@dataclass(frozen=True)
class TableRow:
    """A row of a paper's table.

    Attributes:
        name: of the row.
        recipe: of ``small/``.
        changes: to its fields.
        first: the run that it starts from.
        source: how it takes the labelled data set that the table adapts from: ``beside`` the data to adapt to, or
            ``alone``; None where it takes the other alone.
    """

    name: str
    recipe: str
    changes: tuple[str, ...] = ()
    first: TableRow | None = None
    source: Literal["beside", "alone"] | None = None


def _settings(**changes: float | bool | str | None) -> tuple[str, ...]:
    return tuple(f"settings.{name}={json.dumps(value)}" for name, value in changes.items())


ALL_IN_ONE = (
    TableRow("separate", "all_in_one", _settings(pyramid=False, probability_weight=0, similarity_weight=0)),
    TableRow("pyramid", "all_in_one", _settings(probability_weight=0, similarity_weight=0)),
    TableRow("+ probability", "all_in_one", _settings(similarity_weight=0)),
    TableRow("+ similarity", "all_in_one"),
    TableRow("similarity 100", "all_in_one", _settings(similarity_weight=100)),  # instead of the paper's 1000
)

RANKING = (
    TableRow("baseline", "baseline"),
    TableRow("CE before neck", "ranking", _settings(lin_weight=0, neck=False)),
    TableRow("CE after neck", "ranking", _settings(lin_weight=0)),
    TableRow("Lin before neck", "ranking", _settings(classification_weight=0, lin_weight=1, neck=False)),
    TableRow("Lin after neck", "ranking", _settings(classification_weight=0, lin_weight=1)),
    TableRow("both", "ranking"),
    TableRow("both, T 0.5", "ranking", _settings(temperature=0.5)),
    TableRow("both, T 5", "ranking", _settings(temperature=5)),
    TableRow("both, r 0.6", "ranking", _settings(radius=0.6)),
    TableRow("both, r 0.8", "ranking", _settings(radius=0.8)),
    TableRow("both, w 0.2", "ranking", _settings(lin_weight=0.2)),
    TableRow("both, w 0.6", "ranking", _settings(lin_weight=0.6)),
    TableRow("both, as released", "ranking", _settings(temperature=0, detach_weights=False)),
)

RELAXATIONS = ("sigmoid", "hardsigmoid", "tanh", "hardtanh", "dsh", "SSR teacher", "SSR student")


def _relaxed(name: str, *, norm: bool) -> TableRow:
    kind, _, codes = name.partition(" ")
    changes: dict[str, bool | str] = {"relaxation": kind.lower(), "norm": norm}
    if codes:
        changes["codes"] = codes
    return TableRow(f"{name}, BN" if norm else name, "smooth_relaxation", _settings(**changes))


RELAXATION = tuple(_relaxed(name, norm=norm) for norm in (False, True) for name in RELAXATIONS)


def _guided(beta: float, *, attention: bool) -> TableRow:
    name = f"beta {beta}, {'AAB' if attention else 'no AAB'}"
    return TableRow(name, "smooth_relaxation", _settings(attribute_weight=beta, attention=attention))


BETAS = (0, 0.1, 0.3, 1, 3)
ATTRIBUTE = tuple(_guided(beta, attention=attention) for attention in (False, True) for beta in BETAS)


def _distilled(alpha: float, *, norm: bool, first: TableRow | None = None, way: str = "") -> TableRow:
    name = ", ".join([f"alpha {alpha}", *(["BN"] if norm else []), *([way] if first else [])])
    changes = _settings(distillation_weight=alpha, norm=norm, distillation=way if first else "end_to_end")
    return TableRow(name, "smooth_relaxation", changes, first)


WAYS = ("pretrained", "continued")
ALPHAS = (0.1, 0.3, 0.7, 1)
BEST = (("", 0.7), (", BN", 0.3))  # alpha without and with BN


def _distillations(*, norm: bool) -> Sequence[TableRow]:
    """Nothing distilled; then end to end, and with the teacher of what had nothing distilled the other two ways."""
    start = _distilled(0, norm=norm)
    guided = (_distilled(alpha, norm=norm, first=start, way=way) for way in WAYS for alpha in ALPHAS)
    return (start, *(_distilled(alpha, norm=norm) for alpha in ALPHAS), *guided)


DISTILLATION = (*_distillations(norm=False), *_distillations(norm=True))

TRUNKS = tuple(  # no file with ImageNet's weights fits trunks of half the width: all of them start from nothing
    TableRow(trunk, "ranking", (f"settings.trunk={trunk}", "init=null"))
    for trunk in ("resnet18_half", "resnet18_half_ibn_a", "resnet18", "resnet18_ibn_a")
)

LENGTH = tuple(TableRow(f"{bits} bit", "smooth_relaxation", _settings(bits=bits)) for bits in (128, 256, 512, 2048))

FROM_PATCHES = (50, 500, 2000, 8000, 16000)


def _surrogates(kind: str, count: int) -> TableRow:
    return TableRow(f"{count} {kind}", "self_similarity", _settings(surrogates=kind, surrogate_classes=count))


SURROGATES = (*(_surrogates("patches", count) for count in FROM_PATCHES), _surrogates("features", 400))


def _similar(name: str, **changes: float | bool | str) -> TableRow:
    return TableRow(name, "self_similarity", _settings(**changes))


SELF_SIMILARITY = (
    _similar("all terms"),
    *(_similar(f"epsilon {epsilon:g}", separation_weight=epsilon) for epsilon in (0.001, 0.01)),
    _similar("lambda1 0", adversarial_weight=0),
    *(_similar(f"lambda1 {weight:g}", adversarial_weight=weight) for weight in (0.15, 15)),
    _similar("lambda2 0", alignment_weight=0),
    *(_similar(f"lambda2 {weight:g}", alignment_weight=weight) for weight in (0.25, 25)),
    _similar("no non-local blocks", alignment_non_local=False),
    _similar("averaged parts", parts_by="average"),
    _similar("last stage alone", dense=False),
    _similar("slope of Fig. 7", separation="slope"),
    _similar("distance of gradients", separation="distance"),
)

_ON_SOURCE = TableRow("U-SSL on the source", "self_similarity", _settings(lengths=None), source="alone")
ADAPTATION = (
    TableRow("hybrid memory", "hybrid_memory", source="beside"),
    TableRow("U-SSL, hybrid memory", "hybrid_memory", first=_ON_SOURCE, source="beside"),
    TableRow("no tests of clusters", "hybrid_memory", _settings(gap=0), source="beside"),
    TableRow("cameras as they are", "hybrid_memory", _settings(cameras=False), source="beside"),
    TableRow("no source", "hybrid_memory"),
    TableRow("cluster memory, DBSCAN", "cluster_memory", _settings(clusters="dbscan")),
    TableRow("cluster memory", "cluster_memory"),
)

TABLES: Mapping[str, Sequence[TableRow]] = {
    "all_in_one": ALL_IN_ONE,
    "ranking": RANKING,
    "trunks": TRUNKS,
    "relaxation": RELAXATION,
    "length": LENGTH,
    "distillation": DISTILLATION,
    "attribute": ATTRIBUTE,
    "surrogates": SURROGATES,
    "self_similarity": SELF_SIMILARITY,
    "adaptation": ADAPTATION,
}

# What the papers report, the worse before the better, each a row and a column. All-in-One, Table 5 and its text: longer
# codes are better in every setting, pyramid and distillation help short codes and the search that uses them. Ranking:
# Table I (losses and neck), Table V (IBN-a; that whole trunks are
# better than half ones is asked beside it) and Table VI (against the baseline). SSR: Tables 6 (relaxations), 7
# (attributes, AAB) and 8 (lengths), Fig. 5 (alpha) and 6 (beta). Self-similarity: Tables II to VII, Fig. 6, 8 and 9;
# its Table VIII, and beside it what SpCL's own paper says of the tests of clusters and of a source.
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
    "trunks": [
        (("resnet18_half", FLOAT), ("resnet18", FLOAT)),
        (("resnet18_half", FLOAT), ("resnet18_half_ibn_a", FLOAT)),
        (("resnet18", FLOAT), ("resnet18_ibn_a", FLOAT)),
    ],
    "length": [
        ((f"{short} bit", f"id{short}"), (f"{long} bit", f"id{long}"))
        for short, long in pairwise((128, 256, 512, 2048))
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
        (("SSR teacher", CODE), ("dsh", CODE)),
        (("dsh, BN", CODE), ("SSR teacher, BN", CODE)),
        (("SSR student", CODE), ("SSR student, BN", CODE)),
        (("sigmoid, BN", CODE), ("sigmoid", CODE)),
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
    "surrogates": [
        *(((f"{few} patches", FLOAT), (f"{more} patches", FLOAT)) for few, more in pairwise(FROM_PATCHES[:4])),
        (("16000 patches", FLOAT), ("8000 patches", FLOAT)),
    ],
    "self_similarity": [
        (("epsilon 0.001", FLOAT), ("epsilon 0.01", FLOAT)),
        (("epsilon 0.01", FLOAT), ("all terms", FLOAT)),
        *(((f"lambda1 {weight}", FLOAT), ("all terms", FLOAT)) for weight in ("0", "0.15", "15")),
        *(((f"lambda2 {weight}", FLOAT), ("all terms", FLOAT)) for weight in ("0", "0.25", "25")),
        (("no non-local blocks", FLOAT), ("all terms", FLOAT)),
        (("averaged parts", FLOAT), ("all terms", FLOAT)),
        (("last stage alone", FLOAT), ("all terms", FLOAT)),
    ],
    "adaptation": [
        (("hybrid memory", FLOAT), ("U-SSL, hybrid memory", FLOAT)),
        (("no tests of clusters", FLOAT), ("hybrid memory", FLOAT)),
        (("no source", FLOAT), ("hybrid memory", FLOAT)),
    ],
}

COLUMNS: Mapping[str, Sequence[str]] = {
    "all_in_one": [*LENGTHS, "CtF", *(f"{length} real values" for length in LENGTHS)],
    "ranking": [FLOAT],
    "trunks": [FLOAT],
    "relaxation": [CODE],
    "length": ["id128", "id256", "id512", "id2048"],
    "distillation": [CODE],
    "attribute": [CODE, ATTRIBUTES],
    "surrogates": [FLOAT],
    "self_similarity": [FLOAT, *LENGTHS],
    "adaptation": [FLOAT],
}
