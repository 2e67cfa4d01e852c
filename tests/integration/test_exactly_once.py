"""Every output is settled exactly once, whatever happens to events, objects, processes and the emulator.

The parts are real: Google's Firestore emulator and gcp-storage-emulator behind the adapters that are
deployed, our Vertex emulator over HTTP, processes that end by SIGKILL. A push plays the same schedules each
time, a thorough run (TESTS_THOROUGH=1) many new ones. One that failed is played again by
`EXACTLY_ONCE_SEED=n EXACTLY_ONCE_SCHEDULES=1`, with the n that the failure names.
"""

# ruff: noqa: T201 - how much was played is worth knowing

import os
import secrets
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest

from batch_gateway.adapters.firestore.documents import CALL
from batch_gateway.core.jobs.output_names import is_final_output
from batch_gateway.core.pricing import prices
from firestore_emulator import FirestoreEmulator
from integration import bookkeeping
from integration.cable import Cable, restart
from integration.crashing import Crashing
from integration.schedules import FOR_EVER, Schedule
from integration.world import Objects, Stage
from patient_firestore import AS_DEPLOYED, PATIENT
from processes import free_ports
from storage_emulator import StorageEmulator
from thorough import THOROUGH, times
from vertex_emulator import VertexEmulator

_SEED = secrets.randbelow(10**6) * 1000 if THOROUGH else 847549030
SEED = int(os.environ.get("EXACTLY_ONCE_SEED") or _SEED)
SCHEDULES = int(os.environ.get("EXACTLY_ONCE_SCHEDULES") or times(8))
RESTARTS = times(1)
SCHEDULES_A_RESTART = 4
AT_ONCE = 4


@contextmanager
def staged(logs, *, with_cable=False):
    """The emulators and the zygote; with a cable to the Firestore emulator that can be cut."""
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    # An emulator of our own, since it is restarted.
    env.pop("FIRESTORE_EMULATOR_HOST", None)
    with ExitStack() as stack:
        firestore_port, storage_port = free_ports(2)
        firestore = FirestoreEmulator(firestore_port, logs / "firestore.log", env)
        storage = StorageEmulator(storage_port, logs / "storage.log", env)
        for process in (firestore.process, storage.process):
            process.start()
            stack.callback(process.stop)
        for process in (firestore.process, storage.process):
            process.wait_ready()
        cable = stack.enter_context(Cable(firestore_port)) if with_cable else None
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("FIRESTORE_EMULATOR_HOST", cable.host if cable else firestore.host)
        patch.setenv("STORAGE_EMULATOR_HOST", storage.url)
        objects = Objects(storage.url)
        objects.create_bucket()
        vertex = stack.enter_context(VertexEmulator(storage_endpoint=storage.url, auto=False))
        # Another stage may be patient at the same time.
        for name, value in (AS_DEPLOYED if with_cable else PATIENT).items():
            patch.setitem(CALL, name, value)
        crashing = stack.enter_context(Crashing(patient=not with_cable))
        yield Stage(objects, vertex, crashing, prices.load(), firestore, cable)


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    with staged(tmp_path_factory.mktemp("exactly-once")) as stage:
        yield stage


@contextmanager
def played(stage, seed, plan=None):
    """A schedule to be played; what goes wrong is told with its history."""
    schedule = Schedule(stage, seed, plan)
    try:
        yield schedule
    except Exception as error:
        history = "\n".join(schedule.log)
        raise AssertionError(f"schedule EXACTLY_ONCE_SEED={seed}: {error!r}\n{history}") from error
    finally:
        schedule.clear()


def all_at_once(calls):
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [each.result() for each in [pool.submit(*call) for call in calls]]


# --- A crash at every step


def first_read(schedule):
    """The first event of a job whose directory nobody has seen; what is read in time is kept."""
    schedule.finish(schedule.create("recorded", shards="1"), "SUCCEEDED")
    return schedule.task(name_of(schedule), blocks=1)


def rest_of_it(schedule):
    task = first_read(schedule)
    schedule.here(task)
    return task | {"blocks": FOR_EVER}


