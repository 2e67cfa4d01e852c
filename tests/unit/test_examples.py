"""Examples that people copy name models that a new project may call."""

import re

import pytest

from documents import DOCS, DOCUMENTS, ROOT

COPIED = [
    *(each for each in DOCUMENTS if each.parent not in {DOCS / "decisions", ROOT / "infra"}),
    *(ROOT / each for each in ("cloudbuild.yaml", "functions/config.example.yaml")),
    *(ROOT / "infra").glob("*.tf"),
    *(ROOT / "infra/examples").rglob("*.tf"),
    *(ROOT / "infra/local").glob("*.*"),
    *(ROOT / "infra/cli").rglob("*.py"),
    *(ROOT / "functions/batch_gateway/gateway/dashboard/static").glob("*.js"),
]
# Retired, and refused to projects that did not use them before ("Model versions", October 2026).
RETIRED = re.compile(r"gemini-(1\.|2\.)[\w.*-]+")


@pytest.mark.parametrize("file", COPIED, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_example_names_a_retired_model(file):
    assert RETIRED.findall(file.read_text(encoding="utf-8")) == []


def test_the_examples_name_models_at_all():
    assert sum("gemini-3.5-flash" in file.read_text(encoding="utf-8") for file in COPIED) > 5
