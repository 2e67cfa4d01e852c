"""infra/README.md says what is there."""

import re

from infra.tables import INFRA, README, put_into, tables

TEXT = README.read_text()


def test_the_tables_are_those_of_the_code():
    assert put_into(TEXT) == TEXT, "run: python tests/infra/tables.py"


def test_a_changed_variable_would_be_seen():
    assert "| `project_id` | string | required |" in tables()["inputs"]
    assert (
        put_into(TEXT.replace("| `project_id` | string | required |", "| `project` | string | required |"))
        == TEXT
    )


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (INFRA / target).exists(), target


def test_what_it_names_in_the_code_is_there():
    code = "\n".join(path.read_text() for path in INFRA.glob("*.tf"))
    for kind, name in re.findall(r"`?(?:import )?\b(google_\w+|time_\w+)\.(\w+)", TEXT):
        assert f'resource "{kind}" "{name}"' in code, f"{kind}.{name}"
    for name in ("deletion_protection", "master_key_version", "expire_days", "min_instances"):
        assert name in code
        assert name in TEXT
