"""Plausible books for the dashboard: a month of jobs of four teams, some of them under way."""

import json
import pickle
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import msgspec

from batch_gateway.core.accounting.budgets import owners_of, reservation_deltas
from batch_gateway.core.accounting.settlement import Output
from batch_gateway.core.jobs.cost_bounds import Bounds
from batch_gateway.core.jobs.record import Completion, JobKey, JobRecord, Observation
from batch_gateway.core.pricing import prices
from batch_gateway.core.pricing.cost import cost_of
from batch_gateway.core.spend.reconcile import Billed
from batch_gateway.core.spend.skus import kind_of
from batch_gateway.core.usage import Quantity, Rows, Tokens, Usage, Waste
from batch_gateway.settlement.missing_prices import note_missing_prices
from builders import settle
from functional.gateway.conftest import NUMBER, PROJECT, job_body
from functional.gateway.scoped import admin, new_team
from vertex_emulator.jobs import Job, JobModel
from vertex_emulator.layout import Layout

LOCATION = "us-central1"
TABLE = prices.load()
FLASH, PRO, LITE = "gemini-2.5-flash", "gemini-2.5-pro", "gemini-2.5-flash-lite"
DISCOUNT = Decimal("0.07")
"""Google's discount on PRO's SKUs in the bill."""
TEAMS = {"search": "Search", "ads": "Ads quality", "support": "Support", "research": "Research"}
PIPELINES = {
    "search": ("query-intents", FLASH, 9000),
    "ads": ("ad-policy-review", FLASH, 14000),
    "support": ("ticket-triage", LITE, 22000),
    "research": ("paper-summaries", PRO, 1200),
}
ENDED = {"SUCCEEDED": 0.88, "FAILED": 0.04, "CANCELLED": 0.04, "PARTIALLY_SUCCEEDED": 0.03, "EXPIRED": 0.01}


