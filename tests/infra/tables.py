"""The tables of inputs and outputs in infra/README.md, from the Terraform itself.

``python tests/infra/tables.py`` writes them anew.
"""

import re
import sys
from pathlib import Path

INFRA = Path(__file__).resolve().parents[2] / "infra"
README = INFRA / "README.md"
_LONGEST_DEFAULT = 40


def tables() -> dict[str, str]:
    """Markdown of both tables, by the name of their place."""
    inputs = ["| variable | type | default | |", "|---|---|---|---|"]
    for name, block in _blocks("variables.tf", "variable"):
        kind = re.search(r"^  type += (\w+)(\((\w+)?)?", block, re.MULTILINE)
        shown = f"{kind[1]} of {kind[3]}s" if kind[3] and kind[1] != "object" else kind[1]
        inputs.append(f"| `{name}` | {shown} | {_default(block)} | {_description(block)} |")
    outputs = ["| output | |", "|---|---|"]
    outputs += [f"| `{name}` | {_description(block)} |" for name, block in _blocks("outputs.tf", "output")]
    return {"inputs": "\n".join(inputs), "outputs": "\n".join(outputs)}


def put_into(text: str) -> str:
    """The README with the tables as they should be."""
    for name, table in tables().items():
        text = re.sub(
            rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)",
            lambda found, table=table: f"{found[1]}{table}\n{found[2]}",
            text,
            flags=re.DOTALL,
        )
    return text


def _blocks(file: str, kind: str) -> list[tuple[str, str]]:
    text = (INFRA / file).read_text()
    return re.findall(rf'^{kind} "(\w+)" \{{\n(.*?)^\}}', text, re.MULTILINE | re.DOTALL)


def _description(block: str) -> str:
    heredoc = re.search(r"description = <<-EOT\n(.*?)\n  EOT", block, re.DOTALL)
    plain = re.search(r'description = "((?:[^"\\]|\\.)*)"', block)
    return " ".join((heredoc or plain)[1].split()).replace("|", "\\|")


def _default(block: str) -> str:
    found = re.search(r"^  default += (.*?)(?=^  \w|\Z)", block, re.MULTILINE | re.DOTALL)
    if not found:
        return "required"
    value = " ".join(found[1].split())
    return f"`{value}`" if len(value) <= _LONGEST_DEFAULT else "see `variables.tf`"


if __name__ == "__main__":
    README.write_text(put_into(README.read_text()))
    sys.stdout.write(f"{README}\n")
