"""Render groups of people, in this process or in several, with the same result."""

from __future__ import annotations

import multiprocessing as mp
import os
import queue
import signal
from collections.abc import Callable, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from swiftreid.durable import write_file
from swiftreid.errors import SwiftReIDError
from swiftreid.synthetic.plan import Group, Shot
from swiftreid.synthetic.studio import Studio, StudioSettings

Done = Callable[[], None]


def usable_processors() -> int:
    """Processors that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def render_groups(out: Path, groups: Sequence[Group], stage: StudioSettings, workers: int, done: Done) -> None:
    """Render every shot of `groups` into `out`; `done` is called in this process after each.

    A picture depends on its group and the stage only, so that any number of workers gives the same bytes.

    Raises:
        OSError: a file could not be written.
        SwiftReIDError: a worker ended early.
    """
    if workers <= 1 or len(groups) <= 1:
        studio = Studio(stage)
        for group in groups:
            _render(out, studio, group, done)
        return
    context = mp.get_context("spawn")
    turn, news = context.Value("q", 0), context.Queue()
    crew: list[BaseProcess] = [
        context.Process(target=_work, args=(out, list(groups), stage, turn, news, os.getpid()), daemon=True)
        for _ in range(min(workers, len(groups)))
    ]
    try:
        for worker in crew:
            worker.start()
        left = sum(len(group.shots) for group in groups)
        while left:
            try:
                error = news.get(timeout=1.0)
            except queue.Empty:
                fallen = [worker.exitcode for worker in crew if worker.exitcode]
                if fallen:
                    raise SwiftReIDError(
                        f"a rendering process ended with {fallen[0]}, perhaps for lack of memory; run it again with "
                        "the same settings, with fewer workers if necessary: it resumes"
                    ) from None
                continue
            if error is not None:
                raise error
            left -= 1
            done()
    finally:
        for worker in crew:
            worker.terminate()
        for worker in crew:
            worker.join()


def _work(  # noqa: PLR0917
    out: Path, groups: list[Group], stage: StudioSettings, turn: Any, news: Any, parent: int
) -> None:
    """What a worker process does; it ends when its parent has."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def done() -> None:
        if os.getppid() != parent:
            os._exit(1)
        news.put(None)

    try:
        studio = Studio(stage)
        while True:
            with turn.get_lock():
                number = turn.value
                turn.value += 1
            if number >= len(groups):
                return
            _render(out, studio, groups[number], done)
    except Exception as error:  # told to the parent, which raises it
        news.put(
            error if isinstance(error, OSError | SwiftReIDError) else SwiftReIDError(f"rendering failed: {error!r}")
        )


def _render(out: Path, studio: Studio, group: Group, done: Done) -> None:
    for shot in group.shots:
        company = [person for person in group.people if person != shot.person]
        picture = studio.picture(shot.person, shot.camera, shot.scene, shot.shot, company)
        path = out / shot.split / shot.name
        write_file(path, lambda file, content=picture: file.write(content))  # type: ignore[misc]
        done()


def missing(out: Path, group: Group) -> Group:
    """The group without the shots whose files are there and complete."""
    return Group(group.people, tuple(shot for shot in group.shots if not _complete(out, shot)))


def _complete(out: Path, shot: Shot) -> bool:
    """Whether the file is there and ends as a JPEG ends."""
    try:
        with (out / shot.split / shot.name).open("rb") as file:
            file.seek(-2, os.SEEK_END)
            return file.read() == b"\xff\xd9"
    except OSError:
        return False