def _lost_rows():
    """Output with the kinds of rows that `usage_of` counts as lost; the other rows are in the books only."""
    refusal = {
        "error": {"code": 400, "message": "Unsupported MIME type: image/tiff.", "status": "INVALID_ARGUMENT"}
    }
    busy = {
        "error": {
            "code": 429,
            "message": "Resource exhausted. Try again later.",
            "status": "RESOURCE_EXHAUSTED",
        }
    }
    stopped = {"finishReason": "SAFETY", "finishMessage": "The answer may be harmful."}
    counts = {"promptTokenCount": 640, "totalTokenCount": 640}
    told = [
        {"status": f"Bad Request: {json.dumps(refusal)}", "response": {}},
        {"status": f"Too Many Requests: {json.dumps(busy)}", "response": {}},
        {"status": "", "response": {"candidates": [stopped], "usageMetadata": counts}},
    ]
    asked = {
        "contents": [{"role": "user", "parts": [{"text": "Sort this ticket into one of the categories."}]}]
    }
    rows = [
        {"key": f"ticket-{at * 37:05d}", "request": asked, **told[min(at % 7 // 3, 2)]} for at in range(24)
    ]
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


_LOST = _lost_rows()


def usage_of(rows, model, *, failed=0, share=1.0, audio=False):
    """Usage as rows of such a model leave it; ``share`` of the rows were done."""
    done = int((rows - failed) * share)
    long = done // 20 if model == PRO else 0
    blocked, cut = done // 150, done // 60
    text, cached, answers, thoughts = 640, 120, 210, 90

    def of(item, each, number, window="0-200k"):
        return Quantity(model, window, item, each * number, number)

    quantities = [
        of("input_text", text, done - long),
        of("cached_input_text", cached, done - long),
        of("output_text", answers, done - long),
        of("output_thoughts", thoughts, done - long),
    ]
    if audio:
        quantities.append(of("input_audio", 1920, done // 3))
        quantities.append(of("input_image", 258, done // 2))
    if long:
        quantities += [of("input_text", 230_000, long, "200k-1M"), of("output_text", 800, long, "200k-1M")]
    waste = [
        Waste("failed", "INVALID_ARGUMENT", failed - failed // 4),
        Waste("failed", "RESOURCE_EXHAUSTED", failed // 4),
        Waste("blocked", "SAFETY", blocked, 0, (of("input_text", text, blocked),)),
        Waste("truncated", "MAX_TOKENS", cut, 0, (of("input_text", text, cut), of("output_text", 500, cut))),
    ]
    tokens_in = sum(q.quantity for q in quantities if "input" in q.item)
    return Usage(
        Rows(succeeded=done, failed=failed),
        Tokens(
            input=tokens_in,
            cached_input=cached * done,
            output=(answers + thoughts) * done,
            thoughts=thoughts * done,
        ),
        tuple(sorted((q for q in quantities if q.quantity), key=lambda q: q.key)),
        (),
        tuple(w for w in waste if w.rows),
    )


class Seeder:
    """Puts jobs into a world's books and into its Vertex AI, as if they had come through both."""

    def __init__(self, world, vertex, now=None, seed=11):
        self.world = world
        self.vertex = vertex
        self.now = now or datetime.now(UTC)
        self.random = random.Random(seed)  # noqa: S311 - made-up figures
        self.keys = {}
        self._number = 1_000_000_000_000_000_000

    def _parts(self):
        """Return the members that it changes, as dicts."""
        return [
            *map(vars, (self.world.store, self.world.keys, self.world.objects, self.world.billing, self)),
            self.vertex._store._jobs,
        ]

    def pickled(self):
        """All that was put there, to be put into another world by ``restore`` in a tenth of the time."""
        kept = [
            {
                name: value
                for name, value in part.items()
                if name not in {"world", "vertex"} and "lock" not in name
            }
            for part in self._parts()
        ]
        return pickle.dumps(kept)

    def restore(self, pickled):
        for part, kept in zip(self._parts(), pickle.loads(pickled), strict=True):  # noqa: S301 - by ourselves
            part.update(kept)

    def owners(self):
        """Teams and keys with budgets."""
        budgets = {"search": (900, 700), "ads": (1200, None), "support": (150, 120), "research": (2500, 2000)}
        for team, name in TEAMS.items():
            most, soft = budgets[team]
            new_team(
                self.world, team, team_alias=name, max_budget=most, soft_budget=soft, budget_duration="1mo"
            )
        for team, (alias, _, _) in PIPELINES.items():
            made = admin(self.world, "/key/generate", key_alias=alias, team_id=team)
            self.keys[alias] = made
        made = admin(
            self.world,
            "/key/generate",
            key_alias="adhoc-notebooks",
            max_budget=40,
            budget_duration="7d",
            models=["gemini-2.5-flash*"],
        )
        self.keys["adhoc-notebooks"] = made
        admin(self.world, "/key/generate", key_alias="old-import", blocked=True)

    def month(self, days=42):
        """Jobs of every day, smaller at weekends, larger and larger.

        A list loads 250 at once: that is more than those of thirty days, and less than all.
        """
        for back in range(days, -1, -1):
            day = (self.now - timedelta(days=back)).replace(hour=0, minute=0, second=0, microsecond=0)
            quiet = 0.35 if day.weekday() > 4 else 1.0
            # By the day, so that what is left out of the last one changes no other.
            self.random.seed(back)
            for team, (pipeline, model, rows) in PIPELINES.items():
                for _ in range(self.random.choice((1, 2, 2, 2))):
                    created = day + timedelta(minutes=self.random.randrange(1440))
                    if created > self.now - timedelta(hours=3):
                        continue
                    scale = quiet * self.random.uniform(0.5, 1.6) * (1 + (days - back) / days)
                    self.ended(created, (team, pipeline, model), int(rows * scale))

    def ended(self, created, kind, rows):
        """A job that came to one of its possible ends; see `add`."""
        state = self.random.choices(list(ENDED), list(ENDED.values()))[0]
        share = 1.0 if state in {"SUCCEEDED", "PARTIALLY_SUCCEEDED"} else self.random.uniform(0, 0.7)
        failed = rows // self.random.choice((40, 90, 400))
        start = created + timedelta(minutes=self.random.randrange(2, 40))
        end = start + timedelta(minutes=self.random.randrange(12, 400))
        error = {"code": 8, "message": "The job ran out of quota: RESOURCE_EXHAUSTED."}
        seen = {"start_time": start, "end_time": end, "error": error if state == "FAILED" else None}
        content = usage_of(rows, kind[2], failed=failed, share=share, audio=kind[1] == "ad-policy-review")
        return self.add(created, kind, f"JOB_STATE_{state}", content, rows=rows, **seen)

    def running(self):
        """Jobs under way, at every stage."""
        self.random.seed("running")
        minutes = [(9, 0.08), (34, 0.41), (75, 0.77), (128, 0.93)]
        for (team, (pipeline, model, rows)), (age, share) in zip(PIPELINES.items(), minutes, strict=True):
            created = self.now - timedelta(minutes=age)
            content = usage_of(rows, model, share=share)
            start = created + timedelta(minutes=3)
            self.add(
                created, (team, pipeline, model), "JOB_STATE_RUNNING", content, rows=rows, start_time=start
            )
        for pipeline in ("query-intents", "adhoc-notebooks"):
            created = self.now - timedelta(minutes=2)
            team = "search" if pipeline == "query-intents" else None
            self.add(created, (team, pipeline, FLASH), "JOB_STATE_PENDING", None, rows=6000)

    def add(self, created, kind, state, content, *, rows=0, labels=None, **seen):
        """One job of a (team, pipeline, model), in the books and in Vertex AI; `labels` are further ones."""
        team, pipeline, model = kind
        self._number += 7_919_000_001
        key = JobKey(PROJECT, LOCATION, str(self._number))
        owner = self.keys.get(pipeline)
        info = self.world.keys.get_key(owner["token"]) if owner else None
        labels = (labels or {}) | {
            "environment": self.random.choice(("production", "production", "staging")),
            "pipeline": pipeline,
        }
        labels |= {"team": team} if team else {"api_key": info.key_id} if info else {}
        ended = "RUNNING" not in state and "PENDING" not in state
        done = content.rows.total if content else 0
        name = f"projects/{NUMBER}/locations/{LOCATION}/batchPredictionJobs/{key.job_id}"
        directory = f"gs://batch-out/{pipeline}/prediction-model-{created:%Y-%m-%dT%H:%M:%S}.000000Z"
        job = JobRecord(
            key,
            Observation(
                name=name,
                state=state,
                model=f"publishers/google/models/{model}",
                display_name=f"{pipeline}-{created:%m%d-%H%M}",
                labels=labels,
                output_prefix=f"gs://batch-out/{pipeline}",
                output_directory=directory,
                create_time=created,
                update_time=seen.get("end_time") or self.now,
                completion=Completion(done, 0, rows - done) if content and not ended else None,
                **seen,
            ),
            created,
            api_key=pipeline if owner else "master",
            team=team,
            key_id=info.key_id if info else None,
            estimate=self._estimate(rows, model, created),
        )
        if not ended:
            owners, high = owners_of(job.key_id, team), job.estimate.high_nano
            job = msgspec.structs.replace(job, reserved_nano=high, reserved_at=created)
            self.world.store._add_to_ledgers(reservation_deltas(owners, created, high))
        self.world.store.add_job(job)
        if content:
            uri = f"{directory}/predictions.jsonl"
            self.world.objects.put("batch-out", uri.removeprefix("gs://batch-out/"), _LOST)
            output = Output(uri, 1, done * 3100 + 17, content, seen.get("end_time") or self.now)
            settle(self.world.store, key, output, TABLE)
        if ended:
            self.world.store.amend_job(key, lambda job: msgspec.structs.replace(job, closed=True))
        job = self.world.store.get_job(key)
        self._show_in_vertex(job, rows, done)
        return job

    def _estimate(self, rows, model, created):
        expected = cost_of(usage_of(rows, model), TABLE, location=LOCATION, at=created).amount_nano
        return Bounds(expected * 7 // 10, expected * 21 // 20, expected * 5 // 2)

    def _show_in_vertex(self, job, rows, done):
        seen = job.seen
        output = {"gcsDestination": {"outputUriPrefix": seen.output_prefix}, "predictionsFormat": "jsonl"}
        body = job_body(
            displayName=seen.display_name, model=seen.model, labels=seen.labels, outputConfig=output
        )
        parent = seen.name.partition("/batchPredictionJobs/")[0]
        made = Job(job.key.job_id, parent, body, JobModel(seen.model, "default"), Layout(), seen.create_time)
        made.state, made.start_time, made.end_time = seen.state, seen.start_time, seen.end_time
        made.update_time, made.error = seen.update_time, seen.error
        # Rows that are counted and never read, so that millions of them take no time.
        made.lines, made.fails = range(rows), bytes(rows)
        made.done = done
        if job.usage.rows.total:
            made.output_info = {"gcsOutputDirectory": seen.output_directory}
        self.vertex._store._jobs[made.name] = made

    def without_price(self, model="gemini-9-flash"):
        """A job of a model that nobody has set a price for, and its announcement."""
        start, end = (self.now - timedelta(minutes=minutes) for minutes in (50, 20))
        kind, content = ("ads", "ad-policy-review", model), usage_of(900, model)
        job = self.add(start, kind, "JOB_STATE_SUCCEEDED", content, rows=900, start_time=start, end_time=end)
        note_missing_prices(job, self.world.settlement, self.now)
        # Creates learn it from Vertex AI's answers.
        self.world.store.remember_project(NUMBER, PROJECT)
        return job

    def bill(self):
        """Google's bill of what is in the books, with a discount on one model."""
        names = {FLASH: "Gemini 2.5 Flash", PRO: "Gemini 2.5 Pro", LITE: "Gemini 2.5 Flash Lite"}
        for total in self.world.store.list_totals("2000-01-01", "2100-01-01", {}):
            for item, used in total.items.items():
                kind = kind_of(item)
                words = "Cached Text Input" if "cached" in kind else f"Text {kind.capitalize()}"
                cost = Decimal(used.amount_nano).scaleb(-9)
                discount = -cost * DISCOUNT if total.model == PRO else Decimal(0)
                row = Billed(
                    day=total.day,
                    project=total.project,
                    sku=f"SKU-{total.model}-{kind}",
                    description=f"{names[total.model]} {words} - Batch Predictions",
                    currency="USD",
                    rate=Decimal(1),
                    cost=cost + discount,
                    at_list=cost,
                    discounts=discount,
                    promotions=Decimal(0),
                )
                self.world.billing.rows.append(row)
        self.world.billing.exported = self.now

    def many(self, number, minutes=4):
        """Jobs that ended, each so many minutes older than the one before, only in the books."""
        owners = list(PIPELINES.items())
        used = {model: usage_of(2000, model) for model in (FLASH, PRO, LITE)}
        spent = {model: cost_of(used[model], TABLE, location=LOCATION, at=self.now) for model in used}
        for at in range(number):
            team, (pipeline, model, _) = owners[at % 4]
            created = self.now - timedelta(minutes=minutes * at + 5)
            key = JobKey(PROJECT, LOCATION, str(2_000_000_000_000_000_000 + at))
            seen = Observation(
                name=f"projects/{NUMBER}/locations/{LOCATION}/batchPredictionJobs/{key.job_id}",
                state="JOB_STATE_FAILED" if at % 37 == 0 else "JOB_STATE_SUCCEEDED",
                model=f"publishers/google/models/{model}",
                display_name=f"{pipeline}-{at:05d}",
                labels={"team": team, "batch": str(at % 9)},
                create_time=created,
            )
            self.world.store._jobs[key] = JobRecord(
                key,
                seen,
                created,
                pipeline,
                team,
                usage=used[model],
                cost=spent[model],
                closed=True,
            )


def input_rows(number):
    """An input that can be estimated."""
    text = (
        "Sort this ticket into one of the categories billing, delivery, returns or other, and say why. " * 4
    )
    row = {
        "request": {
            "contents": [{"role": "user", "parts": [{"text": text}]}],
            "generationConfig": {"maxOutputTokens": 400},
        }
    }
    return f"{json.dumps(row)}\n".encode() * number
