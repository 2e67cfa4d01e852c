"""Budgets on the Store port: what is reserved and spent adds up, and never goes beyond a limit."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

import builders
from batch_gateway.adapters.firestore import budgets
from batch_gateway.core.accounting.budgets import BudgetBalance, BudgetExceededError, OwnedBudget
from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.cost_bounds import Bounds, Weighed
from batch_gateway.core.jobs.record import JobKey, JobRecord, Observation
from batch_gateway.core.pricing import prices
from batch_gateway.ports import StoreUnavailableError, Submission
from builders import usage

PRICES = prices.load()
NOW = datetime(2026, 11, 22, 10, 11, 12, tzinfo=UTC)
DAY, MONTH = "2026-11-22", "2026-11"
OWNERS = ("key:k1", "team:ads")
TOKEN_NANO = 150


def submission(number=1, reserved=1000, **changes):
    made = Submission(
        f"s{number}",
        "acme-batch",
        "us-central1",
        "nightly",
        "ads",
        "job",
        NOW,
        key_id="k1",
        reserved_nano=reserved,
        reserved_at=NOW,
    )
    return msgspec.structs.replace(made, **changes)


def record(number=1, created=NOW, **changes):
    key = JobKey("acme-batch", "us-central1", str(number))
    seen = Observation(
        name=key.path, state="JOB_STATE_PENDING", model="gemini-2.5-flash", create_time=created
    )
    made = JobRecord(key, seen, created, api_key="nightly", team="ads", key_id="k1", reserved_at=NOW)
    return msgspec.structs.replace(made, **changes)


def limit(most, owner="team:ads", duration="1mo"):
    return OwnedBudget(owner, f"the owner {owner}", most, None, duration)


def settle(store, job, tokens, generation=1, name="predictions.jsonl"):
    uri = f"gs://out/{job.key.job_id}/{name}"
    return builders.settle(store, job.key, Output(uri, generation, 1, usage(tokens), NOW), PRICES)


def standing(store, period=DAY):
    """Return the balance of the test's owners, which is the same for all of them."""
    key, team = store.budget_balances([(owner, (period,)) for owner in OWNERS]).values()
    assert key == team
    return key


def test_nobody_has_spent_anything_at_first(store):
    assert store.budget_balances([("key:k1", (DAY, MONTH)), ("team:ads", ())]) == {
        "key:k1": BudgetBalance(),
        "team:ads": BudgetBalance(),
    }


def test_a_create_reserves_for_key_and_team_in_day_month_and_all(store):
    assert store.begin_submission(submission(reserved=700)) is None

    for period in (DAY, MONTH, "all"):
        assert standing(store, period) == BudgetBalance(0, 700)
    assert standing(store, "2026-11-23") == BudgetBalance()


def test_the_same_create_again_reserves_once(store):
    store.begin_submission(submission(), [limit(1500)])

    assert store.begin_submission(submission(), [limit(1500)]) in [None, submission()]
    assert store.begin_submission(submission(reserved=5), [limit(1500)]) == submission()
    assert standing(store) == BudgetBalance(0, 1000)


def test_what_exceeds_a_limit_is_refused_with_the_figures_and_leaves_nothing(store):
    store.begin_submission(submission(1, 1000), [limit(1500)])

    with pytest.raises(BudgetExceededError) as refused:
        store.begin_submission(submission(2, 501), [limit(10_000, "key:k1"), limit(1500)])

    error = refused.value
    assert (error.budget.owner, error.balance, error.wanted_nano) == ("team:ads", BudgetBalance(0, 1000), 501)
    assert error.window.reset == datetime(2026, 12, 1, tzinfo=UTC)
    assert standing(store) == BudgetBalance(0, 1000)
    assert [each.id for each in store.open_submissions(9)] == ["s1"]
    assert store.begin_submission(submission(3, 500), [limit(1500)]) is None, "to the last nano-dollar"


def test_a_create_that_made_no_job_releases_what_it_reserved_once(store):
    store.begin_submission(submission(1, 1000))
    store.begin_submission(submission(2, 30))

    store.drop_submission(submission(1, 1000))
    store.drop_submission(submission(1, 1000))

    assert standing(store) == BudgetBalance(0, 30)


