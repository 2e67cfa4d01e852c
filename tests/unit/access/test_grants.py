"""Attack the bounds of a key, as somebody who has one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.access import grants
from batch_gateway.core.access.grants import normalize_uri
from batch_gateway.core.access.limits import Grant
from batch_gateway.core.errors import ApiError

TEAM_A = "gs://b/team-a"


def refusal(check, *given):
    """Reason of a refusal; None if there is none."""
    try:
        check(*given)
    except ApiError as error:
        return error.reason if error.status == "PERMISSION_DENIED" else f"{error.status} {error.reason}"
    return None


def may_use(uri, *prefixes):
    return refusal(grants.check_uri, prefixes or (TEAM_A,), uri) is None


@pytest.mark.parametrize(
    "uri",
    [
        *(
            "gs://b/team-a",
            "gs://b/team-a/",
            "gs://b/team-a/x.jsonl",
            "gs://b/team-a/x/y/",
            "gs://b/team-a/*",
        ),
        *(
            "gs://b/team-a/**/x.jsonl",
            "gs://b/team-a/x*",
            "GS://b/team-a/x",
            "Gs://B/team-a/x",
            "gs://b/team-a/é",
        ),
        *("gs://b/team-a/a:b", "gs://b/team-a/a#b?c=d", "gs://b/team-a/...", "gs://b/team-a/x.."),
    ],
)
def test_what_lies_below_a_prefix_may_be_used(uri):
    assert may_use(uri)
    assert may_use(uri, "gs://b/team-a/")
    assert may_use(uri, "gs://b")
    assert may_use(uri, "gs://elsewhere/x", "GS://B/team-a")


@pytest.mark.parametrize(
    "uri",
    [
        *(
            "gs://b/team-ab",
            "gs://b/team-ab/x",
            "gs://b/team-a-secret/x",
            "gs://b/team-",
            "gs://b",
            "gs://b/",
        ),
        *("gs://bb/team-a/x", "gs://b2/team-a", "gs://b/x/team-a/y", "gs://b/Team-A/x", "gs://c/team-a/x"),
        # wildcards that begin before the prefix ends
        *("gs://b/team-a*", "gs://b/team-a*/x", "gs://b/team-?/x", "gs://b/*/x", "gs://*/team-a/x", "gs://*"),
        *("gs://b/team-[ab]/x", "gs://b/{team-a,team-b}/x", "gs://b*/team-a/x"),
        # what could be read in more than one way
        *("gs://b/team-a/../team-b/x", "gs://b/team-a/..", "gs://b/./team-a/x", "gs://b/team-a/./x"),
        *("gs://b//team-a/x", "gs://b/team-a//x", "gs:///b/team-a/x", "gs:/b/team-a/x", "gs:b/team-a/x"),
        *("gs:////b/team-a/x", "gs://b/team-a/%2e%2e/team-b", "gs://b/team-a%2Fx", "gs://b/team%2da/x"),
        *("gs://b\\team-a/x", "gs://b/team-a\\..\\x", "gs:\\\\b\\team-a"),
        *(
            " gs://b/team-a/x",
            "gs://b/team-a/x ",
            "gs://b/team-a/x y",
            "gs://b/team-a/x\n",
            "\tgs://b/team-a/x",
        ),
        *("gs://b/team-a/x\x00", "gs://b/team-a/\x1f", "gs://b/team-a/\x7f", "gs://b/team-a/x\r\ngs://c/y"),
        *("\u200bgs://b/team-a/x", "\ufeffgs://b/team-a/x", "g\u017f://b/team-a/x", "ｇｓ://b/team-a/x"),  # noqa: RUF001
        *("gs://user@b/team-a/x", "gs://b:443/team-a/x", "gs://b#/team-a/x", "gs://b?/team-a/x"),
        *(
            "bq://b.team-a",
            "bq://b/team-a",
            "s3://b/team-a/x",
            "file:///etc/passwd",
            "//b/team-a",
            "b/team-a/x",
        ),
        *("", "gs", "gs:", "gs:/", "gs://", "gs:///", "bq://", "https://storage.googleapis.com/b/team-a/x"),
        *("gs://b/team‐a/x", "gs://b/ｔeam-a/x", "gs://b∕team-a/x", "gs://b/team-a∕../team-b"),  # noqa: RUF001
    ],
    ids=ascii,
)
def test_what_does_not_may_not(uri):
    assert not may_use(uri)
    assert not may_use(uri, "gs://b/team-a/")


@pytest.mark.parametrize(
    ("prefix", "uri", "allowed"),
    [
        ("bq://p", "bq://p", True),
        ("bq://p", "bq://p.d", True),
        ("bq://p", "bq://p.d.t", True),
        ("bq://p", "bq://p2.d.t", False),
        ("bq://p", "bq://p-2.d.t", False),
        ("bq://p.d", "bq://p.d.t", True),
        ("bq://p.d", "BQ://p.d.t", True),
        ("bq://p.d", "bq://p:d.t", True),
        ("bq://p:d", "bq://p.d.t", True),
        ("bq://p.d", "bq://p.d", True),
        ("bq://p.d", "bq://p", False),
        ("bq://p.d", "bq://p.d2", False),
        ("bq://p.d", "bq://p.d_2.t", False),
        ("bq://p.d", "bq://p.D.t", False),
        ("bq://p.d", "bq://p.*", False),
        ("bq://p.d", "bq://p.d*", False),
        ("bq://p.d.t", "bq://p.d.t", True),
        ("bq://p.d.t", "bq://p.d.t2", False),
        ("bq://p.d.t", "bq://p.d.t_*", False),
        ("bq://p.d.t", "bq://p.d", False),
        ("bq://p.d", "bq://p.d.t$20261122", True),
        ("bq://p.d", "bq://p.%64.t", False),
        ("bq://p.d", "bq://p.d.t\n", False),
        ("bq://p.d", "bq://`p`.d.t", False),
        ("bq://p.d", "gs://p.d/t", False),
        ("bq://example.com:p.d", "bq://example.com:p.d.t", True),
        ("bq://example.com:p.d", "bq://example.com:p.d2.t", False),
    ],
)
def test_bigquery_grants_are_projects_datasets_and_tables(prefix, uri, allowed):
    assert may_use(uri, prefix) is allowed


def test_a_dataset_is_not_taken_for_the_domain_of_somebody_elses_project():
    """`acme.data:x` is the project `x` of the domain acme.data, `acme.data` the dataset of project acme."""
    assert not may_use("bq://acme.data:x.y", "bq://acme.data")


def test_without_prefixes_nothing_is_below_them():
    assert refusal(grants.check_uri, (), "gs://b/x") == "URI_NOT_ALLOWED"


ALPHABET = st.sampled_from([*"abAB-_./:*%\\ \n?#@", "..", "team-a", "gs://", "%2e", "\u200b"])
ANY_PATHS = st.lists(ALPHABET, max_size=8).map("".join)
PATHS = ANY_PATHS | ANY_PATHS.map("team-a/{}".format) | ANY_PATHS.map("team-a{}".format)


@given(PATHS)
def test_an_allowed_uri_names_the_prefix_or_a_literal_path_below_it(path):
    uri = f"gs://b/{path}"
    if not may_use(uri):
        return

    assert path.rstrip("/") == "team-a" or path.startswith("team-a/")
    assert not {".", ".."} & set(path.split("/"))
    assert not any(mark in uri for mark in ("\\", "%", " ", "\n"))


@given(st.text(max_size=20), st.text(max_size=20) | st.just("b/team-a/x") | PATHS.map("b/{}".format))
def test_no_text_before_or_in_place_of_the_scheme_helps(before, path):
    uri = f"{before}gs://{path}"
    if not may_use(uri):
        return

    assert before == ""
    assert path.partition("/")[0].lower() == "b"


@given(st.text(max_size=30).map(lambda text: f"gs://b/{text}"))
def test_the_normal_form_is_a_fixed_point(uri):
    normal = normalize_uri(uri)

    assert normal is None or normalize_uri(normal) == normal


LIMITED = [Grant(allowed_uri_prefixes=(TEAM_A, "bq://p.d"))]
SECRETS = ["gs://secret/x.jsonl", "bq://secret.d.t", "gs://b/team-ab/x"]
PLACES = {
    "uris": lambda uri: {"inputConfig": {"gcsSource": {"uris": [uri]}}},
    "uris-string": lambda uri: {"inputConfig": {"gcsSource": {"uris": uri}}},
    "uris-second": lambda uri: {"inputConfig": {"gcsSource": {"uris": ["gs://b/team-a/x", uri]}}},
    "uris-nested": lambda uri: {"inputConfig": {"gcsSource": {"uris": [["gs://b/team-a/x"], [[uri]]]}}},
    "uris-object": lambda uri: {"inputConfig": {"gcsSource": {"uris": {"0": uri}}}},
    "snake-case": lambda uri: {"input_config": {"gcs_source": {"uris": [uri]}}},
    "table": lambda uri: {"inputConfig": {"bigquerySource": {"inputUri": uri}}},
    "snake-table": lambda uri: {"input_config": {"bigquery_source": {"input_uri": uri}}},
    "output": lambda uri: {"outputConfig": {"gcsDestination": {"outputUriPrefix": uri}}},
    "snake-output": lambda uri: {"output_config": {"gcs_destination": {"output_uri_prefix": uri}}},
    "output-table": lambda uri: {"outputConfig": {"bigqueryDestination": {"outputUri": uri}}},
    "explanation": lambda uri: {
        "explanationSpec": {"parameters": {"examples": {"exampleGcsSource": {"gcsSource": {"uris": [uri]}}}}}
    },
    "v1beta1-explanation": lambda uri: {
        "explanationSpec": {"parameters": {"examples": {"gcsSource": {"uris": uri}}}}
    },
    "v1beta1-monitoring": lambda uri: {
        "modelMonitoringConfig": {"objectiveConfigs": [{"trainingDataset": {"gcsSource": {"uris": [uri]}}}]}
    },
    "v1beta1-anomalies": lambda uri: {
        "modelMonitoringConfig": {"statsAnomaliesBaseDirectory": {"outputUriPrefix": uri}}
    },
    "v1beta1-schema": lambda uri: {"modelMonitoringConfig": {"analysisInstanceSchemaUri": uri}},
    "parameters": lambda uri: {"modelParameters": [{"a": {"b": [uri]}}]},
    "unknown-field": lambda uri: {"somethingNew": uri},
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("uri", SECRETS)
def test_a_uri_counts_wherever_it_stands(place, uri):
    assert refusal(grants.check_body, LIMITED, PLACES[place](uri)) == "URI_NOT_ALLOWED"
    assert refusal(grants.check_body, LIMITED, PLACES[place]("gs://b/team-a/x")) is None
    assert refusal(grants.check_body, [Grant()], PLACES[place](uri)) is None


NO_PLAIN_URIS = [
    "\u200bgs://secret/x",
    "\ufeffgs://secret/x",
    "\x00gs://secret/x",
    "https://storage.googleapis.com/secret/x",
    "//secret/x",
    "secret.dataset.table",
    "secret:dataset.table",
]


@pytest.mark.parametrize("place", ["uris", "snake-table", "output"])
@pytest.mark.parametrize("uri", NO_PLAIN_URIS, ids=ascii)
def test_a_field_for_data_takes_nothing_but_a_granted_uri(place, uri):
    """A limited key's data fields hold what was granted, not whatever Vertex AI might make of a text."""
    assert refusal(grants.check_body, LIMITED, PLACES[place](uri)) is not None


