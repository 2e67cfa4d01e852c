/** One job: what it costs and why, what came of its rows, and what can be done about it. */

import { linkTo } from './address.js';
import { money } from './amounts.js';
import { get, post } from './api.js';
import { button, h, icon } from './dom.js';
import {
  badge,
  costSoFar,
  count,
  labelsOf,
  lasting,
  moment,
  named,
  progress,
  UNDER_WAY,
  visible,
  whole,
} from './format.js';
import { useEffect } from './hooks.module.js';
import { adviceOnJob } from './advice.js';
import { rawCard, timelineCard, UsageCard, wasteCard } from './jobpagecards.js';
import { usePolled } from './live.js';
import { LostRows, lostRows } from './lostrows.js';
import { knownNano, nano } from './money.js';
import { filesCard, ResultsCard } from './outputs.js';
import { ask, copy, failure, say, skeleton } from './parts.js';
import { mayResume, pathOf, resume } from './resume.js';

const CANCELLABLE = [
  'JOB_STATE_QUEUED',
  'JOB_STATE_PENDING',
  'JOB_STATE_RUNNING',
  'JOB_STATE_PAUSED',
  'JOB_STATE_UPDATING',
];

/**
 * @typedef {import('./api.js').Job} Job
 * @typedef {{item: string, model: string, contextWindow: string | null, quantity: number, unit: string,
 *   unitPrice: string | null, amount: string | null}} LineItem
 * @typedef {Pick<Job, 'state' | 'status' | 'amount' | 'complete' | 'model' | 'team' | 'apiKey' | 'labels' | 'rows'
 *   | 'estimate' | 'projected' | 'progress'> & {
 *   lineItems: LineItem[], priceTable: string | null, queryFees: {upperBound: string | null} | null,
 *   usage: {inputTokens: number, cachedInputTokens: number, outputTokens: number, thoughtsTokens: number},
 *   waste: {amount: string, reasons: import('./api.js').WasteReason[]},
 *   resumedFrom: string | null, resumedBy: string | null,
 *   outputs: {uri: string, generation: string, bytes: number, rows: number, error?: string}[],
 * }} Cost the answer of …/cost
 * @typedef {{displayName?: string, error?: {message: string, code?: number}, createTime?: string, startTime?: string,
 *   endTime?: string, updateTime?: string,
 *   inputConfig?: {gcsSource?: {uris?: string | string[]}, bigquerySource?: {inputUri?: string}},
 *   outputInfo?: {gcsOutputDirectory?: string, bigqueryOutputTable?: string}}} Resource Vertex AI's job
 * @typedef {{cost: Cost, resource: Resource | null, later: Cost | null}} Seen `later`: of the job that resumes this one
 */

/** @param {import('./main.js').View} view */
export function JobPage({ who, path: [project, location, id] }) {
  const path = `/v1/projects/${project}/locations/${location}/batchPredictionJobs/${id}`;
  const job = usePolled(
    (seen) => (seen?.cost.status === 'FINAL' ? 120 : 15),
    (signal) => load(path, signal),
    [path],
  );
  const name = visible(job.data?.resource?.displayName || id);
  useEffect(() => {
    document.title = `${name} · Batch Gateway`;
  }, [name]);

  async function cancel() {
    const text =
      'Rows that are done stay done, and are billed; the others are not run. This cannot be undone.';
    const sure = await ask(`Cancel “${name}”?`, h('p', {}, text), {
      action: 'Cancel the job',
      kind: 'danger',
      cancel: 'Keep it running',
      submit: () => post(`${path}:cancel`, {}),
    });
    if (!sure) return;
    say('The job is being cancelled.');
    job.again();
  }

  return [
    h('p', { class: 'crumb' }, h('a', { href: '#/jobs' }, 'Jobs'), ` / ${project} / ${location}`),
    h(
      'div',
      { class: 'title' },
      h('h1', { tabindex: -1 }, named(name)),
      job.data && badge(job.data.cost.state),
      h('span', { class: 'grow' }),
      job.data &&
        h(
          'div',
          { class: 'row' },
          button('Copy id', () => copy(id), { symbol: 'copy' }),
          who.may.runJobs &&
            CANCELLABLE.includes(job.data.cost.state) &&
            button('Cancel job', cancel, { symbol: 'close', kind: 'danger' }),
          who.may.runJobs &&
            mayResume(job.data) &&
            button('Resume', () => resume(path, name), { symbol: 'run' }),
        ),
    ),
    h(
      'div',
      { class: 'stack' },
      job.data
        ? parts(job.data, path, [project, location, id])
        : job.error
          ? failure(job.error, job.again)
          : skeleton(6),
    ),
  ];
}

/**
 * @param {string} path
 * @param {AbortSignal} signal
 * @returns {Promise<Seen>}
 */
