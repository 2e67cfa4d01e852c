/** Failures in a range of time, and their cost. */

import { linkTo } from './address.js';
import { jobsIn, jobsUpTo } from './api.js';
import { money } from './amounts.js';
import { button, h } from './dom.js';
import { age, badge, costSoFar, count, several, whole } from './format.js';
import { useState } from './hooks.module.js';
import { nano, sum } from './money.js';
import { empty, loadedCard } from './parts.js';
import { linked } from './running.js';

/** @typedef {import('./api.js').Job} Job */
/** @typedef {import('./api.js').Query} Query */

const MOST_OF_A_STATE = 500;
const MOST_JOBS = 2000;
const MOST_FAILURES = 5;
export const UNFINISHED = ['JOB_STATE_FAILED', 'JOB_STATE_EXPIRED', 'JOB_STATE_CANCELLED'];

/**
 * Reads the jobs that did not finish, and the latest that did in part.
 * @param {Query} query
 * @param {AbortSignal} signal
 */
export async function failuresOf(query, signal) {
  const [unfinished, partly] = await Promise.all([
    jobsIn(UNFINISHED, MOST_OF_A_STATE, query, signal),
    jobsIn(['JOB_STATE_PARTIALLY_SUCCEEDED'], MOST_FAILURES, query, signal),
  ]);
  return { unfinished: unfinished.items, partly: partly.items, more: unfinished.more };
}

/** @typedef {Awaited<ReturnType<typeof failuresOf>>} Failures */

/** @param {{from: import('./live.js').Polled<Failures>, range: import('./ranges.js').Range, team: string | null}} props */
export function FailuresCard({ from, range, team }) {
  return loadedCard({
    title: 'Latest failures',
    note: range.text,
    actions: h('a', { href: linkTo('jobs', { state: 'wrong', team, ...range.link }) }, 'All of them'),
    lines: 5,
    from,
    draw: ({ unfinished, partly }) => {
      const failed = [...unfinished.filter((job) => job.state !== 'JOB_STATE_CANCELLED'), ...partly]
        .sort((one, other) => (one.createTime < other.createTime ? 1 : -1))
        .slice(0, MOST_FAILURES);
      return failed.length
        ? h('ul', { class: 'running' }, failed.map(failedJob))
        : empty('Nothing went wrong', 'Jobs that fail, expire or succeed in part are listed here.');
    },
  });
}

/** @param {Job} job */
function failedJob(job) {
  const cost = money(costSoFar(job), { floor: !job.complete });
  return h(
    'li',
    { class: 'short', key: job.name },
    h('div', { class: 'what' }, linked(job), h('span', { class: 'muted reason' }, reason(job))),
    badge(job.state),
    h('div', { class: 'cost' }, cost, h('small', {}, age(job.createTime), ' ago')),
  );
}

/**
 * Returns why a job failed, in Vertex AI's words, or how many rows were lost and the most frequent reasons.
 * @param {Job} job
 */
export function reason(job) {
  if (job.error?.message) return job.error.message;
  const lost = job.wasteReasons
    .filter(({ kind }) => kind !== 'truncated')
    .sort((one, other) => other.rows - one.rows)
    .map(({ kind, reason: name, rows }) => `${whole(rows)} ${kind}: ${name}`);
  if (job.rows.malformed) lost.push(`${several(job.rows.malformed, 'line')} unreadable`);
  return lost.join(', ') || 'Vertex AI gave no reason';
}

/**
 * @param {{
 *   from: import('./live.js').Polled<Failures>, range: import('./ranges.js').Range, team: string | null, query: Query,
 * }} props
 */
export function WasteCard({ from, range, team, query }) {
  return loadedCard({
    title: 'Failed and wasted',
    note: range.text,
    lines: 4,
    from,
    draw: ({ unfinished, more }) => {
      const link = (/** @type {string} */ state) => linkTo('jobs', { state, team, ...range.link });
      const failed = unfinished.filter((job) => job.state !== 'JOB_STATE_CANCELLED').length;
      const lost = sum(unfinished.map((job) => nano(job.amount)));
      const floor = more || unfinished.some((job) => !job.complete);
      const number = (/** @type {number} */ jobs) => (more ? [count(jobs), ' or more'] : count(jobs));
      return [
        h(
          'dl',
          { class: 'pairs' },
          pair('Spent on jobs that did not finish', money(lost, { floor })),
          pair(h('a', { href: link('wrong') }, 'Jobs that failed or expired'), number(failed)),
          pair(
            h('a', { href: link('JOB_STATE_CANCELLED') }, 'Jobs that were cancelled'),
            number(unfinished.length - failed),
          ),
        ),
        h(Useless, { key: `${team}/${range.key}`, query }),
      ];
    },
  });
}

/**
 * @param {import('./dom.js').Children} name
 * @param {import('./dom.js').Children} value
 */
function pair(name, value) {
  return h('div', {}, h('dt', {}, name), h('dd', {}, value));
}

/**
 * Adds up what useless answers cost, when asked: that is read job by job.
 * @param {{query: Query}} props
 */
function Useless({ query }) {
  const [found, setFound] = useState(
    /** @type {{items: Job[], more: boolean} | Error | 'busy' | null} */ (null),
  );
  if (found === null || found === 'busy' || found instanceof Error) {
    const look = async () => {
      setFound('busy');
      try {
        setFound(await jobsUpTo(MOST_JOBS, query, new AbortController().signal));
      } catch (error) {
        setFound(/** @type {Error} */ (error));
      }
    };
    return [
      button('Add up blocked and cut-off answers', look, { disabled: found === 'busy' }),
      found instanceof Error && h('p', { class: 'problem', role: 'alert' }, found.message),
    ];
  }
  const wasted = sum(found.items.map((job) => nano(job.wasted)));
  const both = sum(found.items.flatMap((job) => (UNFINISHED.includes(job.state) ? [nano(job.wasted)] : [])));
  return [
    h(
      'dl',
      { class: 'pairs' },
      pair(
        'Spent on blocked or cut-off answers',
        money(wasted, { floor: found.more || found.items.some((job) => !job.complete) }),
      ),
      pair(
        'Rows that failed, free of charge',
        count(found.items.reduce((rows, job) => rows + job.rows.failed, 0)),
      ),
    ),
    both > 0n &&
      h(
        'p',
        { class: 'help' },
        money(both),
        ' of the blocked or cut-off answers is of jobs that did not finish, and is counted there too.',
      ),
    found.more && h('p', { class: 'help' }, `Of the latest ${whole(MOST_JOBS)} jobs; there are more.`),
  ];
}
