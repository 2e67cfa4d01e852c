"""Hold the documents to the code: files, links, errors, settings, calls, decisions, figures."""

import ast
import json
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import get_args

import pytest

import renew_documents
from batch_gateway import settings
from batch_gateway.adapters import vertex
from batch_gateway.core import json_limits, lines, reasons
from batch_gateway.core.access import input_names
from batch_gateway.core.accounting import budgets
from batch_gateway.core.jobs import late_output
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation
from batch_gateway.core.notify import event_names, events, retries
from batch_gateway.gateway.admin import bodies
from batch_gateway.gateway.http import authentication, connections, openapi, requests
from batch_gateway.gateway.jobs import input_bounds, submissions, weighing
from batch_gateway.settlement import adoption, settle
from documents import DOCS, DOCUMENTS, ROOT, blocks, code_spans, prose, table_rows
from google_codes import CODES

PACKAGE = ROOT / "functions/batch_gateway"
OPENAPI = json.loads(bytes(openapi.document()))
DECISIONS = DOCS / "decisions"
FILE = re.compile(
    r"(?:functions|infra|tests)/[\w./-]+|(?:[\w.-]+/)*[\w.-]+(?:\.(?:py|js|css|json|tf|toml|in)|/)"
)
METHODS = {"get", "post", "put", "patch", "delete"}
OF_LIBRARIES = {"FIRESTORE_EMULATOR_HOST", "STORAGE_EMULATOR_HOST", "THREADS"}
"""Read by Google's client libraries and by functions-framework, not by us."""


def page(name):
    return (DOCS / name).read_text(encoding="utf-8")


def name_of(document):
    return str(document.relative_to(ROOT))


# Files and links


@pytest.mark.parametrize("document", sorted(DOCS.rglob("*.md")), ids=name_of)
def test_each_file_that_is_named_exists(document):
    named = [span for span in code_spans(prose(document)) if FILE.fullmatch(span)]
    assert [path for path in named if not any((base / path).exists() for base in (PACKAGE, ROOT))] == []


def test_the_architecture_names_files_at_all():
    named = {span for span in code_spans(page("architecture.md")) if FILE.fullmatch(span)}
    assert len(named) > 60
    assert not FILE.fullmatch("POST /internal/reconcile")


def anchors(document):
    """Return the anchors of a document's headings, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_each_link_leads_somewhere(document):
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)", prose(document)):
        if target.startswith("https://"):
            continue
        linked = (document.parent / target).resolve() if target else document
        assert linked.exists(), f"{target} is not there"
        assert not anchor or anchor in anchors(linked), f"{target}#{anchor} is not there"


def test_each_page_is_linked_from_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    pages = [*DOCS.glob("*.md"), *(ROOT / ".github").glob("*.md"), DECISIONS / "README.md"]
    assert [path.name for path in pages if f"({path.relative_to(ROOT)})" not in readme] == []


# Errors


def literals(node):
    """Return the texts that an argument may be."""
    if isinstance(node, ast.IfExp):
        return literals(node.body) | literals(node.orelse)
    return {node.value} if isinstance(node, ast.Constant) else set()


def errors_in_code():
    """Return the pairs of reason and status that the code raises; "any" where Vertex AI decides."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            if call.func.id == "ApiError":
                statuses, names = literals(call.args[0]), literals(call.args[1])
                assert statuses, f"{path}:{call.lineno}: the status is no literal"
                assert len(names) == 1, f"{path}:{call.lineno}: the reason is no literal"
                found |= {(name, status) for status in statuses for name in names}
            elif call.func.id == "error_body" and path.name != "errors.py":
                found |= {(name, reasons.ANY) for name in literals(call.args[3])}
    return found


def test_the_table_has_exactly_the_reasons_of_the_code_with_their_statuses():
    table = {
        (name, status)
        for name, reason in reasons.REASONS.items()
        for status in reason.statuses or [reasons.ANY]
    }
    assert len(table) > 40
    assert sorted(table) == sorted(errors_in_code())


def test_a_reason_stands_once_in_the_table_and_says_when_it_comes_and_what_to_do():
    names = [name for group in reasons.BY_STATUS.values() for name in group]
    assert sorted(names) == sorted(reasons.REASONS)
    assert [name for name, reason in reasons.REASONS.items() if not (reason.when and reason.advice)] == []


def test_the_page_of_errors_is_the_table():
    text = page("errors.md")
    assert renew_documents.errors_page(text) == text, renew_documents.COMMAND


def test_the_description_of_the_api_is_made_from_types_and_reasons():
    text = renew_documents.OPENAPI.read_text(encoding="utf-8")
    assert renew_documents.openapi(text) == text, renew_documents.COMMAND


def test_the_description_of_the_api_names_every_reason_and_no_other():
    text = json.dumps(OPENAPI)
    assert sorted(name for name in reasons.REASONS if not re.search(f'[`"]{name}[`"]', text)) == []
    described = set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", json.dumps(OPENAPI["components"]["responses"])))
    assert described - reasons.REASONS.keys() - CODES.keys() == set()