@pytest.mark.parametrize(
    "body",
    [
        {"serviceAccount": "admin@p.iam.gserviceaccount.com"},
        {"service_account": "admin@p.iam.gserviceaccount.com"},
        {"unmanagedContainerModel": {"containerSpec": {"imageUri": "gcr.io/evil/x"}}},
        {"unmanaged_container_model": {}},
        {"inputConfig": {"vertexMultimodalDatasetSource": {"datasetName": "projects/o/datasets/1"}}},
        {"input_config": {"vertex_multimodal_dataset_source": {"dataset_name": "projects/o/datasets/1"}}},
        {"outputConfig": {"vertexMultimodalDatasetDestination": {"displayName": "x"}}},
        {"modelMonitoringConfig": {"objectiveConfigs": [{"trainingDataset": {"dataset": "projects/o/x"}}]}},
        {"model_monitoring_config": {"objective_configs": [{"training_dataset": {"dataset": "projects/o"}}]}},
    ],
    ids=str,
)
def test_fields_that_reach_beyond_uris_are_refused_for_limited_keys(body):
    assert refusal(grants.check_body, LIMITED, body) == "FIELD_NOT_ALLOWED"


@pytest.mark.parametrize("spelling", ["encryptionSpec", "encryption_spec"])
def test_a_key_of_encryption_is_nothing_that_a_prefix_covers(spelling):
    assert refusal(grants.check_body, LIMITED, {spelling: {"kmsKeyName": "k"}}) == "FIELD_NOT_ALLOWED"


