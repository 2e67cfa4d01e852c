/** The jobs that a filter lets through: fetched page by page as they are wanted, kept up to date. */

import { get } from './api.js';
import { DAY, UNDER_WAY } from './format.js';
import { seconds } from './periods.js';

const PAGE = 250;
export const MOST = 10_000;
const NEWEST = 50;
/** Jobs that are looked up one by one, because they have left the list of those under way. */
const SINGLE = 5;

/** @typedef {import('./api.js').Job} Job */
/** @typedef {import('./api.js').Query} Query */

export class JobList {
  /** @type {Query} */
  #filter;
  #leaving = new AbortController();
  /** @type {Map<string, Job>} */
  #jobs = new Map();
  /** @type {string | null} */
  #page = null;
  #begun = false;
  /** @type {Promise<void>} */
  #loading = Promise.resolve();
  /** @type {Job[] | null} */
  #sorted = null;

  /** @param {Query} filter */
  constructor(filter) {
    this.#filter = filter;
  }

  /** The newest first; the same array until something changes. */
  get jobs() {
    this.#sorted ??= [...this.#jobs.values()].sort((one, other) =>
      one.createTime < other.createTime ? 1 : -1,
    );
    return this.#sorted;
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

  /** Ends what is under way. */
  close() {
    this.#leaving.abort();
  }

  get signal() {
    return this.#leaving.signal;
  }

  /**
   * Fetches until there are that many, or no more. Calls wait for each other.
   * @param {number} many
   * @param {() => void} changed
   */
  ensure(many, changed) {
    this.#loading = this.#loading
      .catch(() => {})
      .then(async () => {
        while (!this.complete && this.size < Math.min(many, MOST)) {
          const answer = await this.#get(this.#filter, PAGE, this.#page);
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
    const { data: newest } = await this.#get(this.#filter, NEWEST);
    this.#put(newest);
    const fresh = new Set(newest.map((job) => job.name));
    const old = [...this.#jobs.values()].filter(
      (job) => UNDER_WAY.includes(job.state) && !fresh.has(job.name),
    );
    if (!old.length) return;
    const rest = this.#filter.filter(([name]) => !['state', 'start_time'].includes(name));
    const states = UNDER_WAY.map((state) => /** @type {[string, string]} */ (['state', state]));
    const since = seconds(Date.now() - 5 * DAY);
    const { data } = await this.#get([...rest, ...states, ['start_time', since]], 500);
    this.#put(data.filter((job) => this.#jobs.has(job.name)));
    const running = new Set(data.map((job) => job.name));
    for (const job of old.filter((each) => !running.has(each.name)).slice(0, SINGLE)) {
      const one = await this.#get([['search', job.id]], 1);
      this.#put(one.data.filter((each) => each.name === job.name));
    }
  }

  get anyUnderWay() {
    return this.jobs.some((job) => UNDER_WAY.includes(job.state));
  }

  /**
   * @param {Query} query
   * @param {number} limit
   * @param {string | null} page
   * @returns {Promise<{data: Job[], next_page: string | null}>}
   */
  #get(query, limit, page = null) {
    /** @type {Query} */
    const further = page ? [['page', page]] : [];
    return get('/v1/jobs', [...query, ['limit', limit], ...further], this.signal);
  }

  /** @param {Job[]} jobs */
  #put(jobs) {
    for (const job of jobs) this.#jobs.set(job.name, job);
    if (jobs.length) this.#sorted = null;
  }
}
