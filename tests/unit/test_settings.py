"""The environment and the configuration file."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from batch_gateway.config_values import ConfigError
from batch_gateway.settings import Alias, Settings, load

Configure = Callable[..., Settings]

WHOLE = """\
model_list:
  - model_name: gemini-2.5-flash
    litellm_params:
      model: vertex_ai/gemini-2.5-flash
      vertex_project: your-project-id
      vertex_location: us-central1
      vertex_credentials: service-account.json
general_settings:
  master_key: os.environ/GATEWAY_MASTER_KEY
"""


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    """Settings of a file with this content and of these variables."""

    def of(content: str | bytes, **environ: str) -> Settings:
        path = tmp_path / "config.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load({"GATEWAY_CONFIG": str(path), **environ})

    return of


@pytest.fixture
def refusal(configure: Configure, tmp_path: Path) -> Callable[..., str]:
    """Return the message about a wrong file, from behind its folder on."""

    def of(content: str | bytes, **environ: str) -> str:
        with pytest.raises(ConfigError) as refused:
            configure(content, **environ)
        message = str(refused.value)
        assert message.startswith(str(tmp_path / "config.yaml"))
        return message.replace(f"{tmp_path}/", "")

    return of


def model(*params: str, name: str = "m") -> str:
    """One entry of a model_list; its first parameter is in line 4 of a file that starts with it."""
    lines = [
        "model_list:",
        f"  - model_name: {name}",
        "    litellm_params:",
        *(f"      {line}" for line in params),
    ]
    return "\n".join(lines) + "\n"


def entry(*params: str, name: str = "m") -> str:
    """A further entry of a model_list."""
    return "".join(model(*params, name=name).splitlines(keepends=True)[1:])


FLASH = "model: vertex_ai/gemini-2.5-flash"
HERE = "vertex_project: my-project"
PLACE = "projects/my-project/locations/us-central1"


# The form that LiteLLM has


def test_litellms_form_is_read_whole(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "service-account.json").write_text("{}")
    resource = "projects/your-project-id/locations/us-central1/publishers/google/models/gemini-2.5-flash"
    assert configure(WHOLE, GATEWAY_MASTER_KEY="sk-1234", GOOGLE_CLOUD_PROJECT="books") == Settings(
        project="books",
        database="(default)",
        master_key="sk-1234",
        served={("your-project-id", "us-central1"): str(tmp_path / "service-account.json")},
        aliases=(Alias("gemini-2.5-flash", "your-project-id", "us-central1", resource),),
        vertex_emulator=None,
        warnings=(),
    )


def test_the_environment_alone_serves_its_project_everywhere() -> None:
    settings = load({"GOOGLE_CLOUD_PROJECT": "my-project", "GATEWAY_MASTER_KEY": "sk-1"})
    assert settings == Settings(project="my-project", master_key="sk-1", served={("my-project", "*"): None})
    assert settings.serves("my-project", "anywhere")
    assert not settings.serves("other-project", "us-central1")


def test_without_anything_nothing_is_served_and_nobody_let_in() -> None:
    assert load({}) == Settings(served={})
    assert load(
        {"GATEWAY_CONFIG": "", "GATEWAY_MASTER_KEY": "", "FIRESTORE_DATABASE": "", "VERTEX_EMULATOR_HOST": ""}
    ) == Settings(served={})


def test_database_and_emulator_are_the_environments() -> None:
    settings = load({"FIRESTORE_DATABASE": "books", "VERTEX_EMULATOR_HOST": "localhost:1"})
    assert (settings.database, settings.vertex_emulator) == ("books", "localhost:1")


@pytest.mark.parametrize(
    "content", ["", "\n", "# nothing\n", "---\n", "~\n", "{}\n", "model_list: []\n", "general_settings:\n"]
)
def test_a_file_without_models_is_as_good_as_none(configure: Configure, content: str) -> None:
    settings = configure(content, GOOGLE_CLOUD_PROJECT="my-project")
    assert settings == load({"GOOGLE_CLOUD_PROJECT": "my-project"})


def test_only_what_the_models_name_is_served(configure: Configure) -> None:
    settings = configure(
        model(FLASH, HERE) + entry(FLASH, "vertex_project: project-b", "vertex_location: global"),
        GOOGLE_CLOUD_PROJECT="books-project",
    )
    assert settings.served == {("my-project", "us-central1"): None, ("project-b", "global"): None}
    assert settings.projects == {"my-project", "project-b"}
    assert settings.serves("project-b", "global")
    assert not settings.serves("project-b", "us-central1")
    assert not settings.serves("books-project", "us-central1")


def test_project_and_location_have_defaults(configure: Configure) -> None:
    assert configure(model(FLASH), GOOGLE_CLOUD_PROJECT="my-project").served == {
        ("my-project", "us-central1"): None
    }


def test_numbers_and_flags_are_read_as_they_are_written(configure: Configure) -> None:
    settings = configure(
        model(FLASH, "vertex_project: 0123", name="yes") + "general_settings:\n  master_key: 007\n"
    )
    assert settings.master_key == "007"
    assert settings.served == {("0123", "us-central1"): None}
    assert settings.aliases[0].model_name == "yes"


# Aliases


def test_an_alias_of_several_locations_means_the_model_of_each(configure: Configure) -> None:
    settings = configure(
        model(FLASH, HERE, "vertex_location: us-central1", name="fast")
        + entry(FLASH, HERE, "vertex_location: eu", name="fast")
        + entry("model: vertex_ai/gemini-2.5-pro", HERE, "vertex_location: eu", name="good")
    )
    flash = "publishers/google/models/gemini-2.5-flash"
    assert settings.resolve_model("fast", "my-project", "us-central1") == f"{PLACE}/{flash}"
    assert settings.resolve_model("fast", "my-project", "eu") == f"projects/my-project/locations/eu/{flash}"
    assert settings.resolve_model("good", "my-project", "us-central1") is None
    assert settings.resolve_model("fast", "other-project", "eu") is None
    assert settings.resolve_model("unknown", "my-project", "eu") is None
    assert settings.places_of("fast") == ["my-project/eu", "my-project/us-central1"]
    assert settings.places_of("unknown") == []


@pytest.mark.parametrize(
    ("written", "resource"),
    [
        ("vertex_ai/gemini-2.5-flash", "publishers/google/models/gemini-2.5-flash"),
        ("vertex_ai_beta/gemini-2.5-flash", "publishers/google/models/gemini-2.5-flash"),
        ("vertex_ai/meta/llama-4-maas", "publishers/meta/models/llama-4-maas"),
        ("vertex_ai/1234567890", "models/1234567890"),
    ],
)
def test_models_have_the_names_that_litellm_gives_them(
    configure: Configure, written: str, resource: str
) -> None:
    [alias] = configure(model(f"model: {written}", HERE)).aliases
    assert alias.resource == f"{PLACE}/{resource}"


@pytest.mark.parametrize(("name", "written"), [("'*'", "vertex_ai/*"), ("vertex/*", "vertex_ai/gemini-*")])
def test_a_wildcard_serves_its_place_and_names_no_model(
    configure: Configure, name: str, written: str
) -> None:
    settings = configure(model(f'model: "{written}"', HERE, name=name))
    assert (settings.served, settings.aliases) == ({("my-project", "us-central1"): None}, ())
    assert settings.warnings == ()


def test_models_of_other_providers_are_left_out_with_a_warning(configure: Configure, tmp_path: Path) -> None:
    settings = configure(
        model("model: openai/gpt-5", "api_key: os.environ/NOT_SET", name="gpt")
        + entry("model: gemini/gemini-2.5-flash", name="studio")
        + entry(FLASH, HERE)
    )
    assert [alias.model_name for alias in settings.aliases] == ["m"]
    assert settings.warnings == (
        f"{tmp_path}/config.yaml: ignored models that are not on Vertex AI: gpt, studio",
    )


def test_a_second_model_of_a_name_is_not_left_out_in_silence(configure: Configure, tmp_path: Path) -> None:
    other = "model: vertex_ai/gemini-2.5-pro"
    settings = configure(model(FLASH, HERE) + entry(FLASH, HERE) + entry(other, HERE))
    found = settings.resolve_model("m", "my-project", "us-central1")
    assert found == f"{PLACE}/publishers/google/models/gemini-2.5-flash"
    assert settings.warnings == (
        (
            f"{tmp_path}/config.yaml: ignored further models of a name in the same place, where the first "
            "counts: m"
        ),
    )


def test_a_list_of_other_providers_models_serves_nothing(configure: Configure) -> None:
    settings = configure(model("model: openai/gpt-5"), GOOGLE_CLOUD_PROJECT="my-project")
    assert settings.served == {}


def test_settings_that_nobody_needs_are_one_warning(configure: Configure, tmp_path: Path) -> None:
    settings = configure(
        model(FLASH, HERE, "rpm: 5", "timeout: 9")
        + entry("model: openai/gpt-5", "rpm: 5", name="gpt")
        + entry(FLASH, HERE, "rpm: 7", name="n")
        + "    model_info: {id: a}\n"
        + "general_settings:\n  master_key: sk-1\n  database_url: x\n"
        + "litellm_settings:\n  drop_params: true\n"
    )
    assert settings.warnings == (
        (
            f"{tmp_path}/config.yaml: ignored settings that the gateway does not need: "
            "general_settings.database_url, litellm_settings, model_list[].litellm_params.rpm, "
            "model_list[].litellm_params.timeout, model_list[].model_info.id; "
            "and models that are not on Vertex AI: gpt"
        ),
    )
    assert len(settings.aliases) == 2


# Keys and credentials


@pytest.mark.parametrize(
    ("content", "key"),
    [
        ("general_settings:\n  master_key: sk-file\n", "sk-file"),
        ("general_settings:\n  master_key: os.environ/OTHER\n", "sk-other"),
        ("general_settings: {}\n", "sk-environment"),
        ("", "sk-environment"),
    ],
)
def test_the_files_master_key_goes_before_the_environments(
    configure: Configure, content: str, key: str
) -> None:
    assert configure(content, GATEWAY_MASTER_KEY="sk-environment", OTHER="sk-other").master_key == key


def test_any_text_may_be_in_the_environment(configure: Configure) -> None:
    settings = configure(
        model("model: os.environ/M", "vertex_project: os.environ/P", "vertex_location: os.environ/L"),
        M="vertex_ai/gemini-2.5-flash",
        P="my-project",
        L="eu",
    )
    assert settings.served == {("my-project", "eu"): None}
    assert settings.aliases[0].resource.endswith("/gemini-2.5-flash")


CREDENTIALS = {"type": "service_account", "project_id": "p", "private_key": "-----BEGIN\nabc\n"}


def test_credentials_may_be_a_path_beside_the_file(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "sa.json").write_text("{}")
    settings = configure(model(FLASH, HERE, "vertex_credentials: keys/sa.json"))
    assert settings.served["my-project", "us-central1"] == str(tmp_path / "keys" / "sa.json")


def test_credentials_may_be_an_absolute_path(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "sa.json").write_text("{}")
    settings = configure(model(FLASH, HERE, f"vertex_credentials: {tmp_path}/sa.json"))
    assert settings.served["my-project", "us-central1"] == f"{tmp_path}/sa.json"


@pytest.mark.parametrize("in_environment", [False, True])
def test_credentials_may_be_json(configure: Configure, in_environment: bool) -> None:  # noqa: FBT001 - a table
    text = json.dumps(CREDENTIALS)
    written = "os.environ/SA" if in_environment else f"'{text}'"
    settings = configure(model(FLASH, HERE, f"vertex_credentials: {written}"), SA=f" {text}")
    assert json.loads(settings.served["my-project", "us-central1"] or "") == CREDENTIALS


def test_credentials_may_be_a_mapping(configure: Configure) -> None:
    lines = ["vertex_credentials:", *(f"  {key}: {json.dumps(value)}" for key, value in CREDENTIALS.items())]
    settings = configure(model(FLASH, HERE, *lines))
    assert json.loads(settings.served["my-project", "us-central1"] or "") == CREDENTIALS


def test_a_path_may_be_in_the_environment(configure: Configure, tmp_path: Path) -> None:
    (tmp_path / "sa.json").write_text("{}")
    settings = configure(model(FLASH, HERE, "vertex_credentials: os.environ/SA"), SA="sa.json")
    assert settings.served["my-project", "us-central1"] == str(tmp_path / "sa.json")


def test_each_place_has_its_own_credentials(configure: Configure) -> None:
    settings = configure(
        model(FLASH, HERE, "vertex_credentials: '{}'") + entry(FLASH, HERE, "vertex_location: eu", name="n")
    )
    assert settings.served == {("my-project", "us-central1"): "{}", ("my-project", "eu"): None}


# Wrong values name their line and key

PARAMS = "model_list[].litellm_params"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("model_list: 5\n", "line 1: model_list must be a list of models"),
        ("a: 1\nmodel_list: {}\n", "line 2: model_list must be a list of models"),
        ("general_settings: 5\n", "line 1: general_settings must be a mapping of keys to values"),
        ("- a\n", "line 1: the file must be a mapping of keys to values"),
        ("text\n", "line 1: the file must be a mapping of keys to values"),
        ("model_list:\n  - text\n", "line 2: model_list[] must be a mapping of keys to values"),
        ("model_list:\n  - litellm_params: {}\n", "line 2: model_list[].model_name is missing"),
        ("model_list:\n  -\n", "line 2: model_list[].model_name is missing"),
        ("model_list:\n\n  - model_name: a\n", "line 3: model_list[].litellm_params is missing"),
        (
            "model_list:\n  - model_name:\n    litellm_params: {}\n",
            "line 2: model_list[].model_name must be a non-empty string",
        ),
        (
            "model_list:\n  - model_name: ''\n    litellm_params: {}\n",
            "line 2: model_list[].model_name must be a non-empty string",
        ),
        (
            "model_list:\n  - model_name: a\n    litellm_params: text\n",
            f"line 3: {PARAMS} must be a mapping of keys to values",
        ),
        (model("vertex_project: my-project"), f"line 4: {PARAMS}.model is missing"),
        (model("model: [a]"), f"line 4: {PARAMS}.model must be a non-empty string"),
        (
            model(HERE, "model: vertex_ai/llama"),
            (
                f"line 5: {PARAMS}.model no publisher is known for the model 'llama'; write it as "
                "'vertex_ai/PUBLISHER/llama', for example "
                "vertex_ai/meta/llama-4-maverick-17b-128e-instruct-maas"
            ),
        ),
        (
            model(FLASH, "vertex_project: My_Project"),
            f"line 5: {PARAMS}.vertex_project must be a project id, not 'My_Project'",
        ),
        (model(FLASH, "vertex_project:"), f"line 5: {PARAMS}.vertex_project must be a non-empty string"),
        (model(FLASH), f"line 4: {PARAMS}.vertex_project must be a project id, not ''"),
        (
            model(FLASH, HERE, "vertex_location: evil.com"),
            f"line 6: {PARAMS}.vertex_location must be a location, not 'evil.com'",
        ),
        (
            model(FLASH, HERE, "vertex_location: [eu]"),
            f"line 6: {PARAMS}.vertex_location must be a non-empty string",
        ),
        (
            model(FLASH, HERE, "vertex_credentials: not-there.json"),
            f"line 6: {PARAMS}.vertex_credentials names a file that does not exist: not-there.json",
        ),
        (
            model(FLASH, HERE, "vertex_credentials: [a]"),
            f"line 6: {PARAMS}.vertex_credentials must be a non-empty string",
        ),
        (
            model(FLASH, HERE, "vertex_credentials: os.environ/NOT_SET"),
            f"line 6: {PARAMS}.vertex_credentials names the environment variable NOT_SET, which is not set",
        ),
        (
            model(FLASH, HERE) + entry(FLASH, HERE, "vertex_credentials: '{}'", name="n"),
            f"line 10: {PARAMS}.vertex_credentials must be the same for all models of my-project/us-central1",
        ),
        (
            "general_settings:\n  master_key:\n",
            "line 2: general_settings.master_key must be a non-empty string",
        ),
        (
            "general_settings:\n  master_key: null\n",
            "line 2: general_settings.master_key must be a non-empty string",
        ),
        (
            "general_settings:\n  master_key: [a]\n",
            "line 2: general_settings.master_key must be a non-empty string",
        ),
        (
            "general_settings:\n  x: 1\n  master_key: os.environ/NOT_SET\n",
            "line 3: general_settings.master_key names the environment variable NOT_SET, which is not set",
        ),
    ],
)
def test_a_wrong_value_names_its_line_and_key(refusal: Callable[..., str], content: str, said: str) -> None:
    assert refusal(content) == f"config.yaml, {said}"


def test_a_variable_that_is_empty_is_not_set(refusal: Callable[..., str]) -> None:
    said = refusal("general_settings:\n  master_key: os.environ/KEY\n", KEY="")
    assert said.endswith("names the environment variable KEY, which is not set")


def test_credentials_that_are_no_json_are_refused_without_being_shown(refusal: Callable[..., str]) -> None:
    said = refusal(model(FLASH, HERE, 'vertex_credentials: \'{"private_key": "secret\''))
    assert said.startswith(f"config.yaml, line 6: {PARAMS}.vertex_credentials is not valid JSON: ")
    assert "secret" not in said


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("model_list:\n\t- a\n", 2),
        ("a: [1\n", 2),
        ("a: 'x\n", 2),
        ("a: b: c\n", 1),
        ("a: *unknown\n", 1),
        ("a: 1\n---\nb: 2\n", 2),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_line(
    refusal: Callable[..., str], content: str, line: int
) -> None:
    said = refusal(content)
    assert said.startswith("config.yaml: is not valid YAML: ")
    assert f"line {line}," in said
    assert "\n" not in said


def test_what_is_no_text_is_refused(refusal: Callable[..., str]) -> None:
    assert refusal(b"a: \xff\n") == "config.yaml: is not UTF-8"
    assert refusal(b"a: \0\n").startswith("config.yaml: is not valid YAML: ")


def test_a_file_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "missing.yaml"
    with pytest.raises(ConfigError) as refused:
        load({"GATEWAY_CONFIG": str(path), "GOOGLE_CLOUD_PROJECT": "my-project"})
    assert str(refused.value) == f"{path}: cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("content", "key"),
    [
        (model(FLASH, HERE) + model(FLASH, "vertex_project: project-b"), "line 6: model_list"),
        (model(FLASH, HERE, "vertex_project: project-b"), f"line 6: {PARAMS}.vertex_project"),
        ("general_settings:\n  master_key: a\n  master_key: b\n", "line 3: general_settings.master_key"),
    ],
)
def test_a_key_given_twice_stops_the_start(refusal: Callable[..., str], content: str, key: str) -> None:
    assert refusal(content).startswith(f"config.yaml, {key} ")


# YAML's own ways to say a thing once


def test_an_anchored_value_can_be_used_again(configure: Configure) -> None:
    settings = configure(
        model(FLASH, "vertex_project: &project my-project", "vertex_location: &location eu")
        + entry(FLASH, "vertex_project: *project", "vertex_location: *location", name="n")
    )
    assert settings.served == {("my-project", "eu"): None}
    assert [alias.model_name for alias in settings.aliases] == ["m", "n"]


def test_an_anchored_mapping_can_be_merged(configure: Configure) -> None:
    defaults = "defaults: &defaults\n  vertex_project: my-project\n  vertex_location: eu\n"
    settings = configure(
        defaults
        + model(FLASH, "<<: *defaults")
        + entry(FLASH, "<<: *defaults", "vertex_location: us", name="n"),
        GOOGLE_CLOUD_PROJECT="books-project",
    )
    assert settings.served == {("my-project", "eu"): None, ("my-project", "us"): None}
    assert "litellm_params.<<" not in str(settings.warnings)


def test_what_was_merged_can_be_overridden_and_used_again(configure: Configure) -> None:
    settings = configure(
        "defaults: &defaults\n  vertex_project: my-project\n  vertex_location: eu\n"
        "model_list:\n"
        "  - model_name: m\n"
        "    litellm_params: &params {<<: *defaults, vertex_location: us, model: vertex_ai/gemini-pro}\n"
        "  - model_name: n\n"
        "    litellm_params: *params\n"
    )
    assert settings.served == {("my-project", "us"): None}
    assert [alias.model_name for alias in settings.aliases] == ["m", "n"]


def test_the_sweeps_caller_is_configured_with_what_its_tokens_are_made_for(configure: Configure) -> None:
    settings = configure(
        "general_settings:\n  reconcile_service_account: s@p.iam.gserviceaccount.com\n"
        "  reconcile_audience: https://gateway.example\n  private: true\n"
    )
    assert settings.reconcile_account == "s@p.iam.gserviceaccount.com"
    assert (settings.reconcile_audience, settings.private) == ("https://gateway.example", True)
    assert configure("general_settings: {private: false}").reconcile_audience is None


def test_settlement_starts_without_the_master_key(configure: Configure, refusal: Callable[..., str]) -> None:
    general = "general_settings:\n  master_key: os.environ/LITELLM_MASTER_KEY\n"

    assert configure(general, FUNCTION_TARGET="settle").master_key is None
    assert configure(general, FUNCTION_TARGET="gateway", LITELLM_MASTER_KEY="sk-1").master_key == "sk-1"
    assert "LITELLM_MASTER_KEY, which is not set" in refusal(general, FUNCTION_TARGET="gateway")


# The owner's rates

RATE = "input_cost_per_token: 1e-7"


def rates_of(settings: Settings) -> dict[tuple[str, str], dict[tuple[str, bool, bool], int]]:
    return {key: dict(rates.given) for key, rates in settings.rates.items()}


def test_rates_are_read_exactly_from_both_places(configure: Configure) -> None:
    settings = configure(
        model(FLASH, HERE, "input_cost_per_token_batches: 1.4e-07", "output_cost_per_token: '0.0000024'")
        + "    model_info:\n"
        + "      input_cost_per_token_batches: 9\n"
        + "      cache_read_input_token_cost: 0.00000003\n"
    )
    assert rates_of(settings) == {
        ("gemini-2.5-flash", "us-central1"): {
            ("input", False, True): 140_000,
            ("output", False, False): 2_400_000,
            ("cached_input", False, False): 30_000,
        }
    }
    assert settings.rates["gemini-2.5-flash", "us-central1"].source == "config.yaml, line 6"
    assert settings.warnings == ()


def test_models_are_named_as_rows_name_them(configure: Configure) -> None:
    settings = configure(
        model("model: vertex_ai/gemini-2.0-flash-001", HERE, "input_cost_per_token: 1e-07")
        + entry("model: vertex_ai/gemini-9", HERE, "input_cost_per_token: 1e-07")
        + entry("model: vertex_ai/4242", HERE, "input_cost_per_token: 1e-07")
    )
    assert [key for key, _ in settings.rates] == ["gemini-2.0-flash", "gemini-9", "4242"]


def test_a_base_model_is_known_by_its_place(configure: Configure) -> None:
    settings = configure(
        model("model: vertex_ai/4242", HERE) + "    model_info: {base_model: vertex_ai/gemini-2.5-flash}\n"
    )
    assert settings.base_models == {
        ("my-project", "us-central1", "models/4242"): "vertex_ai/gemini-2.5-flash"
    }
    assert settings.rates == {}


def test_null_is_no_rate(configure: Configure) -> None:
    assert configure(model(FLASH, HERE, "input_cost_per_token: null")).rates == {}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (model(FLASH, HERE, "input_cost_per_token: -1"), "line 6: model_list[].litellm_params.input_cost"),
        (model(FLASH, HERE, "input_cost_per_token: .inf"), "must be USD per token"),
        (model(FLASH, HERE, "input_cost_per_token: 1e-13"), "in steps of 2e-12"),
        (model(FLASH, HERE, "input_cost_per_token: 3"), "less than 1 USD"),
        (model(FLASH, HERE, "input_cost_per_token: [1]"), "must be a non-empty string"),
        (
            model("model: vertex_ai/gemini-flash-latest", HERE, RATE),
            "different models",
        ),
        (
            model("model: vertex_ai/text-embedding-005", HERE, RATE),
            "by the character",
        ),
        (
            model(FLASH, HERE, RATE) + entry(FLASH, HERE, "input_cost_per_token: 2e-7"),
            "must be the same in all entries of gemini-2.5-flash in us-central1",
        ),
    ],
)
def test_a_wrong_rate_stops_the_start(refusal: Callable[..., str], written: str, said: str) -> None:
    assert said in refusal(written)


@pytest.mark.parametrize("name", ["input_prefix", "output_prefix"])
@pytest.mark.parametrize("written", ["gs://batch-in", "gs://batch-in/", "GS://batch-in"])
def test_a_prefix_is_read_without_a_trailing_slash(configure: Configure, written: str, name: str) -> None:
    assert getattr(configure(f"general_settings: {{{name}: {written}}}"), name) == "gs://batch-in"


@pytest.mark.parametrize(
    "written", ["batch-in", "bq://p.d", "gs://", "gs://in/*", "gs://in/../x", "''", "[a]"]
)
def test_a_wrong_prefix_of_input_stops_the_start(configure: Configure, written: str) -> None:
    with pytest.raises(ConfigError, match=r"line 1: general_settings.input_prefix must be"):
        configure(
            f"general_settings: {{input_prefix: {written!r}}}"
            if written[0] not in "'["
            else f"general_settings: {{input_prefix: {written}}}"
        )


def test_the_billing_export_is_a_table(configure, refusal):
    table = "finance-project.billing.gcp_billing_export_v1_012345_6789AB_CDEF01"
    assert configure(f"general_settings: {{billing_export: {table}}}").billing_export == table
    assert configure("general_settings: {private: false}").billing_export is None
    for wrong in (
        "finance-project.billing",
        "bq://finance-project.billing.table",
        "p-12345.d.t` WHERE 1",
        "",
    ):
        said = refusal(f"general_settings:\n  billing_export: '{wrong}'\n")
        assert "general_settings.billing_export" in said
