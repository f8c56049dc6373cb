"""`swiftreid demo`: the main job from end to end on the small rendered data set, as the commands a user would type."""

from __future__ import annotations

import io
import json
import shutil
import sys
import time
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import Annotated

import typer

from swiftreid.cli import coding, evaluate, galleries, searching
from swiftreid.cli.console import EncoderOption, JsonOption, QuietOption, Report
from swiftreid.data.pictures import find_pictures
from swiftreid.encoding.encoder import DEFAULT, open_encoder
from swiftreid.errors import SwiftReIDError, UsageError

_STATION = Path("examples/station")
_MARK = "made-by-demo"
_DESCRIBED = ("skirt", "backpack")  # three people of the station have both


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the gallery, the picture and the result card.")] = Path(
        "out/demo"
    ),
    station: Annotated[
        Path | None, typer.Option(help="The rendered data set. Default: examples/station of the source tree.")
    ] = None,
    encoder: EncoderOption = DEFAULT,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Calibrate, index, search and measure on pictures of rendered people; writes pictures. Downloads nothing."""
    started = time.perf_counter()
    report = Report(as_json=as_json, quiet=quiet)
    data = station or _find_station()
    if not (data / "query").is_dir():
        raise UsageError(f"--station {data} is no data set in Market-1501 layout: it has no folder 'query'")
    calibrated, gallery, picture, described, card = (
        out / name for name in ("encoder.safetensors", "gallery", "search.png", "description.png", "result.json")
    )
    _make_room(gallery)
    queries = find_pictures(data / "query")
    chosen = queries[:: max(1, len(queries) // 4)][:4]

    def step(title: str, command: str) -> None:
        report.text(f"\n{title}\n$ swiftreid {command}")

    # With --json only the document at the end goes to stdout.
    with redirect_stdout(io.StringIO()) if as_json else nullcontext():
        step(
            "1. Fit the search thresholds on the data set's training people.",
            f"calibrate {encoder} {data} -o {calibrated}",
        )
        coding.calibrate(encoder, str(data), output=calibrated, quiet=quiet)
        step(
            "2. Make a durable gallery for that encoder, of people who do not exist ...",
            f"gallery create {gallery} --encoder {calibrated} --rendered",
        )
        galleries.create(gallery, encoder=str(calibrated), rendered=True, quiet=quiet)
        (gallery / _MARK).touch(mode=0o600)
        step(
            "   ... and add the pictures of the other people.",
            f"gallery add {gallery} {data}/bounding_box_test",
        )
        galleries.add(gallery, [data / "bounding_box_test"], quiet=quiet)
        step(
            "3. Search a few of them; pictures by the query's own camera do not count.",
            f"search {gallery} {' '.join(map(str, chosen))} --other-cameras -k 6 --picture {picture}",
        )
        searching.search(gallery, chosen, k=6, other_cameras=True, picture=picture, quiet=quiet)
        if telling := {*_DESCRIBED} <= {*open_encoder(calibrated).card.attributes}:
            words = " ".join(f"--has {word}" for word in _DESCRIBED)
            step(
                "   ... and without a picture, whoever is described so.",
                f"search {gallery} {words} -k 6 --picture {described}",
            )
            searching.search(gallery, has=[*_DESCRIBED], k=6, picture=described, quiet=quiet)
        step(
            "4. Measure all of them by the single-query protocol.",
            f"evaluate {data} --encoder {calibrated} --card {card}",
        )
        evaluate.evaluate(str(data), encoder=str(calibrated), card=card, quiet=quiet)
    seconds = time.perf_counter() - started
    pictures = f"{picture} and {described}" if telling else picture
    report.text(f"\nDone in {seconds:.0f} s. Look at {pictures}; the gallery in {gallery} is yours to search:")
    report.text(f"  {sys.argv[0]} search {gallery} {chosen[0]}")
    report.document(
        {
            "gallery": str(gallery),
            "picture": str(picture),
            "description": str(described) if telling else None,
            "seconds": round(seconds, 1),
            "card": json.loads(card.read_text(encoding="utf-8")),
        }
    )


def _find_station() -> Path:
    for root in (Path.cwd(), Path(__file__).resolve().parents[3]):
        if (root / _STATION).is_dir():
            return root / _STATION
    raise SwiftReIDError(
        f"the rendered data set {_STATION} is not here: run this in the source tree, or render one with "
        "`swiftreid synth station` and give --station station"
    )


def _make_room(gallery: Path) -> None:
    """Remove the gallery of an earlier demo, and nothing that is not one: it may be the user's own of that name."""
    if not gallery.exists():
        return
    if not (gallery / _MARK).is_file():
        raise SwiftReIDError(f"{gallery} exists and is not marked as made by the demo: give another --out")
    shutil.rmtree(gallery)
