/** One job: what it costs and why, what came of its rows, and what can be done about it. */

import { get, post } from './api.js';
import { button, fill, h, icon } from './dom.js';
import { badge, costSoFar, count, labelsOf, lasting, moment, money, progress, whole } from './format.js';
import { itemsCard, outputsCard, rawCard, timelineCard, usageCard, wasteCard } from './jobcards.js';
import { every } from './live.js';
import { nano } from './money.js';
import { ask, copy, failure, say, skeleton } from './parts.js';

const CANCELLABLE = [
  'JOB_STATE_QUEUED',
  'JOB_STATE_PENDING',
  'JOB_STATE_RUNNING',
  'JOB_STATE_PAUSED',
  'JOB_STATE_UPDATING',
];

export async function show(root, view) {
  const [project, location, id] = view.path;
  const path = `/v1/projects/${project}/locations/${location}/batchPredictionJobs/${id}`;
  const title = h('h1', { tabindex: '-1' }, id);
  const head = h('div', { class: 'title' }, title);
  const content = h('div', { class: 'stack' }, skeleton(6));
  fill(
    root,
    h('p', { class: 'crumb' }, h('a', { href: '#/jobs' }, 'Jobs'), ` / ${project} / ${location}`),
    head,
    content,
  );
  let open = true;
  let drawn = '';
  let seen = null;

  async function load() {
    const [cost, resource] = await Promise.all([
      get(`${path}/cost`, undefined, view.signal),
      get(path, undefined, view.signal).catch((error) => {
        // Vertex AI forgets deleted jobs; their cost stays.
        if (error.status === 404) return null;
        throw error;
      }),
    ]);
    open = cost.status !== 'FINAL';
    const now = JSON.stringify([cost, resource]);
    if (now === drawn) return;
    drawn = now;
    seen = { cost, resource };
    document.title = `${resource?.displayName ?? id} · Batch Gateway`;
    const raw = content.querySelector('details.raw')?.open;
    fill(title, resource?.displayName || id);
    while (title.nextSibling) title.nextSibling.remove();
    head.append(...heading(seen, id, cancel));
    fill(content, parts(seen, id));
    if (raw) content.querySelector('details.raw').open = true;
  }

  const again = every(
    () => (open ? 15 : 120),
    load,
    view.signal,
    (error) => {
      if (!seen)
        fill(
          content,
          failure(error, () => again()),
        );
    },
  );

  async function cancel() {
    const name = seen.resource?.displayName ?? id;
    const text =
      'Rows that are done stay done, and are billed; the others are not run. This cannot be taken back.';
    const sure = await ask(`Cancel “${name}”?`, h('p', {}, text), {
      action: 'Cancel the job',
      kind: 'danger',
      cancel: 'Keep it running',
      submit: () => post(`${path}:cancel`, {}),
    });
    if (!sure) return;
    say('The job is being cancelled.');
    again();
  }
}

function heading({ cost }, id, cancel) {
  return [
    badge(cost.state),
    h('span', { class: 'grow' }),
    button('Copy id', () => copy(id), { symbol: 'copy' }),
    CANCELLABLE.includes(cost.state) && button('Cancel job', cancel, { symbol: 'close', kind: 'danger' }),
  ].filter(Boolean);
}

function parts(seen, id) {
  const { cost, resource } = seen;
  return [
    resource?.error &&
      h(
        'div',
        { class: 'banner bad', role: 'alert' },
        icon('warn'),
        h('p', {}, h('b', {}, 'Vertex AI says: '), resource.error.message),
      ),
    resource === null &&
      h(
        'div',
        { class: 'banner' },
        h('p', {}, 'Vertex AI no longer has this job. What it cost stays on record.'),
      ),
    hasGaps(cost) && h('div', { class: 'banner warn' }, icon('warn'), h('p', {}, incomplete(cost))),
    h('div', { class: 'tiles' }, costTile(cost), rowsTile(cost), timeTile(cost, resource), aboutTile(cost)),
    h('div', { class: 'columns' }, usageCard(cost), timelineCard(cost, resource)),
    itemsCard(cost, id),
    h('div', { class: 'columns even' }, wasteCard(cost), outputsCard(cost)),
    rawCard(seen, id),
  ];
}

