"""Codes of made-up people, and a result card made of them, for the tests of figures."""

from __future__ import annotations

import numpy as np

from swiftreid.evaluation.card import DataCard, EvaluatedEncoder, ProtocolCard, ResultCard, ResultRow
from swiftreid.evaluation.labelled import LabelledCodes
from swiftreid.evaluation.measure import measure_cascades
from swiftreid.search.cascade import Cascade, Stage
from swiftreid.search.codes import bits_of, pack_bits

SPEC = ("id32", "id128")


def people(seed: int, persons: int = 12, cameras: int = 3, shots: int = 2, first: int = 1) -> LabelledCodes:
    """Each picture is its person's code with a fifth of the bits turned; junk and a distractor among them."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(first, first + persons), cameras * shots)
    where = np.tile(np.repeat(np.arange(1, cameras + 1), shots), persons)
    who[::17] = -1
    who[5] = 0
    codes = {}
    for name in SPEC:
        own = rng.normal(size=(first + persons + 1, bits_of(name)))[who]
        codes[name] = pack_bits((own > 0) ^ (rng.random(own.shape) < 0.3))
    return LabelledCodes(codes, who, where)


def split(codes: LabelledCodes) -> tuple[LabelledCodes, LabelledCodes]:
    """Queries (known people, every second picture) and gallery."""
    rows = np.arange(len(codes))
    asked = (rows % 2 == 0) & (codes.persons > 0)
    return codes.take(asked), codes.take(~asked)


def card(seed: int, name: str = "made", *, timed: bool = True) -> ResultCard:
    """A card of three rankings of the same queries, whatever the seed."""
    query, gallery = split(people(seed))
    cascades = {f"{code} exhaustive": Cascade([Stage(code)]) for code in SPEC}
    cascades["CtF, short"] = Cascade.parse("id32<=12 > id128")
    rows, metrics = [], None
    for number, measured in enumerate(measure_cascades(cascades, query, gallery, timed=False), 1):
        metrics = measured.metrics
        rows.append(
            ResultRow.of(
                measured.label,
                metrics,
                bytes_per_entry=measured.bytes_per_entry,
                microseconds_per_query=10.0**number if timed else None,
                extra={"rules": " > ".join(str(stage["rule"]) for stage in measured.stages)},
            )
        )
    assert metrics is not None
    return ResultCard(
        data=DataCard(name="crowd", fingerprint="0" * 16, pictures={"gallery": len(gallery)}, persons={}),
        encoder=EvaluatedEncoder(name=name, fingerprint="f"),
        protocol=ProtocolCard.of(metrics),
        rows=rows,
        queries=[f"query/{i:03d}.jpg" for i in range(len(query))],
    )
