"""Progress: how long work says where it stands. Every function that may take long accepts one."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called as work goes on, from the thread that called the function.

    Any function of this form will do. One bar of tqdm for each task:

    Example:
        >>> def show(task: str, done: int, total: int, detail: str = "") -> None:
        ...     print(f"{task}: {done} of {total} {detail}".rstrip())
        >>> no_progress("encoding", 1, 2)
        >>> show("encoding", 1, 2)
        encoding: 1 of 2
    """

    def __call__(self, task: str, done: int, total: int, detail: str = "") -> None:
        """Take a report.

        Args:
            task: what is being done, such as "encoding queries"; one function may report several tasks in turn.
            done: units of work done so far; ``total`` at the end.
            total: units of work in all.
            detail: what else is worth showing, such as a loss.
        """


def no_progress(task: str, done: int, total: int, detail: str = "") -> None:
    """Report nowhere: what functions take by default."""
