"""A calibration as text for people."""

from __future__ import annotations

from collections.abc import Sequence

from swiftreid.calibration.calibration import SHORT_LIST, UNLABELLED, Calibration
from swiftreid.calibration.same_person import EMBEDDING, SamePerson
from swiftreid.calibration.same_person import UNLABELLED as BY_GROUPS
from swiftreid.calibration.thresholds import PAPER_BETA
from swiftreid.cli.console import Report
from swiftreid.evaluation.attributes import AttributeScore, AttributeScores

FEW = 30
"""With fewer held-out people, a command warns about its figures and thresholds."""


def print_calibration(report: Report, found: Calibration) -> None:
    """Print one line for each fitted value, with its data."""
    report.text(f"cascade: {found.cascade} ({_chosen_by(found)})")
    if found.method == UNLABELLED:
        _print_unlabelled(report, found)
        return
    if found.method != SHORT_LIST and found.default_cascade != found.cascade:
        report.text(f"cascade of the paper's beta: {found.default_cascade} (DTO, beta {PAPER_BETA:g})")
    if found.recall is None:
        report.text(f"no certified recall: {found.recall_note}")
    else:
        promise = found.recall
        report.text(
            f"certified recall: {promise.cascade()} keeps at least {100 * promise.share:.4g} % of the exhaustive "
            f"result (up to {promise.reach} bits) at {100 * promise.confidence:.4g} % confidence; "
            f"{promise.certifying} people kept {100 * promise.kept:.2f} %"
        )
    if found.short_list is not None:
        short = found.short_list
        report.text(
            f"short list: {short.cascade()} has a match for {100 * short.rank_share:g} % of {short.queries:,} queries "
            f"(w = {short.top:,} of {short.entries:,})"
        )
    if found.attributes:
        report.text(attributes_in_words(found.attributes))
    for threshold in (found.same_person, found.same_person_embedding):
        if threshold is not None:
            report.text(_same_person(threshold))


def _print_unlabelled(report: Report, found: Calibration) -> None:
    """A threshold that was fitted without labels: from what, and how sure it is."""
    report.text(
        f"without labels, from {found.pictures:,} pictures: {found.persons:,} people are found by two cameras; "
        f"{found.details['known_together']:,} pairs are known to be one person, {found.details['known_apart']:,} two"
    )
    for threshold in (found.same_person, found.same_person_embedding):
        if threshold is None:
            continue
        report.text(_same_person(threshold))
        facts = found.details[threshold.code]
        least, most = (100 * share for share in facts["resampled"])
        sure = f"  {least:.1f} to {most:.1f} % by groups of random parts of the pictures"
        if facts["apart"] is not None:
            sure += f"; {100 * facts['apart']:.2g} % of the pairs known to be two are within it"
        if facts["together"] is not None:
            sure += f"; {100 * facts['together']:.0f} % of those known to be one"
        report.text(sure)


def warn_of_few(people: int, held_out: str, report: Report) -> None:
    """Warn where figures rest on too few held-out people."""
    if people < FEW:
        report.warn(
            f"figures and thresholds come from {held_out} only and may be far off for others: calibrate on more people"
        )


def _chosen_by(found: Calibration) -> str:
    if found.beta is not None:
        return f"DTO, beta {found.beta:g}"
    if found.method == UNLABELLED:
        return "every entry: no cascade is fitted without labels"
    if found.method != SHORT_LIST:
        return "certified recall"
    lost, most = found.details.get("lost", {}), 100 * found.details.get("max_loss", 0.0)
    if found.cascade in lost:
        return f"a short list that loses {100 * lost[found.cascade]:.2f} points of mAP here"
    return f"every entry: short lists lose more than {most:g} points of mAP here" if lost else "the w rule"


def attributes_in_words(scores: Sequence[AttributeScore]) -> str:
    """One line on how well attributes were predicted: mean accuracy and mA, the worst and the best."""
    known = [score for score in scores if score.accuracy is not None]
    means = AttributeScores(known)
    if means.accuracy is None:
        return "attributes: none is known of these people"
    line = f"attributes: accuracy {100 * means.accuracy:.1f} % of {len(known)}"
    balanced_scores = [(balanced, score.name) for score in scores if (balanced := score.balanced) is not None]
    if means.mean_accuracy is None:
        return line
    (low, worst), (high, best) = min(balanced_scores), max(balanced_scores)
    return (
        f"{line}, mA {100 * means.mean_accuracy:.1f} % of {len(balanced_scores)}, "
        f"from {worst} {100 * low:.0f} % to {best} {100 * high:.0f} %"
    )


def _same_person(found: SamePerson) -> str:
    distance = "cosine distance up to" if found.code == EMBEDDING else f"{found.code} up to"
    there = "the people found by two cameras" if found.source == BY_GROUPS else "the people who are there"
    line = (
        f"same person: {distance} {found.threshold:g} finds {100 * found.recall:.1f} % of {there} and "
        f"gives an entry to {100 * found.false_accepts:.1f} % of those who are not, among {found.gallery:,} entries"
    )
    return line if found.met else f"{line}; that is more than you allowed, but no threshold is stricter"


def print_sweep(report: Report, found: Calibration) -> None:
    """What every beta lost and compared on the held-out people."""
    exhaustive = found.details.get("exhaustive", 0.0)
    report.table(
        f"{found.data}, exhaustive mAP {100 * exhaustive:.2f}",
        ["beta", "mAP", "mAP lost", "KB / query", "cascade"],
        [
            (
                f"{t['beta']:g}",
                f"{100 * t['mAP']:.2f}",
                f"{round(100 * t['loss'], 2) + 0.0:.2f}",  # no -0.00
                f"{t['bytes_per_query'] / 1000:,.1f}",
                t["cascade"],
            )
            for t in found.details["trials"]
        ],
    )