def only_file(schedule):
    schedule.finish(schedule.create("recorded", shards="1"), "SUCCEEDED")
    return schedule.task(name_of(schedule), blocks=FOR_EVER)


def delivered_twice(schedule):
    """The books have the output; whatever else the first delivery left undone is done by the second."""
    task = only_file(schedule)
    schedule.here(task)
    return task


def final_after_incremental(schedule):
    """The job seemed to have ended without a final file, and its incremental ones were counted."""
    ended_early(schedule)
    schedule.sweep_here(FOR_EVER)
    schedule.overwrite()
    return schedule.task(name_of(schedule), blocks=FOR_EVER)


def deleted_unread(schedule):
    schedule.finish(schedule.create("recorded", shards="1", incremental="none"), "SUCCEEDED")
    task = schedule.task(name_of(schedule), blocks=FOR_EVER)
    schedule.delete()
    return task


def nobodys(schedule):
    schedule.stray()
    schedule.shift += timedelta(minutes=20)
    return schedule.task(schedule.events[0].name, blocks=FOR_EVER)


def sweep_of_everything(schedule):
    """Jobs of every kind, a create that came to nothing, outputs parked that are nobody's, or were."""
    schedule.finish(schedule.create("recorded", shards="1"), "SUCCEEDED")
    outside = schedule.create("outside", shards="1")
    schedule.finish(outside, "SUCCEEDED")
    schedule.shift += timedelta(minutes=11)
    schedule.stray()
    for name in (name_of(schedule, outside), schedule.events[-1].name):
        schedule.here(schedule.task(name, blocks=FOR_EVER))
    schedule.finish(schedule.create("record lost", incremental="file", ended="incremental"), "FAILED")
    schedule.fail_to_create()
    schedule.shift += timedelta(hours=3)
    return schedule.task(seconds=FOR_EVER)


def hasty_sweep(schedule):
    schedule.finish(schedule.create("recorded", shards="1"), "SUCCEEDED")
    return schedule.task(seconds=8)


def not_listed(schedule):
    """The job's place is not served any more: it is asked for by its name."""
    schedule.finish(schedule.create("recorded", shards="1"), "SUCCEEDED")
    return schedule.task(seconds=FOR_EVER) | {"listed": False}


def overwritten_once_closed(schedule):
    """The sweep opens the job again, and closes it once more."""
    schedule.finish(schedule.create("recorded", shards="1"), "SUCCEEDED")
    schedule.sweep_here(FOR_EVER)
    schedule.overwrite()
    schedule.events.clear()
    return schedule.task(seconds=FOR_EVER)


def late_after_a_cancel(schedule):
    schedule.finish(schedule.create("recorded", incremental="none", ended="incremental"), "CANCELLED")
    schedule.sweep_here(FOR_EVER)
    schedule.export_late()
    return schedule.task(seconds=FOR_EVER)


def name_of(schedule, job=None):
    job = job or schedule.jobs[-1]
    return next(name for name in schedule.of(job) if is_final_output(name))


TWICE = "store.settle"
"""The call at whose second time, too, a task is killed."""
_READS = "budget_ changed_ ended_ find_ get jobs_ list open_ parked read stat sweep_notes watched_"
READS = tuple(_READS.split())
"""How calls begin that change nothing."""
CRASHES = (
    *(first_read, rest_of_it, only_file, delivered_twice, final_after_incremental, deleted_unread, nobodys),
    *(hasty_sweep, not_listed, overwritten_once_closed, late_after_a_cancel, sweep_of_everything),
)


def crash(stage, prepare, number, step):
    """Kills a task at a step, or lets it pass; then all is made good, and the books are held against it.

    Returns:
        The steps that were passed.
    """
    with played(stage, f"{SEED}-{prepare.__name__}-{number}", prepare.__name__) as schedule:
        task = prepare(schedule)
        schedule.in_child(task | ({"kill": step} if step else {}))
        steps = schedule.steps
        assert not step or schedule.was_killed, f"not killed at {step}"
        schedule.here(task | {"blocks": FOR_EVER})
        schedule.end()
        bookkeeping.check(schedule)
        return steps