@pytest.mark.parametrize("spelling", ["instancesFormat", "instances_format"])
@pytest.mark.parametrize(
    "value", ["file-list", "FILE-LIST", "file-list ", "vertex-dataset", "new", None, ["jsonl"]]
)
def test_a_format_that_names_further_files_is_refused_for_limited_keys(spelling, value):
    body = {"inputConfig": {spelling: value, "gcsSource": {"uris": ["gs://b/team-a/x"]}}}

    assert refusal(grants.check_body, LIMITED, body) == "FIELD_NOT_ALLOWED"
    assert refusal(grants.check_body, [Grant(models=("gemini-*",))], body) is None


@pytest.mark.parametrize("value", ["jsonl", "bigquery", "csv", "tf-record", "tf-record-gzip"])
def test_a_format_whose_data_the_uris_name_is_not(value):
    assert refusal(grants.check_body, LIMITED, {"inputConfig": {"instancesFormat": value}}) is None


@pytest.mark.parametrize(
    "body",
    [
        {"dedicatedResources": {"machineSpec": {"machineType": "a3-ultragpu-8g"}}},
        {"dedicated_resources": {"starting_replica_count": 100}},
        {"serviceAccount": "admin@p.iam.gserviceaccount.com"},
        {"endpoint": "projects/p/locations/l/endpoints/1"},
    ],
    ids=str,
)
def test_fields_that_reach_beyond_models_are_refused_for_keys_of_some_models(body):
    assert refusal(grants.check_body, [Grant(models=("gemini-*",))], body) == "FIELD_NOT_ALLOWED"
    assert refusal(grants.check_body, [Grant(projects=("acme",))], body) == "FIELD_NOT_ALLOWED"
    assert refusal(grants.check_body, [Grant()], body) is None


