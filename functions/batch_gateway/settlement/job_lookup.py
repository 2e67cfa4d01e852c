"""Find the job that wrote an output."""

import msgspec

from batch_gateway.core.jobs.late_output import is_watched
from batch_gateway.core.jobs.record import JobRecord, merge_observations, observe, parse_name
from batch_gateway.core.jobs.resource_names import parse_resource
from batch_gateway.core.pricing.model_names import base_model_of, configured_base, is_registered
from batch_gateway.logs import log
from batch_gateway.ports import Absent, UpstreamCredentialsError, UpstreamUnavailableError
from batch_gateway.settlement.deps import NotYetError, SettlementDeps
from batch_gateway.tracking import record_observations

_CANDIDATES = 50
"""Jobs that are fetched in one try to find the job of an output. A later try takes the next ones, since those
that turn out to have ended are no longer candidates. If an ended job reports its directory later, the sweep
sees that in the list of jobs."""


def find_job(directory: str, deps: SettlementDeps) -> JobRecord | None:
    """Find the job that wrote a directory: on record, else by asking Vertex AI.

    Returns:
        Its record, with the state that Vertex AI has just shown, which is not saved yet; None if the
        output is unclaimed.

    Raises:
        NotYetError: Jobs with this output prefix are still running, or more have to be fetched.
    """
    known = deps.store.jobs_by_directory(directory)
    if known:
        return known[0]
    candidates = deps.store.jobs_without_directory(directory.rpartition("/")[0], _CANDIDATES)
    running, changed = False, {}
    for candidate in candidates:
        job = fetch_job(candidate, deps)
        if job is None:
            continue
        if job.seen.output_directory == directory:
            return job
        running = running or not job.seen.terminal
        if job.seen != candidate.seen:
            changed[job.key] = job.seen
    if changed:
        record_observations(deps.store, changed)
    if running or len(candidates) == _CANDIDATES:
        raise NotYetError(
            f"no job has reported {directory} as its output yet; {len(candidates)} jobs may still do so"
        )
    return None


def fetch_job(job: JobRecord, deps: SettlementDeps) -> JobRecord | None:
    """Return a job's record with the state that Vertex AI shows now, which is not saved.

    Vertex AI is not asked if the job has ended with a directory. None if Vertex AI does not have the job, or
    no longer has it: its state will not change.
    """
    if job.seen.terminal and job.seen.output_directory:
        return job
    shown = deps.upstream.get_job(job.key)
    seen = None if isinstance(shown, Absent) else observe(shown)
    return msgspec.structs.replace(job, seen=merge_observations(job.seen, seen)) if seen else None


def find_base_model(job: JobRecord, deps: SettlementDeps) -> str | None:
    """Find the publisher's model that a tuned model was made from; empty if there is none, or none is known.

    What the configuration names counts before what Vertex AI says. None if the model is not in the job's own
    project and location, or if Vertex AI cannot be asked and the job has ended a day ago.

    Raises:
        UpstreamUnavailableError: Vertex AI does not answer. Nothing prices an output later that is settled
            without it, so its settlement can wait for a while.
        UpstreamCredentialsError: There is no token to ask it with.
    """
    model = job.seen.model.partition("@")[0]
    configured = configured_base(deps.base_models, job.key.project, job.key.location, model)
    if job.base_model is None and configured:
        return configured
    if job.base_model is not None or not _is_in_location_of(job, model):
        return job.base_model
    try:
        found = deps.upstream.get(model, project=job.key.project, location=job.key.location)
    except (UpstreamUnavailableError, UpstreamCredentialsError) as error:
        if is_watched(job, deps.now()):
            raise
        log("WARNING", "model not looked up", job=job.key.path, model=model, error=error)
        return None
    return base_model_of(found or {}) or ""


def _is_in_location_of(job: JobRecord, model: str) -> bool:
    """Return whether a model is registered in the project and location of its job.

    Vertex AI accepts no other ("must share the same ancestor Location", BatchPredictionJob.model, discovery
    revision 20261106), and the gateway's token is used for no other place.
    """
    resource = parse_resource(model)
    if resource is None or not is_registered(model) or resource.location != job.key.location:
        return False
    number, _, _ = parse_name(job.seen.name) or ("", "", "")
    return resource.project in {job.key.project, number}