/** Whether the cost of something that is settled is not known; that more is to come needs no warning. */
function hasGaps(cost) {
  const { malformed, unrecognized, unpriced } = cost.rows;
  const unreadable = cost.outputs.some((output) => output.error);
  const final = cost.status === 'FINAL';
  return malformed + unrecognized + unpriced > 0 || unreadable || (final && !cost.complete);
}

function incomplete(cost) {
  const { malformed, unrecognized, unpriced } = cost.rows;
  const why = [
    unpriced && `${whole(unpriced)} rows have no price, or not for all they used`,
    malformed && `${whole(malformed)} lines could not be read`,
    unrecognized && `${whole(unrecognized)} rows are of no known shape`,
    cost.status !== 'FINAL' && 'more output may come',
  ];
  return `The amount is at least what is shown: ${why.filter(Boolean).join(' and ') || 'some output is missing or could not be read'}.`;
}

function tile(name, value, ...facts) {
  return h(
    'section',
    { class: 'tile', 'aria-label': name },
    h('h2', {}, name),
    h('p', { class: 'big' }, value),
    facts,
  );
}

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
        money(nano(estimate.expected)),
        ' (',
        money(nano(estimate.low)),
        ' to ',
        money(nano(estimate.high)),
        ')',
      ),
    cost.queryFees &&
      h(
        'p',
        { class: 'facts muted' },
        'Search fees of up to ',
        money(nano(cost.queryFees.upperBound)),
        ' come on top',
      ),
  );
}

function rowsTile(cost) {
  const { succeeded, failed, malformed, unrecognized, carriedOver } = cost.rows;
  return tile(
    'Rows',
    whole(succeeded),
    h(
      'p',
      { class: 'facts' },
      h('span', { class: failed ? 'failed' : 'muted' }, count(failed), ' failed'),
      malformed > 0 && h('span', { class: 'failed' }, ' · ', count(malformed), ' unreadable'),
      unrecognized > 0 && h('span', { class: 'failed' }, ' · ', count(unrecognized), ' of no known shape'),
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

function timeTile(cost, resource) {
  const { createTime, startTime, endTime } = resource ?? {};
  if (!createTime) return tile('Time', h('span', { class: 'unknown' }, '—'));
  const end = endTime ? Date.parse(endTime) : Date.now();
  const waited = (startTime ? Date.parse(startTime) : end) - Date.parse(createTime);
  return tile(
    endTime ? 'Took' : 'Running for',
    lasting(end - Date.parse(startTime ?? createTime)),
    h('p', { class: 'facts muted' }, `after ${lasting(waited)} of waiting`),
    h('p', { class: 'facts muted' }, 'created ', moment(createTime)),
  );
}

function aboutTile(cost) {
  const labels = labelsOf(cost);
  return h(
    'section',
    { class: 'tile about', 'aria-label': 'About' },
    h('h2', {}, 'About'),
    h(
      'dl',
      { class: 'pairs' },
      h(
        'div',
        {},
        h('dt', {}, 'Model'),
        h('dd', {}, h('a', { href: `#/jobs?model=${encodeURIComponent(cost.model)}` }, cost.model)),
      ),
      h('div', {}, h('dt', {}, 'Team'), h('dd', {}, cost.team ?? '—')),
      h('div', {}, h('dt', {}, 'Key'), h('dd', {}, cost.apiKey ?? 'outside the gateway')),
    ),
    labels.length > 0 &&
      h(
        'p',
        { class: 'chips' },
        labels.map(([name, value]) =>
          h(
            'a',
            { class: 'chip', href: `#/jobs?label=${encodeURIComponent(`${name}=${value}`)}` },
            `${name}=${value}`,
          ),
        ),
      ),
  );
}
