"""Whose output it is."""

import msgspec

from batch_gateway.core.jobs.record import JobKey, JobRecord, merge_observations, observe, parse_name
from batch_gateway.core.jobs.resource_names import parse_resource
from batch_gateway.core.pricing.models import base_model_of, is_registered
from batch_gateway.logs import log
from batch_gateway.ports import Upstream, UpstreamCredentialsError, UpstreamUnavailableError
from batch_gateway.settlement.deps import NotYetError, SettlementDeps
from batch_gateway.tracking import note

_CANDIDATES = 50
"""Jobs that are looked up in one try to find whose output it is; a later try takes the next ones, since those
that are found to have ended are no candidates any more. Should one that has ended name a directory later, the
sweep sees it in the list of jobs."""


def find_job(directory: str, deps: SettlementDeps) -> JobRecord | None:
    """Find the job that wrote a directory: as recorded, else as Vertex AI says.

    Returns:
        Its record, with what was just seen of the job, which is not on record yet; None if it is nobody's.

    Raises:
        NotYetError: Jobs with this output prefix still run, or more remain to be looked up.
    """
    known = deps.store.jobs_by_directory(directory)
    if known:
        return known[0]
    candidates = deps.store.jobs_without_directory(directory.rpartition("/")[0], _CANDIDATES)
    running, changed = False, {}
    for candidate in candidates:
        job = look_up(candidate, deps)
        if job is None:
            continue
        if job.seen.output_directory == directory:
            return job
        running = running or not job.seen.terminal
        if job.seen != candidate.seen:
            changed[job.key] = job.seen
    if changed:
        note(deps.store, changed)
    if running or len(candidates) == _CANDIDATES:
        raise NotYetError(f"no job has reported {directory} as its output yet; {len(candidates)} may")
    return None


def look_up(job: JobRecord, deps: SettlementDeps) -> JobRecord | None:
    """Return a job's record with what Vertex AI shows now, which is not put on record.

    The look is spared if the job ended with a directory. None if Vertex AI does not have the job (any more):
    nothing more will be heard of it.
    """
    if job.seen.terminal and job.seen.output_directory:
        return job
    shown = deps.upstream.get_job(job.key)
    seen = observe(shown) if shown else None
    return msgspec.structs.replace(job, seen=merge_observations(job.seen, seen)) if seen else None


def refresh(key: JobKey, deps: SettlementDeps) -> JobRecord | None:
    """Return a job's record after a look as `look_up` has it, which is put on record."""
    record = deps.store.get_job(key)
    job = look_up(record, deps) if record else None
    if job is None or record is None or job.seen == record.seen:
        return job
    return note(deps.store, {key: job.seen}).get(key)


def base_model(job: JobRecord, upstream: Upstream) -> str | None:
    """The publisher's model that a tuned model was made from; empty if there is none, or none is known.

    None if it could not be asked for now: the job is priced without, and asked about again.
    """
    model = job.seen.model.partition("@")[0]
    if job.base_model is not None or not _is_of_its_place(job, model):
        return job.base_model
    try:
        found = upstream.get(model, project=job.key.project, location=job.key.location)
    except (UpstreamUnavailableError, UpstreamCredentialsError) as error:
        log("WARNING", "model not looked up", job=job.key.path, model=model, error=error)
        return None
    return base_model_of(found or {}) or ""


def _is_of_its_place(job: JobRecord, model: str) -> bool:
    """Whether a model is registered in the project and location of its job.

    Vertex AI takes no other ("must share the same ancestor Location", BatchPredictionJob.model, discovery
    revision 20261106), and no other place is looked into with the gateway's token.
    """
    resource = parse_resource(model)
    if resource is None or not is_registered(model) or resource.location != job.key.location:
        return False
    number, _, _ = parse_name(job.seen.name) or ("", "", "")
    return resource.project in {job.key.project, number}