# Calls


def test_the_api_page_lists_exactly_the_calls_that_there_are():
    listed = [
        span.replace(" P/", " /v1/projects/{project}/locations/{location}/")
        for row in table_rows(page("api.md"))
        for span in code_spans(row[0])
        if re.match(r"[A-Z]+ (P?/)", span)
    ]
    described = [
        f"{method.upper()} {path}"
        for path, item in OPENAPI["paths"].items()
        for method in item
        if method in METHODS and not path.startswith(("/v1/batchPredictionJobs", "/ui/"))
    ]
    assert sorted(listed) == sorted(described)


def test_the_table_of_events_is_that_of_the_code():
    text = page("api.md")
    assert renew_documents.api_page(text) == text, renew_documents.COMMAND


def test_each_event_that_is_sent_is_described_once():
    described = [name for names in event_names.WHEN for name in names]
    assert sorted(described) == sorted(get_args(event_names.SentEvent))


def test_each_event_that_has_a_name_is_sent_or_logged():
    texts = {
        node.value
        for path in PACKAGE.rglob("*.py")
        if path.name != "event_names.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert set(get_args(event_names.EventName)) - texts == set()


def test_the_event_that_is_shown_has_the_members_that_an_event_has():
    now = datetime(2026, 11, 22, 16, 20, tzinfo=UTC)
    seen = Observation(
        "projects/1/locations/global/batchPredictionJobs/2", "JOB_STATE_SUCCEEDED", "gemini-3.5-flash"
    )
    event = events.job_event(JobRecord(JobKey("p", "global", "2"), seen, now, closed=True), now)

    def members(value):
        return {name: members(member) for name, member in value.items()} if isinstance(value, dict) else None

    shown = json.loads(blocks("shown")["event"][1])
    assert members(shown) == members(json.loads(event.body))


def test_the_limits_are_those_of_keys_and_teams():
    text = page("keys-and-budgets.md")
    table = text.partition("## Limits")[2].partition("\n## ")[0]
    listed = {span for row in table_rows(table) for span in code_spans(row[0])}
    assert listed == set(bodies.OwnerFields.__struct_fields__)
    for field in {*bodies.GenerateKey.__struct_fields__, *bodies.RegenerateKey.__struct_fields__}:
        assert f"`{field}`" in text, field


# Settings


def settings_code():
    return ast.parse((PACKAGE / "settings.py").read_text(encoding="utf-8"))


def rows_of(first_column):
    """Return what stands in the first column of the table of configuration.md that is headed so."""
    text = page("configuration.md").partition(f"| {first_column} | meaning |")[2].partition("\n\n")[0]
    return [span for row in table_rows(f"|-|\n{text}") for span in code_spans(row[0])]


def test_the_environment_variables_are_those_that_are_read():
    calls = [node for node in ast.walk(settings_code()) if isinstance(node, ast.Call)]
    read = {
        call.args[0].value
        for call in calls
        if ast.unparse(call.func).endswith("environ.get") and isinstance(call.args[0], ast.Constant)
    }
    assert len(read) > 5
    assert sorted(rows_of("variable")) == sorted(read | OF_LIBRARIES)


def test_the_settings_are_those_that_are_read():
    (table,) = [
        {key.value for key in node.keys}
        for node in ast.walk(settings_code())
        if isinstance(node, ast.Dict) and any(getattr(key, "value", "") == "master_key" for key in node.keys)
    ]
    assert sorted(rows_of("`general_settings`")) == sorted(table)
    assert sorted(rows_of("`litellm_params`")) == sorted(settings._KNOWN_PARAMS)
    assert f"default {settings.DEFAULT_SETTLEMENT_SECONDS}" in page("configuration.md")


def test_the_configuration_that_is_shown_can_be_loaded(tmp_path):
    (yaml,) = re.findall(r"```yaml\n(.*?)```", page("configuration.md"), re.DOTALL)
    (tmp_path / "path/to").mkdir(parents=True)
    (tmp_path / "path/to/service-account.json").write_text("{}")
    file = tmp_path / "config.yaml"
    file.write_text(yaml)
    decode_member = settings.load({"GATEWAY_CONFIG": str(file), "GATEWAY_MASTER_KEY": "sk-1"})
    assert decode_member.warnings == ()
    assert decode_member.resolve_model("gemini-3.5-flash", "your-project-id", "global")


# Decisions


def test_the_index_lists_every_decision_with_its_title_and_date():
    listed = table_rows((DECISIONS / "README.md").read_text(encoding="utf-8"))
    expected = []
    for path in sorted(DECISIONS.glob("[0-9]*.md")):
        number, title = re.match(r"# (\d+)\. (.*)\n", path.read_text(encoding="utf-8")).groups()
        date = re.search(r"^2\d{3}-\d{2}-\d{2}", path.read_text(encoding="utf-8"), re.MULTILINE)[0]
        assert int(path.name[:3]) == int(number)
        expected.append([number, f"[{title}]({path.name})", date])
    assert listed == expected
    assert all(int(after[0]) - int(before[0]) == 1 for before, after in pairwise(expected))


# Figures and versions

NUMBERS = {1: "one", 2: "two", 4: "four", 7: "seven", 10: "ten"}
MIB = 1024 * 1024


def hours(span):
    return span // timedelta(hours=1)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "errors.md",
            f"{json_limits.MOST_VALUES:,} members and elements, or more than {json_limits.MOST_DEPTH} levels",
        ),
        (
            "errors.md",
            f"than {connections.BODY_SECONDS:g} s, or too many slow ones",
        ),
        (
            "errors.md",
            f"more than {vertex.MAX_ANSWER_BYTES // MIB} MiB or {vertex.MAX_ANSWER_VALUES:,} values",
        ),
        (
            "errors.md",
            f"more than {requests.MAX_BODY_BYTES // MIB} MiB, or {requests.MOST_WIDE_BYTES / MIB:g} MiB with",
        ),
        ("errors.md", f"another body in the last {hours(submissions.KEY_LIFETIME)} hours"),
        ("errors.md", f"less than {NUMBERS[adoption.LOOK_BACK.days]} days old"),
        ("api.md", f"be repeated for {hours(submissions.KEY_LIFETIME)} hours"),
        ("api.md", f"An output line can have at most {lines.MAX_LINE_BYTES // MIB} MiB"),
        ("api.md", f"A request's body can have at most {requests.MAX_BODY_BYTES // MIB} MiB"),
        ("api.md", f"otherwise {hours(late_output.WATCH)} hours after its end"),
        ("api.md", f"jobs of the last {NUMBERS[adoption.LOOK_BACK.days]} days"),
        ("api.md", f"retried for {NUMBERS[retries.GIVEN_UP_AFTER.days]} days"),
        ("keys-and-budgets.md", f"within {NUMBERS[authentication.REVOCATION_SECONDS]} seconds"),
        (
            "keys-and-budgets.md",
            f"whole days ({budgets.MOST_DAYS} at most) or months ({budgets.MOST_MONTHS} at most)",
        ),
        ("keys-and-budgets.md", f"stops reading after {input_bounds.SECONDS:g} s (1 GB takes about ten)"),
        ("keys-and-budgets.md", f"stops reading after {input_bounds.SECONDS:g} s (1 GB takes a few seconds)"),
        ("api.md", f"({requests.MAX_BODY_BYTES // MIB} MiB at most) is stored in one call"),
        ("api.md", f"{input_names.MOST_NAME_BYTES:,} bytes at most with their folder"),
        ("architecture.md", f"after {NUMBERS[settle.GRACE // timedelta(minutes=1)]} minutes"),
        ("architecture.md", f"{NUMBERS[weighing.SECONDS]} seconds at most, once for each job"),
        ("architecture.md", f"until {hours(late_output.WATCH)} hours after its end"),
    ],
)
def test_a_figure_that_a_page_states_is_the_code_s(name, said):
    assert said in " ".join(page(name).split())