def is_tried(step):
    """Return True if a task is killed at a step: on a push where it may leave what no other crash does.

    That is right after a change. Until the next one is written, which is written at once or not at all, a
    crash leaves the same.
    """
    when, call = step.split()
    return THOROUGH or (when == "after" and not call.rpartition(".")[2].startswith(READS))


@pytest.mark.parametrize("prepare", CRASHES, ids=lambda each: each.__name__)
def test_a_crash_at_any_step_and_another_try_give_the_same_books(stage, prepare):
    steps = Counter(step for step in crash(stage, prepare, 0, None) if is_tried(step))
    crashes = [(step, 0) for step in steps]
    crashes += [(step, 1) for step, passed in steps.items() if passed > 1 and step.endswith(TWICE)]
    all_at_once((crash, stage, prepare, *each) for each in enumerate(crashes, 1))


# --- Incremental outputs, which repeat the rows of final ones


def ended_early(schedule):
    """A job that was cancelled and left incremental files."""
    job = schedule.create("recorded", incremental="folder", ended="incremental")
    for _ in range(3):
        schedule.stage.vertex.step(job.name, rows=1)
    schedule.finish(job, "CANCELLED")
    return job


@pytest.mark.parametrize("when", ["before", "inside"])
def test_a_final_output_that_is_settled_while_an_incremental_one_is(stage, when):
    with played(stage, f"{SEED}-meanwhile-{when}") as schedule:
        ended_early(schedule)
        sweep = schedule.task(seconds=FOR_EVER) | {"pause": (f"{when} store.settle", 0)}

        def meanwhile():
            schedule.overwrite()
            assert schedule.here(schedule.task(name_of(schedule), blocks=FOR_EVER))

        schedule.in_child(sweep, meanwhile, go_on=True)
        schedule.end()
        bookkeeping.check(schedule)


def test_a_final_output_that_was_settled_and_deleted_keeps_incremental_ones_out(stage):
    with played(stage, f"{SEED}-deleted") as schedule:
        job = schedule.create("recorded", incremental="file", shards="2")
        for _ in range(2):
            schedule.stage.vertex.step(job.name, rows=1)
        schedule.finish(job, "SUCCEEDED")
        first, second = (name for name in schedule.of(job) if is_final_output(name))
        assert schedule.here(schedule.task(first, blocks=FOR_EVER))
        schedule.delete(first)
        schedule.delete(second)
        schedule.end()
        bookkeeping.check(schedule)


# --- Everything at random


def play(stage, seed):
    with played(stage, seed) as schedule:
        schedule.play()
        return bookkeeping.check(schedule)


def test_books_equal_the_bucket_whatever_happened(stage):
    sums = all_at_once((play, stage, seed) for seed in range(SEED, SEED + SCHEDULES))
    print(f"\nEXACTLY_ONCE_SEED={SEED}: {SCHEDULES} schedules; {dict(stage.counts)}")
    assert sum(sums) > 0


def test_no_step_was_left_out(stage):
    seen = {(kind, step) for kind, step in stage.seen if is_tried(step)}
    assert seen <= stage.killed, f"never killed at {sorted(seen - stage.killed)}"


def test_the_same_while_the_firestore_emulator_is_restarted(tmp_path):
    with staged(tmp_path, with_cable=True) as stage:
        for number in range(RESTARTS):
            first = SEED + SCHEDULES + number * SCHEDULES_A_RESTART
            with ThreadPoolExecutor(AT_ONCE) as pool:
                playing = [pool.submit(play, stage, first + each) for each in range(SCHEDULES_A_RESTART)]
                wait(playing, return_when=FIRST_COMPLETED)
                before = stage.counts["StoreUnavailableError"]

                def is_noticed(before=before, playing=playing):
                    return stage.counts["StoreUnavailableError"] > before or all(p.done() for p in playing)

                folder = tmp_path / f"export-{number}"
                restart(stage.firestore, stage.cable, set(stage.projects), folder, is_noticed)
            for each in playing:
                each.result()
        print(f"\nEXACTLY_ONCE_SEED={SEED}: {RESTARTS} restarts; {dict(stage.counts)}")
        assert stage.counts["StoreUnavailableError"]
