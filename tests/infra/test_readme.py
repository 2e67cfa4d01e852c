"""infra/README.md says what is there."""

import os
import re
import subprocess

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


def test_a_restore_takes_over_everything_that_the_database_has(applied, tmp_path):
    """The commands are run, with programs in place of gcloud and terraform."""
    there = [each for each in applied("infra").resources if each["type"].startswith("google_firestore_")]
    indexes = {
        f"projects/P/databases/NEW/collectionGroups/{each['values']['collection']}/indexes/{number}": each
        for number, each in enumerate(there)
        if each["type"] == "google_firestore_index"
    }
    paths = {
        name: [field["field_path"] for field in each["values"]["fields"]] for name, each in indexes.items()
    }
    listed = "\n".join(f"{name}\t{first}\t{second}" for name, (first, second, *_) in paths.items())
    (tmp_path / "infra").mkdir()
    (tmp_path / "listed").write_text(f"{listed}\n")
    for program, does in {
        "gcloud": f'case "$*" in *indexes*) cat {tmp_path}/listed;; esac',
        "terraform": f'echo "$*" >>{tmp_path}/calls',
    }.items():
        (tmp_path / program).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / program).chmod(0o755)
    [commands] = re.findall(
        r"```bash\n(.*?)```", TEXT.partition("## Restore")[2].partition("\n## ")[0], re.DOTALL
    )
    subprocess.run(  # noqa: S603 - our own commands
        ["bash", "-euc", commands],  # noqa: S607 - whichever is first in PATH
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        timeout=60,
        check=True,
    )

    removed, *imported, last = (tmp_path / "calls").read_text().splitlines()

    assert set(removed.removeprefix("state rm ").split()) == {
        each["address"].partition("[")[0] for each in there
    }
    assert imported == [
        "import google_firestore_database.this projects/P/databases/NEW",
        *(f"import {each['address']} {name}" for name, each in indexes.items()),
    ]
    assert last == "apply"
