/** The most expensive jobs of a range of time. */

import { linkTo } from './address.js';
import { money } from './amounts.js';
import { get } from './api.js';
import { h } from './dom.js';
import { badge, costSoFar, labelsOf, shortMoment } from './format.js';
import { nano } from './money.js';
import { empty, loadedCard } from './parts.js';
import { linked } from './running.js';

const MOST_SHOWN = 6;

/** @typedef {import('./api.js').Job} Job */

/**
 * Reads the jobs that cost the most; the gateway reads no others for it.
 * @param {import('./api.js').Query} query
 * @param {AbortSignal} signal
 * @returns {Promise<Job[]>}
 */
export async function topJobs(query, signal) {
  const { data } = await get('/v1/jobs:top', [...query, ['limit', MOST_SHOWN]], signal);
  return data.filter((/** @type {Job} */ job) => nano(job.amount) > 0n);
}

/**
 * @param {{
 *   from: import('./live.js').Polled<Job[]>, range: import('./ranges.js').Range, team: string | null,
 * }} props
 */
export function TopJobsCard({ from, range, team }) {
  return loadedCard({
    title: 'Most expensive jobs',
    note: range.text,
    actions: h('a', { href: linkTo('jobs', { team, ...range.link, sort: '-amount' }) }, 'All by cost'),
    lines: 6,
    from,
    draw: (jobs) =>
      jobs.length
        ? h('ul', { class: 'running' }, jobs.map(topJob))
        : empty('Nothing spent', 'No job has cost anything in this time.'),
  });
}

/** @param {Job} job */
function topJob(job) {
  const labels = labelsOf(job).map((pair) => pair.join('='));
  const about = [job.model, job.team, job.apiKey].flatMap((each) => each ?? []).concat(labels);
  return h(
    'li',
    { class: 'short', key: job.name },
    h(
      'div',
      { class: 'what' },
      linked(job),
      h('span', { class: 'muted', title: about.join('\n') }, about.join(' · ')),
    ),
    badge(job.state),
    h(
      'div',
      { class: 'cost' },
      money(costSoFar(job), { floor: !job.complete }),
      h('small', {}, shortMoment(job.createTime)),
    ),
  );
}
