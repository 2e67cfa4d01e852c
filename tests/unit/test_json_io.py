"""JSON that others wrote is read, or not taken for what it is not."""

import msgspec
import pytest

from batch_gateway.core.json_io import UNREADABLE, decode_member, decode_object, is_given, is_object


class Members(msgspec.Struct):
    a: msgspec.Raw = msgspec.Raw()


@pytest.mark.parametrize(
    ("text", "given", "is_one", "value"),
    [
        (b"{}", False, False, None),
        (b'{"a": null}', False, False, None),
        (b'{"a": 0}', True, False, 0),
        (b'{"a": [{}]}', True, False, [{}]),
        (b'{"a": {"b": 1}}', True, True, {"b": 1}),
    ],
)
def test_a_member_is_absent_null_or_given(text: bytes, given: bool, is_one: bool, value: object) -> None:  # noqa: FBT001 - parameters
    member = msgspec.json.decode(text, type=Members).a
    assert (is_given(member), is_object(member), decode_member(member)) == (given, is_one, value)


BROKEN = [b"", b"{", b"\xff", b'"\xff"', b"[" * 100_000]


@pytest.mark.parametrize("raw", [*BROKEN, b"[]", b"null", b'"a"'])
def test_what_is_no_object_is_none(raw: bytes) -> None:
    assert decode_object(raw) is None
    assert decode_object(b'{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("raw", BROKEN)
def test_whatever_cannot_be_read_is_unreadable(raw: bytes) -> None:
    with pytest.raises(UNREADABLE):
        msgspec.json.decode(raw)
