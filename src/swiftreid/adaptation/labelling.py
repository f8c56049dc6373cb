"""Labelling pairs of pictures: one question after the other, and answers that are in a file as they are given."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from swiftreid.adaptation.pictures import UnlabelledPictures
from swiftreid.clustering.answers import PairAnswer, load_answers, save_answers
from swiftreid.clustering.questions import Question, informative_pairs
from swiftreid.clustering.two_stage import ClusterSettings, PeopleClusters

_AT_ONCE: Final = 10  # questions chosen together: their answers do not depend on each other


class PairLabelling:
    """Asks about the pairs of pictures whose answers change the groups most, and keeps the answers in a file.

    Args:
        pictures: to ask about.
        file: CSV of answers; those that are in it are not asked about again.
        settings: how pictures are clustered, once, before the first question.

    Attributes:
        pictures: to ask about.
        before: the groups that the pictures and the answers in the file gave.
        answers: those in the file.

    Raises:
        UsageError: the file is there and holds something else.
        SwiftReIDError: it cannot be read.

    Example:
        ::

            labelling = PairLabelling(embed_pictures(encoder, samples), Path("answers.csv"))
            while (question := labelling.question) is not None:
                labelling.answer(same=ask_somebody(pictures.samples[question.one], pictures.samples[question.other]))
    """

    def __init__(self, pictures: UnlabelledPictures, file: Path, settings: ClusterSettings | None = None) -> None:
        self.pictures, self._file, self._settings = pictures, file, settings or ClusterSettings()
        self.answers: list[PairAnswer] = load_answers(file) if file.exists() else []
        self._ids = [sample.id for sample in pictures.samples]
        self._apart = pictures.apart()
        self.before = self.after()
        self._next: list[Question] = []
        self._done: list[tuple[Question, PairAnswer | None]] = []  # None for a question that was skipped

    @property
    def question(self) -> Question | None:
        """The next one; None where nothing is left to ask."""
        if not self._next:
            skipped = [(question.one, question.other) for question, answer in self._done if answer is None]
            self._next = informative_pairs(
                self.before,
                self.pictures.embeddings,
                self.pictures.cameras,
                known=self.pictures.known([*self._apart, *self.answers]),
                skipped=np.array(skipped, np.int64).reshape(-1, 2),
                count=_AT_ONCE,
            )
        return self._next[0] if self._next else None

    @property
    def given(self) -> int:
        """How many answers were given since this was made."""
        return sum(answer is not None for _, answer in self._done)

    def answer(self, *, same: bool) -> None:
        """Answer the question: whether the two pictures show one person. The file has it when this returns.

        Raises:
            SwiftReIDError: the file cannot be written.
        """
        question = self._next[0]
        given = PairAnswer(self._ids[question.one], self._ids[question.other], same)
        save_answers(self._file, [*self.answers, given])
        self.answers.append(given)
        self._done.append((self._next.pop(0), given))

    def skip(self) -> None:
        """Pass over the question until the next run."""
        self._done.append((self._next.pop(0), None))

    def undo(self) -> bool:
        """Take back the last answer or skip since this was made, and ask again; False where there is none.

        Raises:
            SwiftReIDError: the file cannot be written.
        """
        if not self._done:
            return False
        question, answer = self._done[-1]
        if answer is not None:
            save_answers(self._file, self.answers[:-1])
            self.answers.pop()
        self._done.pop()
        self._next.insert(0, question)
        return True

    def after(self) -> PeopleClusters:
        """The groups that the pictures and all answers give."""
        return self.pictures.clusters(self._settings, [*self._apart, *self.answers])