async function load(path, signal) {
  const [cost, resource] = await Promise.all([
    get(`${path}/cost`, undefined, signal),
    // Vertex AI forgets deleted jobs; their cost stays.
    known(path, signal),
  ]);
  // Whether this one may be resumed again depends on what came of that.
  const later = cost.resumedBy ? await known(`/v1/${inProject(cost.resumedBy, path)}/cost`, signal) : null;
  return { cost, resource, later };
}

/**
 * Returns an answer, or null if there is no such thing.
 * @param {string} path
 * @param {AbortSignal} signal
 */
async function known(path, signal) {
  try {
    return await get(path, undefined, signal);
  } catch (error) {
    if (/** @type {import('./api.js').Refusal} */ (error).status === 404) return null;
    throw error;
  }
}

/**
 * Returns a job's name with the project as the address has it.
 * @param {string} name
 * @param {string} path
 */
function inProject(name, path) {
  return name.replace(/^projects\/[^/]+/, /projects\/[^/]+/.exec(path)?.[0] ?? '');
}

/**
 * @param {Seen} seen
 * @param {string} path
 * @param {string[]} names the project, location and id in it
 */
function parts(seen, path, names) {
  const { cost, resource } = seen;
  const id = names[2];
  // A job that ended without any output has no usage, waste or line items, and nothing good can be said of that.
  const isBare = cost.status === 'FINAL' && !cost.outputs.length;
  return [
    resource?.error &&
      h(
        'div',
        { class: 'banner bad', role: 'alert' },
        icon('warn'),
        h(
          'div',
          {},
          h('p', {}, h('b', {}, 'Vertex AI says: '), resource.error.message),
          adviceOnJob(resource.error) && h('p', { class: 'advice-line' }, adviceOnJob(resource.error)),
        ),
      ),
    (cost.resumedFrom || cost.resumedBy) && resumption(cost, path),
    resource === null &&
      h(
        'div',
        { class: 'banner' },
        h('p', {}, 'Vertex AI no longer has this job. What it cost stays on record.'),
      ),
    hasGaps(cost) && h('div', { class: 'banner warn' }, icon('warn'), h('p', {}, incomplete(cost))),
    h('div', { class: 'tiles' }, costTile(cost), rowsTile(cost), timeTile(cost, resource), aboutTile(cost)),
    isBare
      ? [
          h(
            'div',
            { class: 'banner' },
            h('p', {}, 'The job ended without output, so no row was answered and no row is listed here.'),
          ),
          h('div', { class: 'columns' }, filesCard(cost, resource, names), timelineCard(cost, resource)),
        ]
      : [
          lostRows(cost) > 0 && h(LostRows, { path, cost }),
          h('div', { class: 'columns' }, h(UsageCard, { cost, id }), timelineCard(cost, resource)),
          h('div', { class: 'columns even' }, wasteCard(cost), h(ResultsCard, { cost, path, id })),
          filesCard(cost, resource, names),
        ],
    rawCard(seen, id),
  ];
}

/**
 * Names the jobs that this one resumes, and that resumes it.
 * @param {Cost} cost
 * @param {string} path
 */
function resumption({ resumedFrom, resumedBy }, path) {
  const link = (/** @type {string} */ name) => h('a', { href: pathOf(name, path) }, name.split('/').at(-1));
  return h(
    'div',
    { class: 'banner' },
    h(
      'p',
      {},
      resumedFrom && [
        'It resumes job ',
        link(resumedFrom),
        ', whose answers it has copied, free of charge. ',
      ],
      resumedBy && ['It is resumed by job ', link(resumedBy), ', which runs what was left undone.'],
    ),
  );
}

/**
 * Returns whether the cost of something that is settled is not known; that more is to come needs no warning.
 * @param {Cost} cost
 */
function hasGaps(cost) {
  const { malformed, unrecognized, unpriced } = cost.rows;
  const unreadable = cost.outputs.some((output) => output.error);
  const final = cost.status === 'FINAL';
  return malformed + unrecognized + unpriced > 0 || unreadable || (final && !cost.complete);
}

/** @param {Cost} cost */
function incomplete(cost) {
  const { malformed, unrecognized, unpriced } = cost.rows;
  const why = [
    unpriced && `${whole(unpriced)} rows have no price, or not for all they used`,
    malformed && `${whole(malformed)} lines could not be read`,
    unrecognized && `${whole(unrecognized)} rows have an unknown shape`,
    cost.status !== 'FINAL' && 'more output may come',
  ];
  return `The amount is at least what is shown: ${why.filter(Boolean).join(' and ') || 'some output is missing or could not be read'}.`;
}

/**
 * @param {string} name
 * @param {import('./dom.js').Children} value
 * @param {import('./dom.js').Children[]} facts
 */
