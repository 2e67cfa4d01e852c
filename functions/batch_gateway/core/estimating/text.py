"""Estimate the tokens of text by script: as a range, since there is no tokenizer.

Facts on Gemini's tokenizer:

- "A token is equivalent to about 4 characters", and 100 tokens are 60 to 80 English words ("Understand
  and count tokens", ai.google.dev).
- It splits digits, keeps white space, and falls back to bytes for unknown characters (Gemma's
  technical report of 2024, section 2, on the vocabulary that Gemma shares with Gemini). So a text never
  has more tokens than UTF-8 bytes.
- The prompts and answers of Google's and LiteLLM's documentation that are printed with their counts have
  one token per word and mark (tests/unit/estimating/test_text.py holds them).

For Latin script ``expected`` stands between the first and the third: about 4.4 characters of English per
token. All other figures are guesses, based on publications about tokenizers with large vocabularies:
DeepSeek's documentation gives 0.6 tokens for a Chinese character, Google's gemini-cli at most 1.3 for any
character beyond ASCII. ``high`` is one token per byte, except for letters in words (half a token each, which
only unpronounceable words exceed) and for scripts of three bytes per character (two tokens each).
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from batch_gateway.core.estimating.ranges import NOTHING, Range

_LATIN = "A-Za-z\u00c0-\u024f\u1e00-\u1eff"
_WORD = re.compile(f"[{_LATIN}]+")
# Base64, hashes and the like: long, and with at least one digit.
_BLOB = re.compile(r"[A-Za-z0-9+/]{24,}={0,2}")
_HAS_DIGIT = re.compile(r"[0-9]")
_MARKS = re.compile(r"[!-/:-@\[-`{-~]+")
_GAP = re.compile(r" {2,}|[\t\n\r]+")
_LONE_SPACE = re.compile(f" (?![{_LATIN} ])")
_LONGEST_WORD = 15
_LONGEST_REMEMBERED = 64
_PIECE = 256 * 1024
"""Most characters that are analysed at once."""
_USUAL_WORD = 4
_SHORT_CAPITALS = 3


class _Script(NamedTuple):
    """The characters of a script, and thousandths of a token per character."""

    pattern: re.Pattern[str]
    low: int
    expected: int
    high: int


def _script(characters: str, low: int, expected: int, high: int) -> _Script:
    return _Script(re.compile(f"[{characters}]+"), low, expected, high)


_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_KANA = "\u3040-\u30ff"
_HANGUL = "\u1100-\u11ff\uac00-\ud7af"
_WIDE_MARKS = "\u3000-\u303f\uff00-\uffef"
_CYRILLIC_GREEK = "\u0370-\u03ff\u0400-\u052f"
_SEMITIC = "\u0590-\u06ff\u0750-\u077f"
_INDIC = "\u0900-\u0dff"
_SOUTH_EAST_ASIAN = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
_SCRIPTS = (
    _script(_HAN, 450, 670, 2000),
    _script(_KANA, 350, 600, 2000),
    _script(_HANGUL, 350, 600, 2000),
    _script(_WIDE_MARKS, 500, 1000, 2000),
    _script(_CYRILLIC_GREEK, 200, 330, 2000),
    _script(_SEMITIC, 250, 400, 2000),
    _script(_INDIC, 250, 400, 2000),
    _script(_SOUTH_EAST_ASIAN, 250, 450, 2000),
)
_KNOWN = f"{_HAN}{_KANA}{_HANGUL}{_WIDE_MARKS}{_CYRILLIC_GREEK}{_SEMITIC}{_INDIC}{_SOUTH_EAST_ASIAN}"
_OTHERS = re.compile(rf"[^ \t\n\r!-~{_LATIN}{_KNOWN}]+")


def tokens_of(text: str) -> Range:
    """Estimate the tokens of a text."""
    if not text:
        return NOTHING
    thousandths = [each for piece in _pieces(text) for each in _in_piece(piece)]
    low, expected, high = (sum(level) for level in zip(*thousandths, strict=True))
    # At least one, since the text is not empty. The low is rounded down and the high up.
    return Range(max(1, low // 1000), max(1, round(expected / 1000)), max(1, -(-high // 1000)))


def _pieces(text: str) -> Iterator[str]:
    """Cut a long text at the ends of words, so that its words are not all in memory at once."""
    at = 0
    while at < len(text):
        end = at + _PIECE
        if end < len(text) and (space := text.rfind(" ", at + 1, end)) > 0:
            end = space
        yield text[at:end]
        at = end


def _in_piece(text: str) -> list[Range]:
    blobs = [blob for blob in _BLOB.findall(text) if _HAS_DIGIT.search(blob)]
    if blobs:
        text = _BLOB.sub(lambda match: "" if _HAS_DIGIT.search(match[0]) else match[0], text)
    thousandths = [_in_blobs(sum(map(len, blobs))), _in_words(text), _in_marks(text)]
    if not text.isascii():
        thousandths += [_in_script(script, text) for script in _SCRIPTS]
    return [*thousandths, _in_others(text)]


def characters_of(text: str) -> int:
    """Count code points without white space: text embeddings are charged so (Vertex AI pricing page)."""
    return sum(len("".join(piece.split())) for piece in _pieces(text))


def _in_blobs(characters: int) -> Range:
    return Range(500, 670, 1000).times(characters)


def _in_words(text: str) -> Range:
    low = expected = high = 0
    for word in _WORD.findall(text):
        # Not Range's own arithmetic: most of the time is spent here.
        least, usual, most = _of_word(word) if len(word) <= _LONGEST_REMEMBERED else _of_new_word(word)
        low += least
        expected += usual
        high += most
    return Range(low, expected, high)


def _of_new_word(word: str) -> Range:
    length = len(word)
    high = 1000 * -(-length // 2)
    if not word.isascii():
        return Range(900, max(1000, 300 * length), max(high, 1000 * len(word.encode())))
    if word.isupper() and length > _SHORT_CAPITALS:
        return Range(900, 340 * length, 1000 * length)
    if length > _LONGEST_WORD or not (word.islower() or word.istitle()):
        return Range(900, max(1000, 300 * length), 1000 * length)
    return Range(900, 1000 + 85 * max(0, length - _USUAL_WORD), high)


_of_word = lru_cache(maxsize=1 << 14)(_of_new_word)


def _in_marks(text: str) -> Range:
    """Estimate digits, marks and white space; a single space belongs to the word that follows it."""
    digits = sum(text.count(digit) for digit in "0123456789")
    marks = [len(run) for run in _MARKS.findall(text)]
    gaps = _GAP.findall(text)
    return Range(
        900 * (digits + len(marks) + len(gaps)),
        1000 * (digits + sum((run + 1) // 2 for run in marks) + len(gaps)),
        1000 * (digits + sum(marks) + sum(map(len, gaps)) + len(_LONE_SPACE.findall(text))),
    )


def _in_script(script: _Script, text: str) -> Range:
    characters = sum(map(len, script.pattern.findall(text)))
    return Range(script.low, script.expected, script.high).times(characters)


def _in_others(text: str) -> Range:
    """Estimate emoji, symbols and rare scripts: half a token per byte, at most one."""
    size = sum(len(run.encode(errors="surrogatepass")) for run in _OTHERS.findall(text))
    return Range(250, 500, 1000).times(size)
