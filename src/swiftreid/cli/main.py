"""The `swiftreid` command: its groups, and how errors end it (0 done, 1 failed, 2 wrong usage)."""

from __future__ import annotations

import errno
import json
import sys

import typer

import swiftreid
from swiftreid.cli import demo, encoders, evaluate, galleries, searching, synth
from swiftreid.errors import SwiftReIDError, UsageError

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
app.command("doctor")(evaluate.doctor)
app.command("hash")(encoders.hash_embedding)
app.command("encode")(encoders.encode)
app.command("calibrate")(encoders.calibrate)
app.command("synth")(synth.synth)
app.add_typer(galleries.app, name="gallery")
app.add_typer(encoders.app, name="encoder")


def run() -> None:
    """Entry point: run the command line and turn expected errors into one clear line and an exit code."""
    try:
        app()
    except UsageError as error:
        _fail(str(error), 2)
    except SwiftReIDError as error:
        _fail(str(error), 1)
    except MemoryError:
        _fail("out of memory: give fewer pictures at a time or a smaller data set", 1)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away, as `| head` does
        sys.exit(1)
    except OSError as error:
        full = "; free some space and run the command again" if error.errno == errno.ENOSPC else ""
        _fail(f"{error.filename or ''}: {error.strerror or error}{full}".lstrip(": "), 1)
    except KeyboardInterrupt:
        _fail("interrupted; everything acknowledged so far is kept", 130)


def _fail(message: str, code: int) -> None:
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps({"error": message, "exit": code}) + "\n")
    sys.stderr.write(f"error: {message}\n")
    sys.exit(code)