@pytest.mark.parametrize(
    "field",
    ["dedicatedResources", "dedicated_resources", "endpoint", "unmanagedContainerModel", "instance_config"],
)
def test_fields_whose_cost_cannot_be_told_are_refused_under_a_budget(field):
    def check(body):
        grants.check_body([Grant()], body, has_budget=True)

    assert refusal(check, {field: {"x": 1}}) == "FIELD_NOT_ALLOWED"
    assert refusal(check, {"serviceAccount": "a", "model": "m"}) is None


def test_names_of_labels_are_no_fields():
    body = {"labels": {"dataset": "a", "endpoint": "b", "uris": "c"}}

    assert refusal(grants.check_body, [*LIMITED, Grant(models=("gemini-*",))], body) is None
    assert refusal(grants.check_body, LIMITED, {"labels": {"x": "gs://secret/x"}}) == "URI_NOT_ALLOWED"
    assert list(grants.resource_names(body)) == []


def test_resources_are_found_in_either_spelling():
    body = {
        "endpoint": "e",
        "input_config": {"vertex_multimodal_dataset_source": {"dataset_name": "d"}},
        "modelMonitoringConfig": {"objectiveConfigs": [{"trainingDataset": {"dataset": "t"}}]},
    }

    assert {name for _, name in grants.resource_names(body)} == {"e", "d", "t"}


def test_key_and_team_both_have_to_allow():
    both = [Grant(allowed_uri_prefixes=("gs://b",)), Grant(allowed_uri_prefixes=(TEAM_A,))]

    assert refusal(grants.check_body, both, PLACES["uris"]("gs://b/team-a/x")) is None
    assert refusal(grants.check_body, both, PLACES["uris"]("gs://b/team-b/x")) == "URI_NOT_ALLOWED"
    assert refusal(grants.check_body, both[::-1], PLACES["uris"]("gs://b/team-b/x")) == "URI_NOT_ALLOWED"


def test_a_deeply_nested_body_is_looked_through():
    body = PLACES["uris"]("gs://secret/x")
    for _ in range(50_000):
        body = [body]

    assert refusal(grants.check_body, LIMITED, body) == "URI_NOT_ALLOWED"
    while isinstance(body, list):
        (body,) = body  # or its end would overflow the stack


PARENT = "projects/acme-batch/locations/us-central1"
FLASH = f"{PARENT}/publishers/google/models/gemini-2.5-flash"


def check_model(given, written, resource):
    grants.check_model(given, written, resource, is_alias=written != resource)


def model_refusal(models, written, resource=None):
    return refusal(check_model, [Grant(models=models)], written, resource or written)


@pytest.mark.parametrize(
    ("pattern", "written", "resource"),
    [
        ("gemini-2.5-flash", "gemini-2.5-flash", FLASH),
        ("gemini-2.5-flash", FLASH, None),
        ("gemini-2.5-flash", "publishers/google/models/gemini-2.5-flash", None),
        ("gemini-2.5-*", FLASH, None),
        ("*", FLASH, None),
        ("nightly", "nightly", FLASH),
        ("night*", "nightly", FLASH),
        ("publishers/google/models/gemini-*", "publishers/google/models/gemini-2.5-pro", None),
        (FLASH, "nightly", FLASH),
        (f"{PARENT}/models/123", f"{PARENT}/models/123", None),
    ],
)
def test_a_model_that_is_granted_may_be_used(pattern, written, resource):
    assert model_refusal((pattern,), written, resource) is None


