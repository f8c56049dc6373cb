"""What every command prints: a table for people or JSON for machines on stdout; progress and notices on stderr."""

from __future__ import annotations

import atexit
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from swiftreid.data.printable import printable

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout instead of tables.")]
EncoderOption = Annotated[
    str, typer.Option(help="Encoder file, or a shipped one: rendered or stripes.", envvar="SWIFTREID_ENCODER")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bars and no notices.")]


class _Rate(ProgressColumn):
    """Items per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:,.1f}/s", style="progress.data.speed")


class Report:
    """The output of one command run."""

    json_asked = False
    """Whether this run prints a document: an error is one too then."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self.as_json = as_json
        Report.json_asked |= as_json
        self._quiet = quiet
        # Piped output has no width of its own: give tables room instead of folding them at 80 columns.
        self._out = Console(width=None if sys.stdout.isatty() else 140)
        self._err = Console(stderr=True)
        self._bar: Progress | None = None

    def progress(self, task: str, done: int, total: int, detail: str = "") -> None:
        """Show a `swiftreid.progress.Progress` as a bar on stderr; silent when quiet or not on a terminal.

        A bar is there from a task's first report to its last; another task's report ends it too.
        """
        if self._quiet or not self._err.is_terminal:
            return
        words = f"{task} ({detail})" if detail else task
        if self._bar is None or self._bar.tasks[0].fields["task"] != task:
            self._end_bar()
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                _Rate(),
                TimeRemainingColumn(),
                console=self._err,
            )
            self._bar.add_task(words, total=total, task=task)
            self._bar.start()
            # An error on the way must not leave the terminal without its cursor.
            atexit.register(self._end_bar)
        self._bar.update(self._bar.tasks[0].id, description=words, completed=done, total=total)
        if done >= total:
            self._end_bar()

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
            atexit.unregister(self._end_bar)

    def note(self, message: str) -> None:
        """A notice on stderr; nothing with --json, whose document says it all."""
        if not (self._quiet or self.as_json):
            self._err.print(printable(message), style="dim", highlight=False, markup=False, soft_wrap=True)

    def warn(self, message: str) -> None:
        """A warning on stderr; --quiet does not silence it."""
        self._err.print(f"warning: {printable(message)}", style="yellow", highlight=False, markup=False, soft_wrap=True)

    def text(self, line: str = "") -> None:
        """A line for people; nothing with --json."""
        if not self.as_json:
            self._out.print(printable(line), highlight=False, markup=False, soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """A table for people; nothing with --json. Columns after the first are right-aligned when numeric."""
        if self.as_json:
            return
        self._out.print(Text(title, style="bold"), soft_wrap=True)  # not the table's own title, which would be padded
        table = Table()
        body = [[_cell(value) for value in row] for row in rows]
        for i, name in enumerate(columns):
            numeric = bool(body) and all(_numeric(row[i]) for row in body)
            table.add_column(name, justify="right" if numeric else "left", overflow="fold", no_wrap=i == 0)
        for row in body:
            table.add_row(*(Text(printable(cell)) for cell in row))
        self._out.print(table)

    def document(self, content: Mapping[str, Any]) -> None:
        """The JSON document of the run; nothing without --json."""
        if self.as_json:
            sys.stdout.write(json.dumps(content, indent=2, default=str) + "\n")
            sys.stdout.flush()

    def fail(self, message: str, content: Mapping[str, Any], *, code: int = 1) -> NoReturn:
        """End with an exit code after a run that found something to report: one document, which holds the error too."""
        self.document({**content, "error": message, "exit": code})
        sys.stderr.write(f"error: {printable(message)}\n")
        raise typer.Exit(code)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _numeric(cell: str) -> bool:
    return cell == "-" or cell.replace(",", "").replace(".", "").replace("-", "").replace("%", "").strip().isdigit()
