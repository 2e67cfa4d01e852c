/** Jobs under way, and what they will have cost. */

import { jobsUpTo } from './api.js';
import { h } from './dom.js';
import { age, badge, costSoFar, DAY, money, progress, UNDER_WAY } from './format.js';
import { exactUsd, nano, sum } from './money.js';
import { empty } from './parts.js';
import { seconds } from './periods.js';

/** Jobs older than this are no longer under way: 72 hours in the queue and 24 running is Vertex AI's limit. */
const LONGEST = 5 * DAY;
const MOST_SHOWN = 12;

export async function showRunning(shown, filter, signal) {
  const states = UNDER_WAY.map((state) => ['state', state]);
  const since = ['start_time', seconds(Date.now() - LONGEST)];
  const { items, more } = await jobsUpTo(100, [...states, since, ...filter], signal);
  if (!items.length) {
    shown.fill(empty('Nothing is running', 'Jobs appear here from their creation to their end.'));
    return false;
  }
  const settled = items.map(costSoFar).filter((amount) => amount !== null);
  const known = items.filter((job) => job.projected !== null);
  const projected = sum(known.map((job) => nano(job.projected)));
  shown.fill(
    h(
      'p',
      { class: 'summary' },
      h('b', {}, more ? '100+' : String(items.length)),
      items.length === 1 ? ' job' : ' jobs',
      settled.length > 0 && [', ', h('b', {}, money(sum(settled))), ' so far'],
      known.length > 0 && [', ', h('b', {}, money(projected)), ` projected for ${known.length} of them`],
    ),
    h('ul', { class: 'running' }, items.slice(0, MOST_SHOWN).map(runningJob)),
    items.length > MOST_SHOWN &&
      h('p', {}, h('a', { href: '#/jobs?state=JOB_STATE_RUNNING' }, 'All that run')),
  );
  return true;
}

function runningJob(job) {
  return h(
    'li',
    {},
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

/** What a job will have cost, as well as that can be said: projected, else what it cost so far. */
export function expected(job) {
  const soFar = costSoFar(job);
  if (job.projected === null) {
    return h('span', {}, money(soFar, { floor: !job.complete }), soFar !== null && h('small', {}, 'so far'));
  }
  const title = soFar === null ? 'No output settled yet' : `${exactUsd(soFar)} so far`;
  return h('span', { title }, money(nano(job.projected)), h('small', {}, 'projected'));
}

export function linked(job) {
  return h('a', { href: `#/jobs/${job.project}/${job.location}/${job.id}` }, job.displayName || job.id);
}