def test_a_reservation_goes_over_to_the_job_and_turns_into_spend(store):
    store.begin_submission(submission(reserved=1000 * TOKEN_NANO))
    store.add_job(record(), submission())
    assert standing(store) == BudgetBalance(0, 1000 * TOKEN_NANO)
    assert store.get_job(record().key).reserved_nano == 1000 * TOKEN_NANO

    settle(store, record(), 300)
    assert standing(store) == BudgetBalance(300 * TOKEN_NANO, 700 * TOKEN_NANO)

    settle(store, record(), 1200, generation=2)
    assert standing(store) == BudgetBalance(1200 * TOKEN_NANO, 0), "it cost more than was reserved"

    settle(store, record(), 200, generation=3)
    assert standing(store) == BudgetBalance(200 * TOKEN_NANO, 0), "what shrank is not reserved again"


def test_the_first_final_shard_makes_no_room_for_what_the_others_will_cost(store):
    """It takes the place of the output that a running job has exported so far, which cost more than it."""
    most = 1000 * TOKEN_NANO
    store.begin_submission(submission(reserved=most))
    store.add_job(record(estimate=Bounds(0, most, most)), submission(reserved=most))
    settle(store, record(), 800, name="incremental_predictions.jsonl")

    for shard, spent in enumerate((100, 500, 900)):
        tokens = 100 if shard == 0 else 400
        settle(store, record(), tokens, name=f"predictions.jsonl-0000{shard}-of-00003")
        assert standing(store) == BudgetBalance(spent * TOKEN_NANO, most - spent * TOKEN_NANO)


def test_closing_a_job_releases_the_rest(store):
    store.begin_submission(submission(reserved=1000 * TOKEN_NANO))
    store.add_job(record(), submission())
    settle(store, record(), 300)

    store.amend_job(record().key, lambda job: msgspec.structs.replace(job, closed=True, reserved_nano=0))

    for period in (DAY, MONTH, "all"):
        assert standing(store, period) == BudgetBalance(300 * TOKEN_NANO, 0)


def test_what_is_released_without_having_been_reserved_makes_no_room(store):
    """As for jobs that an earlier version reserved for, in balances of another form."""
    monday, thursday = NOW - timedelta(days=6), NOW - timedelta(days=3)
    old = record(1, created=monday, reserved_at=monday, reserved_nano=1000)
    store.add_job(old)
    store.amend_job(old.key, lambda job: msgspec.structs.replace(job, closed=True, reserved_nano=0))
    assert standing(store, f"{monday:%Y-%m-%d}") == BudgetBalance()

    store.begin_submission(submission(1, 600, created=thursday, reserved_at=thursday))
    week = tuple(f"{monday + timedelta(days=number):%Y-%m-%d}" for number in range(7))
    assert store.budget_balances([("team:ads", week)]) == {"team:ads": BudgetBalance(0, 600)}
    with pytest.raises(BudgetExceededError):
        store.begin_submission(submission(2, 401), [limit(1000, duration="7d")])
    assert store.begin_submission(submission(2, 400), [limit(1000, duration="7d")]) is None
    with pytest.raises(BudgetExceededError):
        store.begin_submission(submission(3, 1), [limit(1000, duration="7d")])


def test_the_create_that_is_checked_does_not_hide_a_negative_balance(store):
    old = record(1, reserved_nano=500)
    store.add_job(old)
    store.amend_job(old.key, lambda job: msgspec.structs.replace(job, closed=True, reserved_nano=0))
    with pytest.raises(BudgetExceededError):
        store.begin_submission(submission(1, 1001), [limit(1000)])
    assert store.begin_submission(submission(1, 1000), [limit(1000)]) is None


def test_a_job_that_is_on_record_already_reserves_nothing_more(store):
    store.add_job(record())
    store.begin_submission(submission())

    store.add_job(record(), submission())

    assert standing(store) == BudgetBalance()
    assert store.get_job(record().key).reserved_nano == 0


