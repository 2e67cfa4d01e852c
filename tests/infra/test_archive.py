"""The archive of the functions holds what is deployed, and its name says what is in it."""

import json
import re
import shutil
import zipfile

import pytest

from infra.terraform import ROOT, NotHereError, Workspace, setup

LEFTOVERS = {
    "functions/batch_gateway/__pycache__/app.cpython-313.pyc": "bytes",
    "functions/batch_gateway/core/.mypy_cache/cache.json": "{}",
    "functions/config.yaml": "general_settings: {master_key: sk-of-somebody}",
    "functions/.env": "GATEWAY_MASTER_KEY=sk-of-somebody",
    "functions/notes.txt": "mine",
}


def files_of(folder):
    """Return the sources in a folder that are deployed: said in another way than in source.tf."""
    files = {
        path.relative_to(folder / "functions") for path in (folder / "functions").rglob("*") if path.is_file()
    }
    return {
        str(file)
        for file in files
        if str(file) in {"main.py", "requirements.txt"} or file.parts[0] == "batch_gateway"
        if not any(part == "__pycache__" or part.startswith(".") for part in file.parts)
    }


@pytest.fixture
def workspace(tmp_path):
    try:
        if not setup().simulated:
            pytest.skip("providers are the real ones: a plan would need a Google account")
        workspace = Workspace(tmp_path)
        workspace.init("infra")
    except NotHereError as error:
        pytest.skip(str(error))

    return workspace


def plan(workspace):
    """Plans and returns the object's name and the archive."""
    target = "-target=google_storage_bucket_object.source"
    shown = workspace.plan("infra", target)
    archive = zipfile.ZipFile(workspace.folder / "infra/.terraform/batch-gateway-functions.zip")
    return re.search(r'"(functions-[0-9a-f]{16}\.zip)"', shown)[1], archive


def hash_of(workspace):
    """Return the hash in the object's name: of the values of source.tf alone, which need no provider."""
    text = (ROOT / "infra/source.tf").read_text()
    [values] = re.findall(r"^locals \{.*?^\}", text, re.DOTALL | re.MULTILINE)
    (workspace.folder / "hash").mkdir(exist_ok=True)
    (workspace.folder / "hash/source.tf").write_text(values)
    return json.loads(workspace.run("hash", "console", given="local.source_hash"))


def leave_things_behind(folder):
    for path, text in LEFTOVERS.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    for path in (folder / "functions").rglob("*.py"):
        path.touch()
        path.chmod(0o600)


def edit(folder):
    with (folder / "functions/batch_gateway/core/pricing/prices.json").open("a") as file:
        file.write("\n")


def rename(folder):
    source = folder / "functions/batch_gateway/logs.py"
    shutil.move(source, source.with_name("log.py"))


def test_it_holds_what_is_deployed_and_its_name_goes_by_that(workspace):
    expected = files_of(workspace.folder)
    assert (workspace.folder / "functions/docs").is_dir(), "there are documents to leave out"
    assert not any("docs" in name for name in expected)
    clean = hash_of(workspace)
    leave_things_behind(workspace.folder)
    name, archive = plan(workspace)
    assert name == f"functions-{clean}.zip"
    assert set(archive.namelist()) == expected
    assert {info.external_attr >> 16 & 0o777 for info in archive.infolist()} == {0o644}
    assert len({info.date_time for info in archive.infolist()}) == 1
    edit(workspace.folder)
    edited = hash_of(workspace)
    rename(workspace.folder)
    assert len({clean, edited, hash_of(workspace)}) == 3


def test_the_entry_points_are_what_main_exports():
    exported = re.search(r"__all__ = \[(.*)\]", (ROOT / "functions/main.py").read_text())[1]
    in_terraform = {
        re.search(r'entry_point +="? *"?(\w+)"', (ROOT / "infra" / file).read_text())[1]
        for file in ("gateway.tf", "settle.tf")
    }
    assert in_terraform == set(re.findall(r'"(\w+)"', exported))
