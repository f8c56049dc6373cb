"""The `swiftreid` command and its groups."""

from __future__ import annotations

import typer

import swiftreid
from swiftreid.cli import bench, compare, demo, doctor, encoders, evaluate, figures, galleries, searching, synth

app = typer.Typer(
    name="swiftreid",
    help="Find a person across cameras: binary codes, a durable gallery, coarse-to-fine search.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"swiftreid {swiftreid.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", help="Print the version.", callback=_version, is_eager=True),
) -> None:
    pass


app.command("demo")(demo.demo)
app.command("search")(searching.search)
app.command("evaluate")(evaluate.evaluate)
app.command("compare")(compare.compare)
app.command("doctor")(doctor.doctor)
app.command("hash")(encoders.hash_embedding)
app.command("encode")(encoders.encode)
app.command("calibrate")(encoders.calibrate)
app.command("synth")(synth.synth)
app.add_typer(galleries.app, name="gallery")
app.add_typer(encoders.app, name="encoder")
app.add_typer(bench.app, name="bench")
app.add_typer(figures.app, name="figure")
