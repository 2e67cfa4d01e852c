"""Estimate the tokens of images, video, audio and documents.

Rates: "Media resolution" (ai.google.dev, token counts of Gemini 3 and 2.5 models), "Image understanding"
and "Understand and count tokens". The playing time and the number of pages of a file
are estimated from its size: ``low`` assumes many bytes per second or page, ``high`` few.
"""

import re
from fractions import Fraction
from typing import Any, NamedTuple

from batch_gateway.core.estimating.model_limits import Version
from batch_gateway.core.estimating.ranges import Range, exactly

_GEMINI_3: Version = (3, 0)
_LOW = "MEDIA_RESOLUTION_LOW"
_MEDIUM = "MEDIA_RESOLUTION_MEDIUM"
_HIGH = "MEDIA_RESOLUTION_HIGH"
_ULTRA = "MEDIA_RESOLUTION_ULTRA_HIGH"

_SMALL_TILE = 258
"""Tokens of an image of at most 384 pixels a side, of a tile of a larger one, of a frame, of a page."""
_MOST_TILES = 24
"""Most tiles: of 256 pixels (the smallest tiles) in 3072 x 384, which larger images are scaled down to."""
_SMALL_IMAGE_BYTES = 30_000
_USUAL_TILES = 4
"""Tiles of a photograph of about 1024 x 1024."""

_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_BITS = 8
_UNKNOWN_SECONDS = Range(5, 60, 3600)
_VIDEO_BITRATES = (8_000_000, 2_000_000, 200_000)
_AUDIO_BITRATES = (1_411_200, 128_000, 8_000)
_UNKNOWN_PAGES = Range(1, 10, 1000)
_BYTES_A_PAGE = (1_000_000, 100_000, 5_000)
_MOST_PAGES = 1000


class Medium(NamedTuple):
    """The description of a file in a part of a prompt.

    Attributes:
        mime_type: E.g. ``image/png``.
        size: Size in bytes; None if unknown.
        resolution: Its own or the request's media resolution; empty for the model's default.
        fps: Frames of a video that are sampled per second, 1 by default ("Video understanding" of Google's
            documentation).
        seconds: Most seconds of it that are played, by videoMetadata; None for all of it.
    """

    mime_type: str
    size: int | None
    resolution: str = ""
    fps: Fraction = Fraction(1)
    seconds: int | None = None


def modality_of(mime_type: str) -> str:
    """Return the modality that a file is counted as, as named in items."""
    kind = mime_type.partition("/")[0].lower()
    if kind in {"image", "video", "audio", "text"}:
        return kind
    return "document"


def tokens_of(medium: Medium, version: Version) -> dict[str, Range]:
    """Estimate the tokens of a file by modality, for a version of Gemini."""
    modality = modality_of(medium.mime_type)
    if modality == "image":
        return {modality: _image(medium, version)}
    if modality == "video":
        return _video(medium, version)
    if modality == "audio":
        return {modality: _playback(medium, _AUDIO_BITRATES, exactly(_audio_rate(version)))}
    if modality == "text":
        size = medium.size
        return {modality: Range(1, 1000, 1_000_000) if size is None else Range(size // 8, size // 4, size)}
    return {modality: _document(medium, version)}


def fps_of(value: Any) -> Fraction:
    """Read frames per second, a number or a string in Google's JSON; return 1 if they are neither."""
    number = _number(value)
    return number if number > 0 else Fraction(1)


def seconds_of(value: Any) -> Fraction | None:
    """Read a Duration in JSON (``"40s"``, or its members) as seconds; return None if it is not one."""
    if isinstance(value, dict):
        return _number(value.get("seconds", 0)) + _number(value.get("nanos", 0)) / 10**9
    if isinstance(value, str) and value.endswith("s"):
        return _number(value[:-1])
    return None


def _number(value: Any) -> Fraction:
    """Read a number of 0 or more with not too many digits; return 0 if it is not one."""
    text = str(value)
    if isinstance(value, bool) or not _NUMBER.fullmatch(text):
        return Fraction(0)
    return Fraction(text)


def _image(medium: Medium, version: Version) -> Range:
    if version >= _GEMINI_3:
        usual = {_LOW: 280, _MEDIUM: 560, _ULTRA: 2240}.get(medium.resolution, 1120)
        return Range(usual // 4, usual, usual)
    if medium.resolution in {_LOW, _MEDIUM}:
        return exactly(64 if medium.resolution == _LOW else _SMALL_TILE)
    small = medium.size is not None and medium.size < _SMALL_IMAGE_BYTES
    usual = _SMALL_TILE if small else _USUAL_TILES * _SMALL_TILE
    return Range(_SMALL_TILE, usual, _MOST_TILES * _SMALL_TILE)


def _video(medium: Medium, version: Version) -> dict[str, Range]:
    """Estimate frames, and their sound, which is charged as audio."""
    if version >= _GEMINI_3:
        frame = 280 if medium.resolution in {_HIGH, _ULTRA} else 70
    else:
        frame = 66 if medium.resolution == _LOW else _SMALL_TILE
    frames = -(-frame * medium.fps.numerator // medium.fps.denominator)
    sound = _audio_rate(version)
    return {
        "video": _playback(medium, _VIDEO_BITRATES, exactly(frames)),
        "audio": _playback(medium, _VIDEO_BITRATES, Range(0, sound, sound)),
    }


def _audio_rate(version: Version) -> int:
    return 25 if version >= _GEMINI_3 else 32


def _playback(medium: Medium, bitrates: tuple[int, int, int], rate: Range) -> Range:
    seconds = _UNKNOWN_SECONDS
    if medium.size is not None:
        seconds = Range(*(1 + medium.size * _BITS // bitrate for bitrate in bitrates))
    elif medium.seconds is not None:
        seconds = exactly(medium.seconds)
    if medium.seconds is not None:
        seconds = seconds.at_most(medium.seconds)
    return Range(*(time * tokens for time, tokens in zip(seconds, rate, strict=True)))


def _document(medium: Medium, version: Version) -> Range:
    pages = _UNKNOWN_PAGES
    if medium.size is not None:
        pages = Range(*(1 + medium.size // size for size in _BYTES_A_PAGE)).at_most(_MOST_PAGES)
    if version < _GEMINI_3:
        return pages.times(_SMALL_TILE)
    usual = {_LOW: 280, _HIGH: 1120, _ULTRA: 1120}.get(medium.resolution, 560)
    return pages.times(usual)
