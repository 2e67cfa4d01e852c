"""``vbatch prices`` and ``vbatch reprice --dry-run`` against a gateway in memory."""

import json
from decimal import Decimal

from functional.test_cli import cli, emulator, run_to_end, world  # noqa: F401 - fixtures

RATES = {
    "unit": "token",
    "non_global_multiplier": "1",
    "prices": [{"from": None, "source": "ours", "batch": {"input": "7", "output": "11"}}],
}


def prices(cli, model, location="us-central1"):  # noqa: F811 - a fixture
    listed = cli("prices", "list", "--model", model, "--location", location, "-o", "csv").csv
    return {
        row["item"]: (Decimal(row["price"]), row["source"]) for row in listed if row["window"] == "0-200k"
    }


def test_a_discount_is_set_listed_and_deleted(cli):  # noqa: F811
    before, source = prices(cli, "gemini-3.5-flash")["input_text"]
    assert source == "table"

    done = cli("prices", "discount", "publishers/google", "0.07", "--from", "2026-11-01", "--source", "deal")

    assert "within a minute" in done.err
    assert prices(cli, "gemini-3.5-flash")["input_text"] == (
        before * Decimal("0.93"),
        "override publishers/google",
    )
    (row,) = cli("prices", "overrides", "-o", "csv").csv
    assert json.loads(row["terms"]) == {"discount": "0.07", "from": "2026-11-01", "source": "deal"}
    cli("prices", "delete", "publishers/google", "--yes")
    assert prices(cli, "gemini-3.5-flash")["input_text"] == (before, "table")
    assert "no overrides" in cli("prices", "overrides").err + cli("prices", "overrides").out


def test_rates_are_set_from_a_file_for_a_location(cli, tmp_path):  # noqa: F811
    file = tmp_path / "rates.json"
    file.write_text(json.dumps(RATES))

    cli("prices", "set", "gemini-3.5-flash", file, "--location", "europe-west4")

    assert prices(cli, "gemini-3.5-flash", "europe-west4")["input_text"] == (
        Decimal("0.000007"),
        "override gemini-3.5-flash europe-west4",
    )
    assert prices(cli, "gemini-3.5-flash")["input_text"][1] == "table"
    assert "cannot be read" in cli("prices", "set", "x", tmp_path / "none.json", status=2).err
    assert "discount" in cli("prices", "discount", "gemini-3.5-flash", "7", status=1).err
    assert "no override" in cli("prices", "delete", "gemini-3.5-flash", "--yes", status=1).err


def test_a_discount_from_a_day_on_leaves_the_earlier_ones_in_force(cli):  # noqa: F811
    def steps(*where):
        cli("prices", "discount", *where, "0.1", "--from", "20270101")
        (row,) = cli("prices", "overrides", "-o", "json").json
        cli("prices", "delete", *where, "--yes")
        return [(step.get("from"), step["discount"]) for step in row["terms"]["discounts"]]

    for name, other in (("publishers/google",) * 2, ("gemini-3.5-flash", "gemini-3.5-flash-001")):
        cli("prices", "discount", name, "0.07", "--source", "deal")
        assert steps(other) == [(None, "0.07"), ("2027-01-01", "0.1")]
    cli("prices", "discount", "publishers/google", "0.07", "--from", "2026-11-01", "--location", "global")
    cli("prices", "discount", "publishers/google", "0.2", "--from", "2027-02-01", "--location", "global")
    assert steps("publishers/google", "--location", "global") == [
        ("2026-11-01", "0.07"),
        ("2027-01-01", "0.1"),
    ]


def test_a_discount_from_a_day_on_does_not_end_rates_before(cli, tmp_path):  # noqa: F811
    file = tmp_path / "rates.json"
    file.write_text(json.dumps(RATES))
    cli("prices", "set", "gemini-3.5-flash", file)
    refused = cli("prices", "discount", "gemini-3.5-flash", "0.1", "--from", "2027-01-01", status=2)
    assert "delete them first" in refused.err
    assert "not a day" in cli("prices", "discount", "publishers/-", "0.1", "--from", "soon", status=2).err
    assert prices(cli, "gemini-3.5-flash")["input_text"][1].startswith("override")


def test_what_a_reprice_would_change_is_shown_and_not_done(cli, world):  # noqa: F811
    job = run_to_end(world)
    cli("prices", "discount", "publishers/-", "0.5")
    span = ("--from", "7d", "--to", "now", "-o", "csv")

    shown = cli("reprice", "--dry-run", *span)

    assert "1 would change" in shown.err
    path = f"/v1/{job['name']}/cost"
    assert world.get(path).json["priceTable"] == world.prices.version
    done = cli("reprice", "--yes", *span)
    assert done.csv == shown.csv
    assert "1 changed" in done.err
    assert world.get(path).json["priceTable"] != world.prices.version
