"""Define the reasons of the gateway's errors: their statuses, when they come and what to do.

The table of functions/docs/errors.md and the lists in ``/openapi.json`` are made from it
(infra/local/renew_documents.py).
"""

from typing import NamedTuple

ANY = "any"
"""Stands for the status of an error that is relayed."""


class Reason(NamedTuple):
    """A reason of errors.

    Attributes:
        statuses: HTTP statuses by their names in google.rpc.Code; empty for those of a relayed error.
        when: When it comes, in Markdown.
        advice: What to do, in Markdown.
    """

    statuses: dict[str, int]
    when: str
    advice: str


BY_STATUS: dict[str, dict[str, tuple[str, str]]] = {
    "400 INVALID_ARGUMENT": {
        "BODY_INVALID": (
            "the body is not a JSON object, has a member twice, is compressed, or broke off",
            "send a JSON object; for a create, a BatchPredictionJob",
        ),
        "BODY_TOO_COMPLEX": (
            "the body has more than 40,000 members and elements, or more than 100 levels",
            "put the rows into Cloud Storage and name the file in `inputConfig`",
        ),
        "BODY_TOO_SLOW": (
            "the body took longer than 30 s, or too many slow ones came at once, with your key or in all",
            "send it again",
        ),
        "FIELD_INVALID": (
            "a field or parameter of one of the gateway's own calls is wrong or unknown",
            "the message names it; see `/openapi.json`",
        ),
        "FILTER_INVALID": (
            "quotes, parentheses or backslashes in a list's `filter` do not match up",
            "the message says which: balance them, and put values in quotes",
        ),
        "FORMAT_NOT_SUPPORTED": (
            "`alt=proto`, `alt=media` or `callback` was asked for",
            "leave it out: answers are JSON",
        ),
        "ID_INVALID": (
            "the job's or operation's id has characters that no id has",
            "use the last part of its `name`",
        ),
        "IDEMPOTENCY_KEY_REUSED": (
            "the key was used with another body in the last 24 hours",
            "use a new key for a new job",
        ),
        "LABELS_INVALID": (
            (
                "a label is one that Google refuses; `X-Batch-Labels` cannot be read, has a reserved label, "
                "or contradicts the body; or there are too many labels"
            ),
            "the message says what to correct",
        ),
        "LABELS_REQUIRED": (
            "jobs of your key must have labels that this one lacks, or that are empty",
            "the message names all of them: add them to `labels`, or send `X-Batch-Labels`",
        ),
        "LOCATION_INVALID": (
            "the location in the path is malformed",
            "use a region such as `us-central1`, or `global`, `us` or `eu`",
        ),
        "MODEL_NOT_SERVED_HERE": (
            "the model's alias is configured for another project or location",
            "the message names them: send the job there, or write the full model name",
        ),
        "MODEL_UNKNOWN": (
            "the model to estimate is a short name that the configuration does not have",
            "use a name that the message lists, or the model's full name",
        ),
        "PATH_INVALID": (
            "the path has encoded characters, `//`, `.` or `..`, or is too long",
            "write it plainly; no slash at the end of your client's base URL",
        ),
        "PLACE_MISSING": (
            "the path has no project and location, and the gateway serves several",
            "set both in your client, or write them in the path",
        ),
        "PROJECT_INVALID": (
            "the project in the path is malformed",
            "use the project's id (6 to 30 lower-case letters, digits and hyphens) or its number",
        ),
        "RESOURCE_INVALID": (
            "a model or other resource in the body is not a valid name",
            "`projects/PROJECT/locations/LOCATION/models/ID` or `publishers/PUBLISHER/models/MODEL`",
        ),
    },
    "400 FAILED_PRECONDITION": {
        "BILLING_EXPORT_NOT_CONFIGURED": (
            "the gateway does not know where Google's bill is",
            "export Cloud Billing to BigQuery, and set `billing_export`",
        ),
        "BILLING_EXPORT_UNUSABLE": (
            (
                "the export does not exist, is another kind of table, is too large for one query, or the "
                "gateway's account lacks permission to read it"
            ),
            "the message says which, and what to do",
        ),
        "ESTIMATE_UNKNOWN": (
            "your key has a budget, and the job's highest cost cannot be computed",
            "set `maxOutputTokens`, and use a model with a known price; the message says what is missing",
        ),
        "INPUT_PREFIX_MISSING": (
            (
                "there is no folder for an upload: the configuration has no `input_prefix`, or none of the "
                "`gs://` prefixes that your key and its team may use covers it"
            ),
            (
                "ask the administrator to add a `gs://` prefix to key and team; or, if neither has prefixes, "
                "to set `general_settings.input_prefix`"
            ),
        ),
        "INPUT_PREFIX_UNUSABLE": (
            (
                "the bucket does not exist, or the gateway's account lacks permission to read and create "
                "objects there"
            ),
            (
                "the administrator grants `roles/storage.objectCreator` and `objectViewer` there, or puts "
                "another prefix first"
            ),
        ),
        "INPUT_TOO_LARGE_TO_CHECK": (
            "your key has `allowed_uri_prefixes`, and the input is too large to be read in time",
            "split it over several jobs",
        ),
        "INPUT_TOO_LARGE_TO_WEIGH": (
            "your key has a budget, and the input is too large to be read in time",
            "split it over several jobs",
        ),
        "JOB_ALREADY_RESUMED": (
            "the job was resumed by one that runs or has succeeded; the message names it",
            "use that job, or resume it in turn",
        ),
        "JOB_NOT_ENDED": ("the job to be resumed is still running", "wait for its end, or cancel it first"),
        "NOTHING_TO_RESUME": (
            "all rows of the job have an answer",
            "create a job with the same input to run them again",
        ),
        "RESUME_NOT_SUPPORTED": (
            (
                "the job's output cannot be read as input: it is a custom model's, or neither JSONL nor a "
                "BigQuery table"
            ),
            "create a job from the rows that are missing",
        ),
        "OVERRIDES_FULL": (
            "there are 500 overrides of prices, or 400,000 bytes of them",
            "delete those that the table has caught up with",
        ),
        "ROWS_NOT_CHECKED": (
            (
                "your key has `allowed_uri_prefixes`, and the files that rows name cannot be checked: the "
                "input is missing, is compressed, is a view or is not UTF-8; or its wildcards match more "
                "than 100 objects"
            ),
            "name jsonl files in Cloud Storage or a table in BigQuery; the message says what is wrong",
        ),
        "OUTPUT_NOT_OWN": (
            "the folder or table of the job's output existed before the job, or is another job's",
            "read it with an account of your own; name a new folder or table for the next job's output",
        ),
        "OUTPUT_NOT_THERE": (
            (
                "the job has not written anything yet, or has ended without output; for a resume, not all of "
                "its output is there"
            ),
            "the message says which: ask again some minutes after its end, or get the job for its error",
        ),
        "OUTPUT_UNREADABLE": (
            "the output is binary, so its rows cannot be told apart",
            "leave out `view`, `state` and `limit`",
        ),
        "TEAM_HAS_KEYS": (
            "the team to be deleted still has keys",
            "delete its keys first, or block the team",
        ),
        "UPSTREAM_ANSWER_TOO_LARGE": (
            "Vertex AI's answer has more than 32 MiB or 300,000 values",
            "list with a smaller `pageSize`",
        ),
    },
    "401 UNAUTHENTICATED": {
        "API_KEY_MISSING": ("no key was sent", "send one, see [api.md](api.md#keys-and-paths)"),
    },
    "403 PERMISSION_DENIED": {
        "ADMIN_ONLY": (
            "only administrators may make this call (viewers too, for some that only read)",
            "use the key that the message names (see [roles](keys-and-budgets.md#roles))",
        ),
        "API_KEY_INVALID": (
            "the key is unknown, expired or disabled, or its team is gone",
            "check it, or ask for another one",
        ),
        "FIELD_NOT_ALLOWED": (
            "your key is limited, and this field would reach beyond the limit",
            "leave the field out; the message says what to use",
        ),
        "JOB_NOT_ALLOWED": (
            "the job is another team's, does not exist, or is not on record yet",
            (
                "check the id; a job created elsewhere appears after the next sweep, to your team if it "
                "carries its label"
            ),
        ),
        "LOCATION_NOT_ALLOWED": ("your key may not use this location", "use one that the message lists"),
        "MODEL_NOT_ALLOWED": ("your key may not use this model", "use one that the message lists"),
        "PROJECT_NOT_ALLOWED": (
            "the gateway does not serve this project and location, or your key may not use it",
            "use others, or ask the administrator to add them",
        ),
        "READ_ONLY_KEY": (
            "your key has the role `viewer`, and the call would change something",
            "use a key without a role for jobs, an administrator's to manage keys, teams and prices",
        ),
        "ROW_URI_NOT_ALLOWED": (
            "a row of the input names a file that your key may not read; the message has its line",
            (
                "name files below the prefixes that the message lists; put a text that begins with `gs://` "
                "into a member `text`"
            ),
        ),
        "URI_NOT_ALLOWED": ("your key may not read or write this URI", "use a prefix that the message lists"),
    },
    "404 NOT_FOUND": {
        "JOB_DELETED": (
            "Vertex AI no longer has the job to be resumed, so its parameters are unknown",
            "create a job; the message names the old output, which may be its input",
        ),
        "JOB_NOT_ON_RECORD": (
            "the gateway has no record of this job",
            (
                "check the id; a job created elsewhere appears after the next sweep, if it is less than "
                "seven days old"
            ),
        ),
        "KEY_UNKNOWN": ("there is no such key", "check `/key/list`"),
        "OVERRIDE_UNKNOWN": (
            "there is no override of prices with this name and location",
            "check `GET /v1/prices`",
        ),
        "OUTPUT_GONE": (
            "a part of the job's output, or all of it, was deleted or overwritten",
            "run the job again, or restore the object that the message names",
        ),
        "PATH_UNKNOWN": ("there is no such path", "check `/openapi.json`"),
        "TEAM_UNKNOWN": ("there is no such team", "check `/team/list`"),
    },
    "405 UNIMPLEMENTED": {
        "METHOD_NOT_ALLOWED": (
            "the path does not take this method",
            "the message and `Allow` name those that it takes",
        ),
    },
    "409 ABORTED": {
        "IDEMPOTENCY_KEY_IN_USE": (
            "the first create with this key is still under way",
            "send the same again after `Retry-After` seconds",
        ),
        "RESUME_IN_PROGRESS": (
            "another resume of the job is under way, or got no answer and is being looked for",
            (
                "try again after `Retry-After` seconds; the job's cost names the new job as `resumedBy` once "
                "there is one"
            ),
        ),
    },
    "409 ALREADY_EXISTS": {
        "INPUT_EXISTS": (
            "there is an input file with this name already; it was not overwritten",
            "use it as it is, or choose another name",
        ),
        "KEY_ALIAS_TAKEN": ("another key has this alias", "choose another"),
        "TEAM_EXISTS": (
            "there is a team with this id",
            "change it with `/team/update`, or choose another id",
        ),
        "TEAM_ID_USED": ("a deleted team had this id, and its costs still carry it", "choose another id"),
    },
    "413 INVALID_ARGUMENT": {
        "BODY_TOO_LARGE": (
            "the body has more than 10 MiB, or 2.5 MiB with characters beyond ASCII",
            "[upload](api.md#upload-an-input-file) the input to Cloud Storage",
        ),
    },
    "429 RESOURCE_EXHAUSTED": {
        "BUDGET_EXCEEDED": (
            "the job's highest cost does not fit into what is left of a budget",
            (
                "the message has the figures and when the budget resets: lower `maxOutputTokens`, wait, or "
                "ask for more"
            ),
        ),
        "KEY_ATTEMPTS_EXCEEDED": (
            "many unknown keys came from your address, or begin like yours",
            "send the same again after `Retry-After` seconds",
        ),
        "RATE_LIMIT_EXCEEDED": (
            "the `rpm_limit` of key or team is used up",
            "try again after `Retry-After` seconds",
        ),
        "TOO_MANY_DOWNLOADS": (
            "your key reads four results already, or all keys 16, on this instance",
            "try again after `Retry-After` seconds",
        ),
        "TOO_MANY_LARGE_BODIES": (
            "too many large bodies are being handled, with your key or in all",
            "try again after `Retry-After` seconds",
        ),
    },
    "500 INTERNAL": {
        "INTERNAL": (
            "something failed in the gateway",
            (
                "try again once (after a create, list jobs first); if it stays, tell the administrator the "
                "path and the time: the cause is in the log"
            ),
        ),
        "UPSTREAM_CREDENTIALS": (
            "the gateway got no Google access token",
            "tell the administrator: the cause is in the log",
        ),
    },
    "500 DATA_LOSS": {
        "RECORD_UNREADABLE": (
            "a record that the request needs (a job, key, team or price) cannot be read; jobs run on",
            (
                "tell the administrator the path and the time: the log line `record.unreadable` has them, "
                "and what is wrong with the record, which must be corrected or deleted"
            ),
        ),
    },
    "503 UNAVAILABLE": {
        "BILLING_EXPORT_UNAVAILABLE": (
            "BigQuery does not answer",
            "try again after `Retry-After` seconds",
        ),
        "BOOKS_UNAVAILABLE": (
            "Firestore does not answer; if it was a create, nothing was submitted",
            "try again",
        ),
        "JOB_NOT_RECORDED": (
            "the job was submitted (the message names it), but not recorded",
            "do not submit it again",
        ),
        "STORAGE_UNAVAILABLE": ("Cloud Storage does not answer", "try again after `Retry-After` seconds"),
        "OUTPUT_UNAVAILABLE": (
            "Cloud Storage or BigQuery does not answer, or refuses the gateway's account",
            "try again; if it stays, tell the administrator: the cause is in the log (`results.failed`)",
        ),
        "UPSTREAM_UNAVAILABLE": ("Vertex AI cannot be reached", "try again after `Retry-After` seconds"),
        "WEIGHING_BUSY": (
            "your key has a budget or `allowed_uri_prefixes`, and other large inputs are being read",
            "try again after `Retry-After` seconds",
        ),
    },
    "503 UNAVAILABLE, 504 DEADLINE_EXCEEDED": {
        "CREATE_FATE_UNKNOWN": (
            "Vertex AI did not answer a create, or answered without a job",
            (
                "with an `Idempotency-Key`, send the same again; without one, list jobs before you submit "
                "again. The gateway records the job if there is one"
            ),
        ),
    },
    "any": {
        "UPSTREAM_ERROR": (
            "Vertex AI answered with an error in another form, such as an HTML page",
            "check project, location and id",
        ),
    },
}
"""Reasons by HTTP status and name in google.rpc.Code, with when they come and what to do."""


def _statuses(text: str) -> dict[str, int]:
    pairs = [each.split(" ") for each in text.split(", ") if each != ANY]
    return {name: int(code) for code, name in pairs}


REASONS = {
    name: Reason(_statuses(text), when, advice)
    for text, reasons in BY_STATUS.items()
    for name, (when, advice) in reasons.items()
}
"""All reasons by name."""