def test_our_figures_in_the_readme_are_those_of_the_bench():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (fast,) = re.findall(r"^- \*\*Fast\.\*\*.*?(?=^- )", readme, re.MULTILINE | re.DOTALL)
    compared = readme.partition("## Compared with")[2].partition("\n## ")[0]
    ours = " ".join([fast, *(row[2] for row in table_rows(compared))])
    bench = (ROOT / "tests/bench/README.md").read_text(encoding="utf-8")
    figures = re.findall(r"\d[\d.,]*(?= (?:ms|s|MB|MB/s)\b)", ours)
    assert len(figures) > 6
    assert [figure for figure in figures if not re.search(rf"(?<![\d.]){figure}(?![\d.]\d)", bench)] == []


def test_the_versions_of_the_clients_are_those_that_are_tested():
    clients = ROOT / "tests/integration/clients"
    pinned = re.findall(
        r"^([\w-]+)==(\d+\.\d+)", "\n".join(each.read_text() for each in clients.glob("*.txt")), re.MULTILINE
    )
    packages = json.loads((clients / "package.json").read_text())["dependencies"]
    pinned += [(name, version.rpartition(".")[0]) for name, version in packages.items()]
    tested = 0
    for client, versions, *_ in table_rows(page("clients.md")):
        name = re.match(r"\[([^\]]+)\]", client)[1]
        of_client = {version for package, version in pinned if package == name}
        assert set(versions.split(", ")) <= (of_client or {"any"}), name
        tested += bool(of_client)
    assert tested == 5


def test_each_block_of_json_is_compared_with_the_code():
    fenced = [
        block for each in DOCUMENTS for block in re.findall(r"^```json$", each.read_text(), re.MULTILINE)
    ]
    assert len(fenced) == len(blocks("shown"))


def test_the_blocks_have_known_kinds():
    markers = {
        kind
        for document in DOCUMENTS
        for kind in re.findall(r"^<!-- (\w+):", document.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert markers == {"example", "client", "shown"}
    assert {name for kind in markers for name in blocks(kind)} >= {"create", "curl", "cost"}
