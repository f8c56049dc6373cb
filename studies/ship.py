"""The last step of the shipped encoder: its name, its licence, and on its card what result cards say of it.

How well attributes are predicted is taken from the first card that states it. A calibration is left out: thresholds
depend on the cameras of whoever uses the encoder. See docs/shipped.md for every step before this one.

    python studies/ship.py hashed.safetensors -o rendered.safetensors --card rendered.json --card cuhk01.json

Without a result card, the figures stay that are on the encoder's card: so words are added to a card later on, which
leaves tensors and fingerprint as they are.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from program import run

from swiftreid.encoding.encoder import open_encoder
from swiftreid.evaluation.card import ResultCard

LARGEST = 12_000_000
"""Bytes of the file, at most."""


def metrics(card: ResultCard, fingerprint: str) -> list[dict[str, object]]:
    """Rank-1 and mAP of each exhaustive ranking on a result card."""
    if card.encoder is None or card.encoder.fingerprint != fingerprint:
        raise SystemExit(f"error: the card of {card.data.name} is of another encoder")
    chosen = [row for row in card.rows if row.ranking.startswith("id") and row.ranking.endswith(" exhaustive")]
    chosen += [row for row in card.rows if row.ranking == "float embedding"]
    return [
        {
            "ranking": row.ranking,
            "rank1": row.rank1,
            "map": row.map_standard,
            "data": f"{card.data.name}, {card.protocol.queries:,} queries",
        }
        for row in chosen
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("encoder", type=Path, help="Made by `swiftreid hash`.")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--card", type=Path, action="append", default=[], help="Result card of it; repeatable.")
    parser.add_argument("--name", default="rendered")
    parser.add_argument("--licence", default="Apache-2.0")
    parser.add_argument(
        "--record",
        action="append",
        default=[],
        metavar="FIELD=WORDS",
        help="What else the card's record of training is to say; repeatable.",
    )
    parser.add_argument("--provenance", help="What goes before the card's own words on what was learned from.")
    args = parser.parse_args()
    made = open_encoder(args.encoder)
    cards = [ResultCard.load(card) for card in args.card]
    rows = [row for card in cards for row in metrics(card, made.fingerprint)]
    scores = next((card.attributes for card in cards if card.attributes), [])
    provenance = "; ".join(filter(None, [args.provenance, made.card.provenance]))
    words: dict[str, object] = {"name": args.name, "licence": args.licence, "provenance": provenance}
    record = dict(made.card.training)
    for entry in args.record:
        field, equals, statement = entry.partition("=")
        if not (field and equals and statement):
            raise SystemExit(f"error: --record takes FIELD=WORDS, got {entry!r}")
        record[field] = statement
    words |= {"training": record, "calibration": None}
    if cards:
        words |= {"metrics": rows, "attribute_scores": scores}
    shipped = type(made)(made.card.model_copy(update=words), made.tensors)
    shipped.save(args.output)
    size = args.output.stat().st_size
    print(f"wrote {args.output}: {size:,} bytes, {shipped.card.short_fingerprint}")
    for row in rows:
        print(f"  {row['data']:40} {row['ranking']:20} {100 * row['rank1']:5.1f} / {100 * row['map']:5.1f}")  # type: ignore[operator]
    if size > LARGEST:
        raise SystemExit(f"error: the file is larger than {LARGEST:,} bytes")


if __name__ == "__main__":
    run(main)
