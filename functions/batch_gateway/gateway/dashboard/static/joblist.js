/** The jobs that a filter lets through: fetched page by page as they are wanted, kept up to date. */

import { get } from './api.js';
import { DAY, UNDER_WAY } from './format.js';
import { seconds } from './periods.js';

const PAGE = 250;
export const MOST = 10_000;
const NEWEST = 50;
/** Jobs that are looked up one by one, because they have left the list of those under way. */
const SINGLE = 5;

export class JobList {
  #filter;
  #signal;
  #jobs = new Map();
  #page = null;
  #begun = false;
  #loading = Promise.resolve();

  constructor(filter, signal) {
    this.#filter = filter;
    this.#signal = signal;
  }

  /** The newest first. */
  get jobs() {
    return [...this.#jobs.values()].sort((one, other) => (one.createTime < other.createTime ? 1 : -1));
  }

  get size() {
    return this.#jobs.size;
  }

  get complete() {
    return this.#begun && this.#page === null;
  }

  get full() {
    return this.complete || this.size >= MOST;
  }

  /** Fetches until there are that many, or no more. Calls wait for each other. */
  ensure(many, changed) {
    this.#loading = this.#loading
      .catch(() => {})
      .then(async () => {
        while (!this.complete && this.size < Math.min(many, MOST)) {
          const page = this.#page ? [['page', this.#page]] : [];
          const answer = await get('/v1/jobs', [...this.#filter, ['limit', PAGE], ...page], this.#signal);
          this.#begun = true;
          this.#page = answer.next_page;
          this.#put(answer.data);
          changed();
        }
      });
    return this.#loading;
  }

  /** Looks at what may have changed: what is new, and what was under way. */
  async refresh() {
    const { data: newest } = await get('/v1/jobs', [...this.#filter, ['limit', NEWEST]], this.#signal);
    let changed = this.#put(newest);
    const fresh = new Set(newest.map((job) => job.name));
    const old = [...this.#jobs.values()].filter(
      (job) => UNDER_WAY.includes(job.state) && !fresh.has(job.name),
    );
    if (!old.length) return changed;
    const rest = this.#filter.filter(([name]) => !['state', 'start_time'].includes(name));
    const states = UNDER_WAY.map((state) => ['state', state]);
    const since = ['start_time', seconds(Date.now() - 5 * DAY)];
    const { data } = await get('/v1/jobs', [...rest, ...states, since, ['limit', 500]], this.#signal);
    changed = this.#put(data.filter((job) => this.#jobs.has(job.name))) || changed;
    const running = new Set(data.map((job) => job.name));
    for (const job of old.filter((each) => !running.has(each.name)).slice(0, SINGLE)) {
      const one = await get(
        '/v1/jobs',
        [
          ['search', job.id],
          ['limit', 1],
        ],
        this.#signal,
      );
      changed = this.#put(one.data.filter((each) => each.name === job.name)) || changed;
    }
    return changed;
  }

  get anyUnderWay() {
    return [...this.#jobs.values()].some((job) => UNDER_WAY.includes(job.state));
  }

  #put(jobs) {
    let changed = false;
    for (const job of jobs) {
      if (JSON.stringify(this.#jobs.get(job.name)) === JSON.stringify(job)) continue;
      this.#jobs.set(job.name, job);
      changed = true;
    }
    return changed;
  }
}
