"""The engine that answers a job: the native kernels where they are built, the NumPy reference elsewhere."""

from __future__ import annotations

from typing import Any

from swiftreid.search import kernels, reference
from swiftreid.search.job import Job, JobResult


def _columns(job: Job) -> list[Any]:
    """The stages' columns; the first that compares entries by a short code has bit planes."""
    scanned = 0 if job.lists is None else 1
    scans = len(job.stages) > 1 or job.weights[0] is not None
    sliced = scans and job.order == "search" and job.queries[scanned].shape[1] <= kernels.MAX_SLICED_BYTES
    return job.table.native_columns(tuple(stage.code for stage in job.stages), scanned if sliced else None)


def run(job: Job, kernel: str | None = None) -> JobResult:
    """Answer a checked job with a kernel (see `kernels.active_kernel`)."""
    chosen = kernels.active_kernel(kernel)
    if chosen == "reference":
        answer = JobResult.empty(job)
        reference.run(job, answer)
        return answer
    native = kernels.native_module()
    assert native is not None
    answer = JobResult.empty(job, native.room)
    native.cascade(
        _columns(job),
        None if job.lists is None else job.lists.native(job.stages),
        None if job.sample is None else job.sample.native(job.table),
        job.queries,
        job.weights,
        job.rules,
        job.live,
        job.min_candidates,
        job.order,
        job.threads,
        chosen,
        answer.indices,
        answer.distances,
        answer.stages,
        answer.counts,
        answer.figures,
    )
    return answer
