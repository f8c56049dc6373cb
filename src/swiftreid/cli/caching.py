"""`swiftreid cache ...`: show and delete the cache of embeddings."""

from __future__ import annotations

import typer

from swiftreid.cli.console import JsonOption, QuietOption, Report
from swiftreid.encoding.cache import EncodingCache

app = typer.Typer(
    help="Embeddings that evaluate, hash, calibrate and figure keep: pictures are encoded once.",
    no_args_is_help=True,
)


@app.command("info")
def info(as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Show the folder of the cache, its size and its encoders."""
    report = Report(as_json=as_json, quiet=quiet)
    found = EncodingCache.default().info()
    if found.folder is None:
        report.text("nothing is kept: SWIFTREID_CACHE is empty")
    else:
        size, limit = found.bytes / 2**20, found.limit / 2**20
        report.text(f"{found.folder}: {found.lists:,} lists of pictures, {size:,.1f} of at most {limit:,.0f} MiB")
        if found.encoders:
            report.table("encoders", ["encoder", "lists"], sorted(found.encoders.items()))
    report.document(
        {
            "folder": None if found.folder is None else str(found.folder),
            "lists": found.lists,
            "bytes": found.bytes,
            "limit": found.limit,
            "encoders": found.encoders,
        }
    )


@app.command("clear")
def clear(as_json: JsonOption = False, quiet: QuietOption = False) -> None:
    """Delete all cached embeddings. They are biometric data."""
    report = Report(as_json=as_json, quiet=quiet)
    freed = EncodingCache.default().clear()
    report.text(f"deleted {freed / 2**20:,.1f} MiB")
    report.document({"freed": freed})
