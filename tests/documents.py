"""The project's documents, and the blocks in them that tests run or compare."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "functions/docs"
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "infra/README.md",
    *sorted((ROOT / ".github").glob("*.md")),
    *sorted(DOCS.rglob("*.md")),
]
_BLOCK = re.compile(r"^<!-- (\w+):(\S+) -->\s*^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)


def blocks(kind):
    """Return (language, content) by name of the fenced blocks that follow a marker ``<!-- kind:name -->``."""
    found = {}
    for document in DOCUMENTS:
        for of_kind, name, language, content in _BLOCK.findall(document.read_text(encoding="utf-8")):
            if of_kind == kind:
                assert name not in found, f"<!-- {kind}:{name} --> stands twice"
                found[name] = (language, content)
    return found


def prose(document):
    """Return a document's text without its fenced blocks."""
    return _FENCED.sub("", document.read_text(encoding="utf-8"))


def table_rows(text):
    """Return the cells of each row of a text's tables, without heads and rules."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]
    rules = {at for at, cells in enumerate(rows) if set("".join(cells)) <= set("- ") and cells[0]}
    return [cells for at, cells in enumerate(rows) if not {at, at + 1} & rules]


def code_spans(text):
    """Return what stands in code spans."""
    return re.findall(r"`([^`\n]+)`", text)