@pytest.mark.parametrize(
    ("pattern", "written", "resource"),
    [
        ("gemini-2.5-flash", "publishers/google/models/gemini-2.5-pro", None),
        ("gemini-2.5-flash", "publishers/google/models/gemini-2.5-flash-lite", None),
        ("gemini-2.5-flash", "publishers/google/models/Gemini-2.5-Flash", None),
        ("gemini-2.5-flash", "publishers/google/models/gemini-2.5-flash@001", None),
        ("gemini-2.5-flash", "publishers/google/models/gemini-2.5-flash/", None),
        ("gemini-2.5-flash", "", None),
        ("gemini-*", "", None),
        ("gemini-*", f"{PARENT}/models/1234567890", None),
        ("gemini-*", f"{PARENT}/publishers/anthropic/models/claude-opus-4", None),
        ("gemini-2.5-flash", f"{PARENT}/endpoints/123", None),
        ("nightly", FLASH, None),
        ("flash", "flash2", FLASH),
        (FLASH, FLASH.replace("acme-batch", "other"), None),
    ],
)
def test_one_that_is_not_may_not(pattern, written, resource):
    assert model_refusal((pattern,), written, resource) == "MODEL_NOT_ALLOWED"


FAKES = [
    "projects/other-project/locations/us-central1/models/gemini-2-flash",
    "projects/acme-batch/locations/us-central1/models/gemini-2-flash",
    "projects/other-project/locations/us-central1/endpoints/gemini-2-flash",
    "publishers/somebody/models/gemini-2-flash",
    "projects/acme-batch/locations/us-central1/publishers/somebody/models/gemini-2-flash",
]


@pytest.mark.parametrize("pattern", ["gemini-2-flash", "gemini-*"])
@pytest.mark.parametrize("resource", FAKES)
def test_a_short_name_means_googles_model_and_not_one_that_somebody_called_so(pattern, resource):
    """Uploaded models have ids that their owners choose, and any publisher may use any name."""
    assert model_refusal((pattern,), resource) == "MODEL_NOT_ALLOWED"


@pytest.mark.parametrize(
    ("pattern", "written"),
    [
        ("gemini-2.5-flash*", "gemini-2.5-flash/../gemini-2.5-pro"),
        ("gemini-2.5-flash*", "gemini-2.5-flash/../../../../other/locations/us-central1/models/1"),
        ("projects/acme-batch/*", "projects/acme-batch/../other/locations/us-central1/models/1"),
        ("publishers/google/*", "publishers/google/../../projects/other/models/1"),
        ("*flash", "projects/other/locations/us-central1/models/1?x=flash"),
        ("*flash", "projects/other/locations/us-central1/models/1#flash"),
        ("*flash", "projects/other/locations/us-central1/models/1\nflash"),
        ("gemini-*", "gemini-x/projects/other/locations/us-central1/models/1"),
    ],
)
def test_a_name_that_is_bent_fits_no_pattern(pattern, written):
    assert model_refusal((pattern,), written) == "MODEL_NOT_ALLOWED"


def test_key_and_team_both_have_to_allow_a_model():
    both = [Grant(models=("gemini-*",)), Grant(models=("*-flash",))]

    assert refusal(check_model, both, "x", FLASH) is None
    assert refusal(check_model, both, "x", FLASH.replace("flash", "pro")) == "MODEL_NOT_ALLOWED"


def test_a_long_name_against_many_stars_takes_no_time():
    assert model_refusal(("*a*a*a*a*a*a*a*b",), "a" * 20_000) == "MODEL_NOT_ALLOWED"


def test_places_are_held_against_every_grant():
    grant = [Grant(projects=("acme-batch",), locations=("us-central1", "global")), Grant()]

    assert refusal(grants.check_place, grant, "acme-batch", "global") is None
    assert refusal(grants.check_place, grant, "acme-batc", "global") == "PROJECT_NOT_ALLOWED"
    assert refusal(grants.check_place, grant, "acme-batch", "us-central") == "LOCATION_NOT_ALLOWED"
    assert refusal(grants.check_place, [Grant(), grant[0]], "x", "global") == "PROJECT_NOT_ALLOWED"
