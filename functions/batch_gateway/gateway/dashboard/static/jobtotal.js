/** What the jobs that a filter lets through have cost together. */

import { money } from './amounts.js';
import { costs } from './api.js';
import { h } from './dom.js';
import { costSoFar, UNDER_WAY } from './format.js';
import { useMemo } from './hooks.module.js';
import { shownCost } from './jobtable.js';
import { usePolled } from './live.js';
import { knownNano, nano, sum } from './money.js';

/** Fields that spend can be filtered by and that mean the same there as in the list. */
const COMMON = ['team', 'api_key', 'start_time', 'end_time'];
/** Spend is kept by quarters of an hour: totals of other times would be of more than what is listed. */
const QUARTER = 900;

/** @typedef {import('./api.js').Job} Job */
/** @typedef {import('./api.js').Query} Query */

/**
 * Returns the parameters of the spend report that adds up the same jobs; null if there is none.
 * @param {Query} filter
 * @returns {Query | null}
 */
function reportOf(filter) {
  const isCommon = filter.every(([name]) => COMMON.includes(name) || name.startsWith('label:'));
  const times = filter.filter(([name]) => name.endsWith('_time')).map(([, time]) => Number(time));
  const hasStart = filter.some(([name]) => name === 'start_time');
  if (!isCommon || !hasStart || times.some((time) => time % QUARTER !== 0)) return null;
  return [...filter, ['bucket_width', '1mo'], ['limit', 120]];
}

/**
 * Shows the sum. The part of the list that is not loaded yet is in it if a spend report has it.
 * @param {{jobs: Job[], complete: boolean, filter: Query}} props
 */
export function JobTotal({ jobs, complete, filter }) {
  const report = complete ? null : reportOf(filter);
  const spent = usePolled(
    () => 60,
    async (signal) => report && costs(report, signal),
    [JSON.stringify(report)],
  );
  const listed = useMemo(
    () => ({
      amount: sum(jobs.flatMap((job) => costSoFar(job) ?? [])),
      wasted: sum(jobs.flatMap((job) => (costSoFar(job) === null ? [] : (knownNano(job.wasted) ?? [])))),
      floor: jobs.some((job) => !job.complete || !shownCost(job)),
    }),
    [jobs],
  );
  if (spent.data) {
    const results = spent.data.flatMap((bucket) => bucket.results);
    const floor =
      results.some((result) => result.unpriced) || jobs.some((job) => UNDER_WAY.includes(job.state));
    const amount = sum(results.map((result) => nano(result.amount.value)));
    return h('span', { class: 'muted total' }, money(amount, { floor }), ' in all');
  }
  return h(
    'span',
    { class: 'muted total' },
    money(listed.amount, { floor: listed.floor || !complete }),
    ' in all',
    complete && [', ', money(listed.wasted, { floor: listed.floor }), ' wasted'],
  );
}
