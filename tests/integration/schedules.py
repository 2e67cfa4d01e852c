"""Random schedules: jobs move, objects change, events come, settlements and sweeps crash, in any order.

What a seed decides is the plan. Where things run at once, what comes first is up to the machine.
"""

import time
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from os import kill
from signal import SIGCONT, SIGKILL

from integration.crashing import attempt
from integration.world import BUCKET, LOCATION, World
from patience import PATIENCE

_STEPS = {"settle": 40, "sweep": 80}
"""About as many steps as most settlements and sweeps have."""
FOR_EVER = 10**9


class Schedule(World):
    """A world in which everything happens."""

    was_killed = False
    steps = ()

    def task(self, name=None, *, written=None, seconds=None, blocks=None):
        """A settlement of an object, or else a sweep, for here or for a child.

        Time is counted in looks at the clock, so that how long either may take is in the plan.
        """
        task = {
            "project": self.project,
            "location": LOCATION,
            "vertex": self.stage.vertex.host,
            "piece": self.random.randint(200, 500),
            "now": self.now.isoformat(),
        }
        if name is None:
            return task | {
                "seconds": seconds or self.random.choice((FOR_EVER, FOR_EVER, 30, 8)),
                "listed": True,
            }
        return task | {
            "bucket": BUCKET,
            "name": name,
            "written": (written or datetime.now(UTC)).isoformat(),
            "blocks": blocks or self.random.choice((1, 2, 4, FOR_EVER)),
        }

    def _of(self, event):
        return self.task(event.name, written=event.written)

    def _step(self, task):
        """A step to be killed or held up at."""
        return ["any", self.random.randrange(_STEPS["settle" if "name" in task else "sweep"])]

    def here(self, task):
        """Does a task in this process, to its end."""
        steps = []
        result = attempt(task, self.stage.prices, self.client, steps.append)
        return self._came(task, steps, [result])

    def in_child(self, task, meanwhile=None, *, go_on=None):
        """Does a task in a child. If that is to be held up on its way, something else is done meanwhile.

        Then it goes on, or is killed if the plan says so.
        """
        self._running += 1
        running = self.stage.crashing.start(task)
        if meanwhile:
            pid = running.paused.result(PATIENCE)
            meanwhile()
            number = SIGCONT if go_on or self.random.random() < 0.7 else SIGKILL
            # Again and again, since the child says that it stops before it does.
            while pid and not running.result.done():
                with suppress(ProcessLookupError):
                    kill(pid, number)
                wait([running.result], 0.02)
        said = running.result.result(PATIENCE)
        self._running -= 1
        return self._came(task, said.steps, said.results, killed=said.killed)

    def _came(self, task, steps, results, *, killed=False):
        """Takes note of how a task went; whether it was acknowledged."""
        kind = "settle" if "name" in task else "sweep"
        self.steps, self.was_killed = steps, killed
        self.stage.seen.update((kind, step) for step in steps)
        if killed and "kill" in task:
            self.stage.killed.add((kind, steps[-1]))
        self.stage.counts[f"{kind} killed" if killed else kind] += 1
        for result in results:
            if "failed" in result:
                raise AssertionError(result["failed"])
            if "again" in result:
                self.stage.counts[result["again"].partition(":")[0]] += 1
        self.log.append(f"{kind} {task.get('name', '')} {task.get('kill', '')} {killed=} {results}")
        return bool(results) and all("again" not in result for result in results)

    def deliver(self):
        """Delivers some pending event in some way; if it is not acknowledged, it may come again."""
        if not self.events:
            return
        event = self.events.pop(self.random.randrange(len(self.events)))
        if not self._deliver(event) and (event.must or self.random.random() < 0.6):
            self.events.append(event)

    def _deliver(self, event):
        task = self._of(event)
        way = self.random.choices(("here", "killed", "held up", "at once"), (3, 4, 2, 2))[0]
        if way == "killed":
            return self.in_child(task | {"kill": self._step(task), "times": self.random.choice((1, 1, 2))})
        if way == "held up":
            return self.in_child(task | {"pause": self._step(task)}, meanwhile=self.something_else)
        if way == "at once":
            return self._at_once(task, self._of(event), self._of(self.random.choice([event, *self.events])))
        return self.here(task)

    def _at_once(self, *tasks):
        with ThreadPoolExecutor(len(tasks)) as pool:
            return all(pool.map(self.here, tasks))

    def something_else(self):
        what = self.random.choice(
            (self.overwrite, self.export_late, self.delete, self.sweep_here, self.deliver_here)
        )
        what()

    def deliver_here(self):
        if self.events:
            event = self.random.choice(self.events)
            self.here(self._of(event))

    def sweep_here(self, seconds=None):
        self.here(self.task(seconds=seconds))

    def sweep(self):
        """Sweeps in some way."""
        way = self.random.choices(("here", "killed", "held up", "at once"), (2, 5, 2, 2))[0]
        task = self.task()
        if way == "killed":
            self.in_child(task | {"kill": self._step(task)})
        elif way == "held up":
            self.in_child(task | {"pause": self._step(task)}, meanwhile=self.something_else)
        elif way == "at once":
            self._at_once(task, self.task())
        else:
            self.here(task)

    # --- All of it

    def play(self):
        """Plays the schedule to its end, and sweeps until nothing is left."""
        for _ in range(self.random.choice((1, 2, 2, 3))):
            self.create()
        if not self.random.randrange(6):
            self.fail_to_create()
        if not self.random.randrange(6):
            self.stray()
        for _ in range(self.random.randint(6, 12)):
            ways = {self.advance_some: 5, self.deliver: 6, self.overwrite: 2, self.delete: 1, self.sweep: 2}
            ways |= {self.export_late: 1, self.later: 1}
            self.random.choices([*ways], [*ways.values()])[0]()
        for job in self.jobs:
            if not self.has_ended(job):
                self.finish(job)
        self.export_late()
        self.deliver_all()
        self.shift += timedelta(hours=26)
        self.sweep()
        self.deliver_all()
        self.sweep_until_nothing_is_left()

    def end(self):
        """Delivers what there is, and sweeps until nothing is left."""
        for event in self.events:
            assert self.here(self.task(event.name, written=event.written, blocks=FOR_EVER))
        self.shift += timedelta(hours=26)
        self.sweep_until_nothing_is_left()

    def deliver_all(self):
        while self.events:
            self.deliver()
            self.shift += timedelta(minutes=4)

    def advance_some(self):
        running = [job for job in self.jobs if not self.has_ended(job)]
        if running:
            self.advance(self.random.choice(running))

    def later(self):
        self.shift += self.random.choice((timedelta(minutes=6), timedelta(minutes=15), timedelta(hours=2)))

    def sweep_until_nothing_is_left(self):
        sweeps, ends = 20, time.monotonic() + PATIENCE
        while sweeps and time.monotonic() < ends:
            result = attempt(self.task(seconds=FOR_EVER), self.stage.prices, self.client, lambda _: None)
            self.log.append(f"last sweep {result}")
            if "again" in result:
                # Firestore's emulator may be away, for as long as it takes to start.
                self.stage.counts[result["again"].partition(":")[0]] += 1
                continue
            sweeps -= 1
            done = result.get("outcome")
            if done and done["complete"] and not (done["jobs"] or done["settled"] or done["problems"]):
                return
        raise AssertionError(f"the sweep finds no end: {result}")
