/** What the jobs that a filter lets through have cost together. */

import { money } from './amounts.js';
import { costs, jobsIn } from './api.js';
import { h } from './dom.js';
import { costSoFar, several, UNDER_WAY } from './format.js';
import { useMemo } from './hooks.module.js';
import { shownCost } from './jobtable.js';
import { usePolled } from './live.js';
import { knownNano, nano, sum } from './money.js';
import { MOST_RUNNING, underWay } from './running.js';

/** Fields that spend can be filtered by as the list can. Spend on a model is also that of jobs tuned from it. */
const COMMON = ['model', 'team', 'api_key', 'start_time', 'end_time'];
/** Spend is kept by quarters of an hour: totals of other times would be of more than what is listed. */
const QUARTER = 900;
/** Before Vertex AI had batch predictions: any time begins here. */
const EARLIEST = String(Date.UTC(2021, 0) / 1000);

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
  if (!isCommon || times.some((time) => time % QUARTER !== 0)) return null;
  /** @type {Query} */
  const start = filter.some(([name]) => name === 'start_time') ? [] : [['start_time', EARLIEST]];
  return [...filter, ...start, ['bucket_width', '1mo'], ['limit', 120]];
}

/**
 * Returns true if a job under way may be among those that a filter lets through.
 * @param {Query} filter
 * @param {AbortSignal} signal
 */
async function mayBeUnderWay(filter, signal) {
  const [[, since]] = underWay();
  const times = (/** @type {string} */ name) =>
    filter.flatMap(([each, time]) => (each === name ? [Number(time)] : []));
  const start = Math.max(Number(since), ...times('start_time'));
  if (times('end_time').some((end) => end <= start)) return false;
  // No index has models or labels: those are looked at here.
  const indexed = filter.filter(([name]) => ['team', 'api_key', 'end_time'].includes(name));
  const { items, more } = await jobsIn(UNDER_WAY, MOST_RUNNING, [...indexed, ['start_time', start]], signal);
  const passes = (/** @type {Job} */ job) =>
    filter.every(([name, value]) =>
      name === 'model'
        ? job.model === value
        : !name.startsWith('label:') || job.labels[name.slice('label:'.length)] === value,
    );
  return more || items.some(passes);
}

/**
 * Shows the sum: of all jobs if they are loaded or a spend report has them, else of those that are loaded.
 * @param {{jobs: Job[], complete: boolean, filter: Query}} props
 */
export function JobTotal({ jobs, complete, filter }) {
  const report = complete ? null : reportOf(filter);
  const spent = usePolled(
    () => 60,
    async (signal) => {
      if (!report) return null;
      const [buckets, mayGrow] = await Promise.all([costs(report, signal), mayBeUnderWay(filter, signal)]);
      return { results: buckets.flatMap((bucket) => bucket.results), mayGrow };
    },
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
  const { results, mayGrow } = spent.data ?? { results: [], mayGrow: true };
  const amount = sum(results.map((result) => nano(result.amount.value)));
  // Spend on a tuned model is kept under its base model's name, so that a report may have less than is listed.
  if (spent.data && amount >= listed.amount) {
    const floor = listed.floor || mayGrow || results.some((result) => result.unpriced);
    const model = filter.find(([name]) => name === 'model')?.[1];
    return h(
      'span',
      { class: 'muted total' },
      money(amount, { floor }),
      model ? ` on ${model} in all` : ' in all',
    );
  }
  return h(
    'span',
    { class: 'muted total' },
    money(listed.amount, { floor: listed.floor || !complete }),
    complete
      ? [' in all, ', money(listed.wasted, { floor: listed.floor }), ' wasted']
      : ` in the ${several(jobs.length, 'job')} loaded`,
  );
}
