/** Jobs under way, and what they will have cost. */

import { linkTo } from './address.js';
import { amountText, money } from './amounts.js';
import { h } from './dom.js';
import { age, badge, costSoFar, DAY, named, progress, several, visible } from './format.js';
import { knownNano, nano, sum } from './money.js';
import { empty, loadedCard } from './parts.js';
import { seconds } from './periods.js';

/** @typedef {import('./api.js').Job} Job */

/** Jobs older than this are no longer under way: 72 hours in the queue and 24 running is Vertex AI's limit. */
const LONGEST = 5 * DAY;
const MOST_SHOWN = 12;
export const MOST_RUNNING = 200;

/**
 * Returns the parameters for jobs that may be under way.
 * @returns {import('./api.js').Query}
 */
export function underWay() {
  return [['start_time', seconds(Date.now() - LONGEST)]];
}

/** @param {{from: import('./live.js').Polled<{items: Job[], more: boolean}>, team: string | null}} props */
export function RunningCard({ from, team }) {
  return loadedCard({
    title: 'Running now',
    actions: h('a', { href: linkTo('jobs', { team, state: 'under-way', since: '7d' }) }, 'All under way'),
    lines: 6,
    from,
    draw: ({ items, more }) =>
      items.length
        ? [
            summary(items, more),
            h(
              'ul',
              { class: 'running' },
              // The oldest first: what hangs is among them.
              [...items].reverse().slice(0, MOST_SHOWN).map(runningJob),
            ),
            items.length > MOST_SHOWN &&
              h(
                'p',
                { class: 'help' },
                `The oldest ${MOST_SHOWN} of ${items.length}${more ? ' or more' : ''}.`,
              ),
          ]
        : empty('Nothing is running', 'Jobs appear here from their creation to their end.'),
  });
}

/**
 * @param {Job[]} items
 * @param {boolean} more
 */
function summary(items, more) {
  const settled = items.flatMap((job) => costSoFar(job) ?? []);
  const known = items.flatMap((job) => knownNano(job.projected) ?? []);
  return h(
    'p',
    { class: 'summary' },
    h('b', {}, more ? `${MOST_RUNNING}+ jobs` : several(items.length, 'job')),
    settled.length > 0 && [', ', h('b', {}, money(sum(settled), { floor: true })), ' so far'],
    known.length > 0 && [', ', h('b', {}, money(sum(known))), ` projected for ${known.length} of them`],
  );
}

/** @param {Job} job */
function runningJob(job) {
  return h(
    'li',
    { key: job.name },
    h(
      'div',
      { class: 'what' },
      linked(job),
      h(
        'span',
        { class: 'muted' },
        [job.model, job.team ?? job.apiKey].filter(Boolean).join(' · '),
        ' · ',
        age(job.createTime),
      ),
    ),
    badge(job.state),
    progress(job),
    h('div', { class: 'cost' }, expected(job)),
  );
}

/**
 * Returns what a job will have cost, as well as that can be said: projected, else what it has cost so far.
 * @param {Job} job
 */
export function expected(job) {
  const soFar = costSoFar(job);
  if (job.projected === null) {
    return h('span', {}, money(soFar, { floor: !job.complete }), soFar !== null && h('small', {}, 'so far'));
  }
  const title = soFar === null ? 'No output settled yet' : `${amountText(soFar, { exact: true })} so far`;
  return h('span', { title }, money(nano(job.projected)), h('small', {}, 'projected'));
}

/** @param {Job} job */
function pathOf(job) {
  return `#/jobs/${job.project}/${job.location}/${job.id}`;
}

/** @param {Job} job */
export function linked(job) {
  const name = job.displayName || job.id;
  return h('a', { href: pathOf(job), title: visible(name) }, named(name));
}