def test_a_kept_submission_does_not_release_what_went_over_to_its_job(store):
    answered = submission(answer=b"{}", body_hash="x")
    store.begin_submission(submission())
    store.add_job(record(), answered)

    store.drop_submission(answered)

    assert standing(store) == BudgetBalance(0, 1000)


@pytest.mark.parametrize("reserved", [0, 1000])
def test_a_submission_that_was_changed_since_it_was_read_is_not_dropped(store, reserved):
    """A sweep reads it while it is open, and lets it go when it has listed the jobs."""
    read = submission(reserved=reserved)
    sent_again = submission(reserved=reserved, created=NOW + timedelta(hours=2))
    store.begin_submission(read)
    store.retake_submission(read, sent_again)

    assert not store.drop_submission(read)
    assert store.open_submissions(9) == [sent_again]
    assert standing(store) == BudgetBalance(0, reserved)

    answered = msgspec.structs.replace(sent_again, answer=b"{}", job="x")
    store.add_job(record(), answered)
    assert not store.drop_submission(sent_again)
    assert store.get_submission("s1") == msgspec.structs.replace(answered, reserved_nano=0)
    assert standing(store) == BudgetBalance(0, reserved)


def test_a_reservation_moves_to_the_day_on_which_its_job_will_spend_it(store):
    """Vertex AI creates the job after midnight: the new day's budget must know what it may cost."""
    yesterday = NOW - timedelta(days=1)
    asked = submission(created=yesterday, reserved_at=yesterday)
    store.begin_submission(asked)
    store.add_job(asked.record(record()), asked)

    assert standing(store, "2026-11-21") == BudgetBalance()
    assert standing(store, DAY) == standing(store, MONTH) == BudgetBalance(0, 1000)
    with pytest.raises(BudgetExceededError):
        store.begin_submission(submission(2, 501), [limit(1500, duration="1d")])

    settle(store, record(), 3)

    assert standing(store, "2026-11-21") == BudgetBalance()
    for period in (DAY, MONTH, "all"):
        assert standing(store, period) == BudgetBalance(3 * TOKEN_NANO, 1000 - 3 * TOKEN_NANO)


def test_jobs_without_a_reservation_are_spend_all_the_same(store):
    store.add_job(record())

    settle(store, record(), 7)

    assert standing(store) == BudgetBalance(7 * TOKEN_NANO, 0)
    with pytest.raises(BudgetExceededError):
        store.begin_submission(submission(1, 1), [limit(7 * TOKEN_NANO)])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (datetime(2026, 11, 30, 9, tzinfo=UTC), datetime(2026, 12, 2, 9, tzinfo=UTC)),
        (datetime(2026, 12, 31, 9, tzinfo=UTC), datetime(2027, 1, 2, 9, tzinfo=UTC)),
    ],
)
def test_days_at_the_end_of_a_month_or_year_are_in_their_windows(store, first, second):
    """A window of seven days that begins in one month and ends in the next."""
    store.begin_submission(submission(1, 400, created=first, reserved_at=first))
    later = submission(2, 700, created=second, reserved_at=second)
    with pytest.raises(BudgetExceededError):
        store.begin_submission(later, [limit(1000, duration="7d")])
    assert store.begin_submission(later, [limit(1000, duration="1mo")]) is None
    days = tuple(f"{first + timedelta(days=number):%Y-%m-%d}" for number in range(3))
    assert store.budget_balances([("team:ads", days)]) == {"team:ads": BudgetBalance(0, 1100)}


def test_creates_that_are_killed_between_reserving_and_looking_are_released(store):
    """As the sweep releases a submission that came to nothing."""
    store.begin_submission(submission(1, 900))
    with pytest.raises(BudgetExceededError):
        store.begin_submission(submission(2, 200), [limit(1000)])
    for left in store.open_submissions(9):
        store.drop_submission(left)
    assert standing(store) == BudgetBalance()
    assert store.begin_submission(submission(2, 200), [limit(1000)]) is None


