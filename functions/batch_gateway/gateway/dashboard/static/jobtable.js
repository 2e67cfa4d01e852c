/** A job as a row of the table, and of the file. */

import { go } from './address.js';
import { money } from './amounts.js';
import { h } from './dom.js';
import { reason } from './failures.js';
import {
  badge,
  costSoFar,
  labelsOf,
  lasting,
  named,
  progress,
  shortMoment,
  stateText,
  UNDER_WAY,
  whole,
} from './format.js';
import { knownNano } from './money.js';
import { expected, linked } from './running.js';

/** @typedef {import('./api.js').Job} Job */
/** @typedef {[name: string | null, heading: string, value: ((job: Job) => any) | null, kind: string]} Column */

/**
 * [name, heading, value to sort by, class].
 * @type {Column[]}
 */
const COLUMNS = [
  ['name', 'Name', (job) => (job.displayName || job.id).toLowerCase(), 'c-name'],
  ['model', 'Model', (job) => job.model, 'c-model'],
  ['team', 'Team, key', (job) => `${job.team ?? '~'} ${job.apiKey ?? ''}`, 'c-team'],
  [null, 'Labels, errors', null, 'c-labels'],
  ['state', 'State', (job) => stateText(job.state), 'c-state'],
  ['rows', 'Rows', rowsOf, 'c-rows number'],
  ['amount', 'Cost', costOf, 'c-cost number'],
  ['waste', 'Wasted', wasteOf, 'c-waste number'],
  ['age', 'Created', (job) => -Date.parse(job.createTime), 'c-age number'],
];

/** @param {Job} job */
function rowsOf(job) {
  const { succeeded, failed, malformed, unrecognized, carriedOver } = job.rows;
  return succeeded + failed + malformed + unrecognized + carriedOver;
}

/**
 * Returns the cost to sort by: what is not known comes before what cost nothing.
 * @param {Job} job
 */
function costOf(job) {
  return shownCost(job) ? costSoFar(job) : (knownNano(job.projected) ?? costSoFar(job) ?? -1n);
}

/**
 * Returns what blocked and cut-off answers of a job have cost, to sort by.
 * @param {Job} job
 */
function wasteOf(job) {
  return costSoFar(job) === null ? -1n : (knownNano(job.wasted) ?? -1n);
}

/**
 * Returns whether what a job has cost is shown, rather than what it will have cost.
 * @param {Job} job
 */
export function shownCost(job) {
  return job.status !== 'PENDING' && !UNDER_WAY.includes(job.state);
}

/** @param {string} sort */
export function headings(sort) {
  const [by, down] = sort.startsWith('-') ? [sort.slice(1), true] : [sort, false];
  const cells = COLUMNS.map(([name, text, , kind]) => {
    if (!name) return h('div', { role: 'columnheader', class: kind }, text);
    // Sorted by age, which grows as the time of creation that is shown goes down.
    const falls = down !== (name === 'age');
    const direction = by !== name ? 'none' : falls ? 'descending' : 'ascending';
    const next = by === name && !down ? `-${name}` : name;
    const mark = { none: '', ascending: ' ↑', descending: ' ↓' }[direction];
    const order = () => go({ sort: next === 'age' ? null : next, page: null });
    return h(
      'div',
      { role: 'columnheader', class: kind, 'aria-sort': direction },
      h('button', { type: 'button', onclick: order }, text + mark),
    );
  });
  return h('div', { role: 'row', class: 'job-row head', 'aria-rowindex': 1 }, cells);
}

/**
 * @param {Job[]} jobs
 * @param {string} sort
 */
export function sortedBy(jobs, sort) {
  if (sort === 'age') return jobs;
  /** @type {[string, number]} */
  const [by, down] = sort.startsWith('-') ? [sort.slice(1), -1] : [sort, 1];
  const value = COLUMNS.find(([name]) => name === by)?.[2];
  if (!value) return jobs;
  const valued = jobs.map((job) => ({ value: value(job), job }));
  valued.sort((one, other) => (one.value < other.value ? -down : one.value > other.value ? down : 0));
  return valued.map(({ job }) => job);
}

/**
 * @param {Job} job
 * @param {number} at
 */
export function jobRow(job, at) {
  const failed = job.rows.failed + job.rows.malformed;
  const underWay = UNDER_WAY.includes(job.state);
  const lost = job.error || job.wasteReasons.some(({ kind }) => kind !== 'truncated') ? reason(job) : null;
  const cell = (/** @type {string} */ kind, /** @type {import('./dom.js').Children[]} */ ...children) =>
    h('div', { role: 'cell', class: kind }, children);
  return h(
    'div',
    { role: 'row', class: 'job-row', 'aria-rowindex': at + 2, key: job.name, style: { '--at': String(at) } },
    cell('c-name', linked(job), h('small', { class: 'muted' }, `${job.id} · ${job.location}`)),
    cell('c-model', h('span', { title: job.model }, job.model)),
    cell(
      'c-team',
      h('span', { title: job.team ?? '' }, job.team ?? '—'),
      h('small', { class: 'muted', title: job.apiKey ?? '' }, job.apiKey ?? 'outside the gateway'),
    ),
    cell('c-labels', lost && h('small', { class: 'failed', title: lost }, lost), labels(job, lost ? 1 : 2)),
    cell('c-state', badge(job.state), underWay && job.progress.completed !== null && progress(job)),
    cell(
      'c-rows number',
      h('span', {}, rowsOf(job) ? whole(rowsOf(job)) : '—'),
      failed > 0 && h('small', { class: 'failed' }, `${whole(failed)} failed`),
    ),
    cell('c-cost number', shownCost(job) ? money(costSoFar(job), { floor: !job.complete }) : expected(job)),
    cell('c-waste number', wasted(job)),
    cell(
      'c-age number',
      shortMoment(job.createTime),
      job.endTime &&
        h(
          'small',
          { class: 'muted' },
          `took ${lasting(Date.parse(job.endTime) - Date.parse(job.createTime))}`,
        ),
    ),
  );
}

/** @param {Job} job */
function wasted(job) {
  const amount = wasteOf(job);
  const shown = money(amount < 0n ? null : amount, { floor: amount >= 0n && !job.complete });
  return amount > 0n ? shown : h('span', { class: 'muted' }, shown);
}

/**
 * Returns some of a job's labels, and how many more there are.
 * @param {Job} job
 * @param {number} most
 */
function labels(job, most) {
  const texts = labelsOf(job).map((pair) => pair.join('='));
  const more = texts.length > most ? ` +${texts.length - most}` : '';
  return texts
    .slice(0, most)
    .map((text, at) => h('small', { title: texts.join('\n') }, named(at === most - 1 ? text + more : text)));
}

/** @param {Job[]} jobs */
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
    'error',
    'lost_rows',
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
      job.error?.message,
      job.wasteReasons.map((each) => `${each.rows} ${each.kind} ${each.reason}`).join(';'),
    ]),
  ];
}