function tile(name, value, ...facts) {
  return h(
    'section',
    { class: 'tile', 'aria-label': name },
    h('h2', {}, name),
    h('p', { class: 'big' }, value),
    facts,
  );
}

/** @param {Cost} cost */
function costTile(cost) {
  const { estimate } = cost;
  const status = { PENDING: 'No output settled yet', PARTIAL: 'So far', FINAL: 'Final' }[cost.status];
  return tile(
    'Cost',
    money(costSoFar(cost), { floor: !cost.complete }),
    h(
      'p',
      { class: 'facts' },
      status,
      cost.priceTable && h('span', { class: 'muted' }, ` · prices of ${cost.priceTable}`),
    ),
    cost.projected !== null &&
      h('p', { class: 'facts' }, h('b', {}, money(nano(cost.projected))), ' projected'),
    estimate &&
      h(
        'p',
        { class: 'facts muted' },
        'Estimated ',
        money(knownNano(estimate.expected)),
        ' (',
        money(knownNano(estimate.low)),
        ' to ',
        money(knownNano(estimate.high)),
        ')',
      ),
    cost.queryFees &&
      h(
        'p',
        { class: 'facts muted' },
        'Search fees of up to ',
        money(knownNano(cost.queryFees.upperBound)),
        ' come on top',
      ),
  );
}

/** @param {Cost} cost */
function rowsTile(cost) {
  const { succeeded, failed, malformed, unrecognized, carriedOver } = cost.rows;
  if (cost.status === 'PENDING') {
    return tile(
      'Rows',
      count(cost.progress.completed),
      h('p', { class: 'facts muted' }, 'done by Vertex AI’s count'),
      h('div', { class: 'against' }, progress(cost)),
    );
  }
  return tile(
    'Rows',
    whole(succeeded),
    h(
      'p',
      { class: 'facts' },
      h('span', { class: failed ? 'failed' : 'muted' }, count(failed), ' failed'),
      malformed > 0 && h('span', { class: 'failed' }, ' · ', count(malformed), ' unreadable'),
      unrecognized > 0 && h('span', { class: 'failed' }, ' · ', count(unrecognized), ' of unknown shape'),
      carriedOver > 0 &&
        h(
          'span',
          { class: 'muted', title: 'From the job that this one resumes, which paid for them' },
          ' · ',
          count(carriedOver),
          ' carried over',
        ),
    ),
    h('div', { class: 'against' }, progress(cost)),
  );
}

/**
 * @param {Cost} cost
 * @param {Resource | null} resource
 */
function timeTile(cost, resource) {
  const { createTime, startTime, endTime } = resource ?? {};
  if (!createTime) return tile('Time', h('span', { class: 'unknown' }, '—'));
  const end = endTime ? Date.parse(endTime) : Date.now();
  const waited = (startTime ? Date.parse(startTime) : end) - Date.parse(createTime);
  const created = h('p', { class: 'facts muted' }, 'created ', moment(createTime));
  if (!startTime) {
    return UNDER_WAY.includes(cost.state)
      ? tile('Waiting for', lasting(waited), h('p', { class: 'facts muted' }, 'not started yet'), created)
      : tile(
          'Time',
          lasting(waited),
          h('p', { class: 'facts muted' }, 'ended without having started'),
          created,
        );
  }
  return tile(
    endTime ? 'Took' : 'Running for',
    lasting(end - Date.parse(startTime)),
    h('p', { class: 'facts muted' }, `after ${lasting(waited)} of waiting`),
    created,
  );
}

/** @param {Cost} cost */
function aboutTile(cost) {
  const labels = labelsOf(cost);
  const pair = (/** @type {string} */ name, /** @type {import('./dom.js').Children} */ value) =>
    h('div', {}, h('dt', {}, name), h('dd', {}, value));
  return h(
    'section',
    { class: 'tile about', 'aria-label': 'About' },
    h('h2', {}, 'About'),
    h(
      'dl',
      { class: 'pairs' },
      pair('Model', h('a', { href: linkTo('jobs', { model: cost.model }) }, cost.model)),
      pair('Team', cost.team ? h('a', { href: linkTo('jobs', { team: cost.team }) }, cost.team) : '—'),
      pair(
        'Key',
        cost.apiKey
          ? h('a', { href: linkTo('jobs', { key: cost.apiKey }) }, cost.apiKey)
          : 'outside the gateway',
      ),
    ),
    labels.length > 0 &&
      h(
        'p',
        { class: 'chips' },
        labels.map((label) =>
          h(
            'a',
            {
              class: 'chip',
              key: label[0],
              href: linkTo('jobs', { label: label.join('=') }),
              title: label.join('='),
            },
            named(label.join('=')),
          ),
        ),
      ),
  );
}
