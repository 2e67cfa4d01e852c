"""Make the input of a job: rows as Vertex AI takes them, from a file of JSONL, text or CSV."""

import csv
import string
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gateway_cli.errors import UsageError

_JSONL = {".jsonl", ".ndjson", ".json"}
_CSV = ".csv"
_LINE = "line"
_KEY = "key"
_LONGEST_CELL = 2**31 - 1
_BOM = b"\xef\xbb\xbf"


@contextmanager
def rows_of(file: Path, template: str | None) -> Iterator[Path]:
    """Make a file of JSONL, which lasts as long as the context.

    Without a template the file itself is the input. With one, each line of a text (blank ones are skipped) or
    each record of a CSV file becomes a row in Gemini's form, with the template filled in as its prompt. Its
    key is the column ``key``, else ``row-N`` for the Nth record and ``line-N`` for line N.

    Args:
        file: The file.
        template: Text with ``{column}`` for CSV or ``{line}`` for text, and ``{{`` for a brace.

    Raises:
        UsageError: The file or the template is invalid.
    """
    with tempfile.TemporaryDirectory(prefix="vbatch-") as folder:
        try:
            made = _made(file, template, Path(folder))
        except UnicodeDecodeError as error:
            raise UsageError(f"{file} is not UTF-8: {error.reason} at byte {error.start}.") from error
        except OSError as error:
            raise UsageError(f"{error.filename or folder}: {error.strerror}.") from error
        yield made


def _made(file: Path, template: str | None, folder: Path) -> Path:
    if template is None:
        _check_jsonl(file)
        return file
    if file.suffix.lower() in _JSONL:
        raise UsageError(f"{file} is JSONL, whose rows have prompts already: --prompt is for text and CSV.")
    parts = _parse(template)
    made = folder / "rows.jsonl"
    rows = _csv_rows(file, parts) if file.suffix.lower() == _CSV else _text_rows(file, parts)
    _write(made, rows, file)
    return made


def _write(made: Path, rows: Iterator[tuple[str, str]], source: Path) -> None:
    seen: set[str] = set()
    with made.open("wb") as out:
        for key, prompt in rows:
            if key in seen:
                raise UsageError(f"{source} has the key {key!r} twice.")
            seen.add(key)
            contents = [{"role": "user", "parts": [{"text": prompt}]}]
            out.write(msgspec.json.encode({"key": key, "request": {"contents": contents}}) + b"\n")
    if not seen:
        raise UsageError(f"{source} has no rows.")


def _check_jsonl(file: Path) -> None:
    """Check that the first row is a JSON object; the estimate checks more.

    Raises:
        UsageError: It is not, or there is none.
    """
    with file.open("rb") as lines:
        first = next((line for line in lines if line.strip()), None)
    if first is None:
        raise UsageError(f"{file} is empty.")
    if first.startswith(_BOM):
        raise UsageError(
            f"{file} begins with a byte order mark, which Vertex AI does not take. Save it as plain UTF-8."
        )
    try:
        msgspec.json.decode(first, type=dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        hint = (
            "Write one whole object in each line, without a comma behind it and without a list around them."
            if first.lstrip().startswith((b"{", b"["))
            else "For text or CSV give a template, such as --prompt 'Translate: {line}' or --prompt "
            "'Translate: {text}' with the name of a column."
        )
        raise UsageError(f"{file} is not JSONL: its first line is not a JSON object. {hint}") from error


def _parse(template: str) -> list[tuple[str, str | None]]:
    """Parse a template to pairs of literal text and the name that follows it."""
    try:
        parsed = list(string.Formatter().parse(template))
    except ValueError as error:
        raise UsageError(f"--prompt: {error}. Write {{{{ and }}}} for braces.") from error
    if any(spec or conversion for _, _, spec, conversion in parsed):
        raise UsageError("--prompt takes plain names in braces, such as {text}. Write {{ and }} for braces.")
    if all(name is None for _, name, _, _ in parsed):
        raise UsageError(
            "--prompt names no column, so that all rows would be the same. Write {line} or {column}."
        )
    return [(literal, name) for literal, name, _, _ in parsed]


def _filled(parts: list[tuple[str, str | None]], values: dict[str, str]) -> str:
    return "".join(literal + ("" if name is None else values[name]) for literal, name in parts)


def _check_names(parts: list[tuple[str, str | None]], known: list[str], file: Path) -> None:
    unknown = sorted({name for _, name in parts if name is not None and name not in known})
    if unknown:
        raise UsageError(f"--prompt names {', '.join(unknown)}, but {file} has: {', '.join(known)}.")


def _text_rows(file: Path, parts: list[tuple[str, str | None]]) -> Iterator[tuple[str, str]]:
    _check_names(parts, [_LINE], file)
    with file.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"line-{number}", _filled(parts, {_LINE: line.rstrip("\n")})


def _csv_rows(file: Path, parts: list[tuple[str, str | None]]) -> Iterator[tuple[str, str]]:
    csv.field_size_limit(_LONGEST_CELL)
    with file.open(encoding="utf-8-sig", newline="") as lines:
        records = csv.reader(lines, strict=True)
        try:
            columns = next(records, [])
            if len(set(columns)) < len(columns):
                raise UsageError(f"{file} has two columns of the same name.")
            _check_names(parts, columns, file)
            for number, record in enumerate((each for each in records if each), 1):
                if len(record) != len(columns):
                    raise UsageError(
                        f"{file}, line {records.line_num}: {len(record)} cells, but there are "
                        f"{len(columns)} columns."
                    )
                values = dict(zip(columns, record, strict=True))
                yield values.get(_KEY) or f"row-{number}", _filled(parts, values)
        except csv.Error as error:
            raise UsageError(f"{file}, line {records.line_num}: {error}.") from error