def test_many_ledgers_are_read_at_once(store):
    store.begin_submission(submission(reserved=7))
    owners = [f"key:{number}" for number in range(100)]
    found = store.budget_balances([(owner, ("all", MONTH)) for owner in [*owners, "key:k1"]])
    assert found == {**dict.fromkeys(owners, BudgetBalance()), "key:k1": BudgetBalance(0, 14)}


def test_owners_whose_ledgers_have_changed_are_known_once(store, monkeypatch):
    monkeypatch.setattr(budgets, "_UNSEEN", timedelta(0))
    assert store.changed_owners(None)[0] == set()
    store.begin_submission(submission(), [limit(1000)])
    owners, mark = store.changed_owners(None)
    assert owners == set(OWNERS)
    owners, mark = store.changed_owners(mark)
    assert owners == set()

    store.add_job(record(key_id="k2", team=None))
    settle(store, record(), 7)
    owners, mark = store.changed_owners(mark)
    assert owners == {"key:k2"}
    assert store.changed_owners(mark)[0] == set()


def test_a_change_that_was_under_way_when_others_were_seen_is_seen_later(firestore):
    """Its time is a little earlier than theirs: so the last seconds are looked at twice."""
    firestore.begin_submission(submission(), [limit(1000)])

    _, mark = firestore.changed_owners(None)

    assert firestore.changed_owners(mark)[0] == set(OWNERS)


def test_many_changed_owners_are_all_seen(store, monkeypatch):
    monkeypatch.setattr(budgets, "_MOST_AT_ONCE", 4)
    keys = [f"k{number}" for number in range(10)]
    for number, key_id in enumerate(keys):
        made = submission(number, key_id=key_id, team=None)
        store.begin_submission(made, [limit(5000, f"key:{key_id}")])

    assert store.changed_owners(None)[0] == {f"key:{key_id}" for key_id in keys}


def test_the_last_of_a_budget_is_used_however_many_want_it(store):
    """Eighty creates at once for a budget with room for thirty-one."""
    start = threading.Barrier(40)

    def create(number):
        if number < 40:
            start.wait()
        try:
            store.begin_submission(submission(number, 32), [limit(1000)])
        except BudgetExceededError:
            return False
        return True

    with ThreadPoolExecutor(40) as pool:
        made = list(pool.map(create, range(80)))

    assert 1 <= sum(made) <= 31
    assert standing(store, MONTH) == BudgetBalance(0, 32 * sum(made))


def test_a_window_of_days_looks_at_its_days_only(store):
    store.add_job(record(1, created=NOW - timedelta(days=7)))
    settle(store, record(1), 100)

    assert store.begin_submission(submission(1, 1000), [limit(1000, duration="7d")]) is None
    with pytest.raises(BudgetExceededError):
        store.begin_submission(submission(2, 1), [limit(1000, duration=None)])


def test_two_hundred_creates_at_once_never_overshoot_a_budget(store):
    """Each may cost a hundredth of the budget: a hundred fit."""
    start = threading.Barrier(50)

    def create(number):
        if number < 50:
            start.wait()
        while True:
            try:
                store.begin_submission(submission(number, 10), [limit(1000), limit(5000, "key:k1")])
            except BudgetExceededError:
                return False
            except StoreUnavailableError:
                continue  # contention: the caller is told to try again, and does
            return True

    with ThreadPoolExecutor(50) as pool:
        made = list(pool.map(create, range(200)))

    assert sum(made) == 100
    assert standing(store, MONTH) == BudgetBalance(0, 1000)


def test_what_was_weighed_goes_with_the_job(store):
    weighed = Weighed(objects=3, bytes=10**12, generation=1_763_827_200_123_456)
    bounds = Bounds(1, 2, 1000, weighed)
    made = submission(estimate=bounds)
    store.begin_submission(made, [limit(5000)])

    job = record()
    store.add_job(made.record(job), made)

    assert store.get_job(job.key).estimate == bounds
    settle(store, job, 1)
    assert not store.get_job(job.key).overran
    settle(store, job, 7, generation=2)
    assert store.get_job(job.key).overran
