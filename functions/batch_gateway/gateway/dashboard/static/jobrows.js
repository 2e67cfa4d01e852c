/** A job as a row of the table, and of the file. */

import { h } from './dom.js';
import { age, badge, costSoFar, labelsOf, money, progress, stateText, UNDER_WAY, whole } from './format.js';
import { nano } from './money.js';
import { expected } from './running.js';

/** [name, heading, value to sort by, class]. */
const COLUMNS = [
  ['name', 'Name', (job) => (job.displayName || job.id).toLowerCase(), 'c-name'],
  ['model', 'Model', (job) => job.model, 'c-model'],
  ['team', 'Team, key', (job) => `${job.team ?? '~'} ${job.apiKey ?? ''}`, 'c-team'],
  [null, 'Labels', null, 'c-labels'],
  ['state', 'State', (job) => stateText(job.state), 'c-state'],
  ['rows', 'Rows', rowsOf, 'c-rows number'],
  ['progress', 'Progress', share, 'c-progress'],
  ['amount', 'Cost', costOf, 'c-cost number'],
  ['age', 'Age', (job) => -Date.parse(job.createTime), 'c-age number'],
];

function rowsOf(job) {
  const { succeeded, failed, malformed, unrecognized, carriedOver } = job.rows;
  return succeeded + failed + malformed + unrecognized + carriedOver;
}

function share(job) {
  const { completed, total } = job.progress;
  return completed !== null && total ? completed / total : -1;
}

/** What is not known comes before what cost nothing. */
function costOf(job) {
  return shownCost(job) ? costSoFar(job) : (nano(job.projected) ?? costSoFar(job) ?? -1n);
}

/** Whether what a job has cost is shown, rather than what it will have cost. */
function shownCost(job) {
  return job.status !== 'PENDING' && !UNDER_WAY.includes(job.state);
}

export function headings(sort, view) {
  const [by, down] = sort.startsWith('-') ? [sort.slice(1), true] : [sort, false];
  const cells = COLUMNS.map(([name, text, , kind]) => {
    if (!name) return h('div', { role: 'columnheader', class: kind }, text);
    const direction = by !== name ? 'none' : down ? 'descending' : 'ascending';
    const next = by === name && !down ? `-${name}` : name;
    const mark = { none: '', ascending: ' ↑', descending: ' ↓' }[direction];
    return h(
      'div',
      { role: 'columnheader', class: kind, 'aria-sort': direction },
      h(
        'button',
        {
          type: 'button',
          id: `sort-${name}`,
          onclick: () => view.go({ sort: next === 'age' ? null : next, page: null }),
        },
        text + mark,
      ),
    );
  });
  return h('div', { role: 'row', class: 'job-row head', 'aria-rowindex': '1' }, cells);
}

export function sortedBy(jobs, sort) {
  if (sort === 'age') return jobs;
  const [by, down] = sort.startsWith('-') ? [sort.slice(1), -1] : [sort, 1];
  const value = COLUMNS.find(([name]) => name === by)?.[2];
  if (!value) return jobs;
  const valued = jobs.map((job) => [value(job), job]);
  valued.sort(([one], [other]) => (one < other ? -down : one > other ? down : 0));
  return valued.map(([, job]) => job);
}

export function jobRow(job, at) {
  const labels = labelsOf(job);
  const failed = job.rows.failed + job.rows.malformed;
  const cell = (kind, ...children) => h('div', { role: 'cell', class: kind }, children);
  return h(
    'div',
    { role: 'row', class: 'job-row', 'aria-rowindex': String(at + 2) },
    cell(
      'c-name',
      h(
        'a',
        { href: `#/jobs/${job.project}/${job.location}/${job.id}`, title: job.name },
        job.displayName || job.id,
      ),
      h('small', { class: 'muted' }, `${job.id} · ${job.location}`),
    ),
    cell('c-model', h('span', { title: job.model }, job.model)),
    cell(
      'c-team',
      h('span', {}, job.team ?? '—'),
      h('small', { class: 'muted' }, job.apiKey ?? 'outside the gateway'),
    ),
    cell('c-labels', shownLabels(labels)),
    cell('c-state', badge(job.state)),
    cell(
      'c-rows number',
      h('span', {}, rowsOf(job) ? whole(rowsOf(job)) : '—'),
      failed > 0 && h('small', { class: 'failed' }, `${whole(failed)} failed`),
    ),
    cell('c-progress', progress(job)),
    cell(
      'c-cost number',
      shownCost(job) ? money(costSoFar(job), { floor: !job.complete }) : expected(job),
    ),
    cell('c-age number', age(job.createTime)),
  );
}

/** Two of them, and how many more there are. */
function shownLabels(labels) {
  const texts = labels.map((pair) => pair.join('='));
  const more = texts.length > 2 ? ` +${texts.length - 2}` : '';
  return texts
    .slice(0, 2)
    .map((text, at) => h('small', { title: texts.join('\n') }, at === 1 ? text + more : text));
}

export function csvRows(jobs) {
  const header = [
    'name',
    'id',
    'display_name',
    'state',
    'status',
    'model',
    'team',
    'api_key',
    'labels',
    'rows_succeeded',
    'rows_failed',
    'rows_malformed',
    'rows_unrecognized',
    'rows_unpriced',
    'amount_usd',
    'complete',
    'wasted_usd',
    'projected_usd',
    'create_time',
    'start_time',
    'end_time',
  ];
  return [
    header,
    ...jobs.map((job) => [
      job.name,
      job.id,
      job.displayName,
      job.state,
      job.status,
      job.model,
      job.team,
      job.apiKey,
      labelsOf(job)
        .map((pair) => pair.join('='))
        .join(';'),
      job.rows.succeeded,
      job.rows.failed,
      job.rows.malformed,
      job.rows.unrecognized,
      job.rows.unpriced,
      job.status === 'PENDING' ? null : job.amount,
      job.complete,
      job.status === 'PENDING' ? null : job.wasted,
      job.projected,
      job.createTime,
      job.startTime,
      job.endTime,
    ]),
  ];
}
