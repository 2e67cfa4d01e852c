"""Money as integers: text, rounding, apportioning."""

from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_gateway.core.pricing.money import apportion, format_nano, format_pico, round_pico

_AMOUNTS = st.integers(-(10**30), 10**30)
_PARTS = st.lists(st.integers(0, 10**6) | st.integers(0, 10**24) | st.integers(0, 40).map(lambda n: n * 500))


def exact(text: str, digits: int) -> int:
    sign, figures, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    units = int("".join(map(str, figures))) * 10 ** (exponent + digits)
    return -units if sign else units


@pytest.mark.parametrize(
    ("nano", "text"),
    [
        (0, "0"),
        (1, "0.000000001"),
        (2_301_000, "0.002301"),
        (10**9, "1"),
        (10 * 10**9, "10"),
        (1_500_000_000, "1.5"),
        (123_000_000_001, "123.000000001"),
        (-1, "-0.000000001"),
        (-2_500_000_000, "-2.5"),
        (10**24, "1000000000000000"),
    ],
)
def test_nano_dollars_read_as_dollars(nano: int, text: str) -> None:
    assert format_nano(nano) == text


@pytest.mark.parametrize(
    ("pico", "text"),
    [
        (150_000, "0.00000015"),
        (12_500, "0.0000000125"),
        (1, "0.000000000001"),
        (10**12, "1"),
        (-10, "-0.00000000001"),
    ],
)
def test_pico_dollars_read_as_dollars(pico: int, text: str) -> None:
    assert format_pico(pico) == text


@given(_AMOUNTS)
def test_text_gives_the_amount_back(amount: int) -> None:
    assert exact(format_nano(amount), 9) == amount
    assert exact(format_pico(amount), 12) == amount


@given(_AMOUNTS)
def test_text_is_plain_digits_without_idle_zeros(amount: int) -> None:
    for text in (format_nano(amount), format_pico(amount)):
        assert set(text) <= set("-.0123456789")
        assert "." not in text or not text.endswith(("0", "."))


@pytest.mark.parametrize(
    ("pico", "nano"),
    [
        (0, 0),
        (499, 0),
        (500, 0),
        (501, 1),
        (1499, 1),
        (1500, 2),
        (2500, 2),
        (2501, 3),
        (3500, 4),
        (-500, 0),
        (-1500, -2),
    ],
)
def test_halves_go_to_the_even_neighbour(pico: int, nano: int) -> None:
    assert round_pico(pico) == nano


@given(st.integers(-(10**15), 10**15) | st.integers(-(10**6), 10**6).map(lambda n: 500 * n))
def test_rounding_is_half_even(pico: int) -> None:
    assert round_pico(pico) == int((Decimal(pico) / 1000).quantize(Decimal(1), ROUND_HALF_EVEN))


@given(_PARTS)
def test_parts_add_up_to_the_rounded_sum(parts: list[int]) -> None:
    assert sum(apportion(parts)) == round_pico(sum(parts))


@given(_PARTS)
def test_each_part_is_off_by_less_than_a_nano_dollar(parts: list[int]) -> None:
    for part, amount in zip(parts, apportion(parts), strict=True):
        assert abs(1000 * amount - part) < 1000


@given(_PARTS)
def test_a_part_never_gets_less_than_a_smaller_remainder_does(parts: list[int]) -> None:
    rounded_up = [
        part % 1000 for part, nano in zip(parts, apportion(parts), strict=True) if 1000 * nano > part
    ]
    cut = [part % 1000 for part, nano in zip(parts, apportion(parts), strict=True) if 1000 * nano < part]
    assert not rounded_up or not cut or min(rounded_up) >= max(cut)


@pytest.mark.parametrize(
    ("parts", "amounts"),
    [
        ([], []),
        ([1500], [2]),
        ([2500], [2]),
        ([300, 300, 300], [1, 0, 0]),
        ([300, 400, 300], [0, 1, 0]),
        ([1000, 600, 900], [1, 0, 1]),
        ([500, 500, 1000], [1, 0, 1]),
    ],
)
def test_the_largest_remainders_are_rounded_up_the_first_of_equals_first(
    parts: list[int], amounts: list[int]
) -> None:
    assert apportion(parts) == amounts
