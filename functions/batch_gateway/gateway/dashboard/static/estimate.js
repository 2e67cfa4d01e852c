/** What a job would cost, from the body that would create it. */

import { get, post } from './api.js';
import { button, field, fill, h, table } from './dom.js';
import { count, money, whole } from './format.js';
import { approximate, nano, shortUsd } from './money.js';
import { card, empty, failure, skeleton } from './parts.js';

const KEPT = 'batch-gateway-estimate';
const EXAMPLE = {
  displayName: 'nightly',
  model: 'gemini-3.5-flash',
  inputConfig: { instancesFormat: 'jsonl', gcsSource: { uris: ['gs://batch-in/example_input.jsonl'] } },
  outputConfig: { predictionsFormat: 'jsonl', gcsDestination: { outputUriPrefix: 'gs://batch-out/example' } },
};

export async function show(root, view) {
  const body = h('textarea', { rows: '18', spellcheck: 'false', class: 'code', required: true });
  body.value = kept() ?? '';
  const project = h('input', { autocomplete: 'off', required: true, value: view.query.get('project') ?? '' });
  const location = h('input', {
    autocomplete: 'off',
    required: true,
    value: view.query.get('location') ?? '',
  });
  const answer = card('Estimate');
  answer.fill(
    empty(
      'Nothing is submitted',
      'The gateway reads a sample of the input and says what the job would cost, and what it went by.',
    ),
  );
  const problem = h('p', { class: 'problem', role: 'alert' });
  const form = h(
    'form',
    { class: 'stack', novalidate: true },
    h('div', { class: 'row fields' }, field('Project', project), field('Location', location)),
    field('Body of a create', body, 'As you would POST it to …/batchPredictionJobs.'),
    problem,
    h(
      'div',
      { class: 'row' },
      h('button', { type: 'submit', class: 'button primary' }, 'Estimate'),
      button('Fill in an example', () => {
        body.value = JSON.stringify(EXAMPLE, null, 2);
        body.focus();
      }),
    ),
  );
  const asking = card('Job');
  asking.fill(form);
  fill(
    root,
    h('div', { class: 'title' }, h('h1', { tabindex: '-1' }, 'Estimate')),
    h('div', { class: 'columns even' }, asking.element, answer.element),
  );

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    fill(problem);
    keep(body.value);
    try {
      JSON.parse(body.value);
    } catch (error) {
      fill(
        problem,
        body.value.trim() ? `That is no JSON: ${error.message}` : 'Paste the body of a create first.',
      );
      return;
    }
    if (!project.value.trim() || !location.value.trim()) {
      fill(problem, 'Say in which project and location it would run.');
      return;
    }
    view.note({ project: project.value.trim(), location: location.value.trim() });
    answer.fill(skeleton(5));
    const path = `/v1/projects/${encodeURIComponent(project.value.trim())}/locations/${encodeURIComponent(location.value.trim())}`;
    try {
      answer.fill(result(await post(`${path}/batchPredictionJobs:estimateCost`, body.value, view.signal)));
    } catch (error) {
      answer.fill(failure(error));
    }
  });

  if (!project.value) {
    // Where the latest job ran is where the next one is likely to.
    const { data } = await get('/v1/jobs', [['limit', 1]], view.signal);
    if (data.length && !project.value && !location.value) {
      project.value = data[0].project;
      location.value = data[0].location;
    }
  }
}

function kept() {
  try {
    return sessionStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

function keep(text) {
  try {
    sessionStorage.setItem(KEPT, text);
  } catch {
    // Too long, or forbidden: it is in the field anyway.
  }
}

function result(estimate) {
  const { rows } = estimate;
  const amounts = ['low', 'expected', 'high'].map((name) => nano(estimate[name]));
  return [
    lines('Look at this first', estimate.warnings, 'banner warn'),
    h(
      'dl',
      { class: 'levels' },
      ['Low', 'Expected', 'High'].map((name, at) =>
        h('div', { class: name.toLowerCase() }, h('dt', {}, name), h('dd', {}, money(amounts[at]))),
      ),
    ),
    range(amounts),
    h(
      'dl',
      { class: 'pairs' },
      pair('Model', estimate.model),
      rows.total !== null &&
        pair('Rows', [
          count(rows.total),
          rows.exact === false && ' about',
          rows.sampled !== undefined && h('small', { class: 'muted' }, `(${whole(rows.sampled)} looked at)`),
        ]),
      estimate.inputTokens.expected !== null && pair('Input tokens', levels(estimate.inputTokens)),
      estimate.outputTokens.expected !== null && pair('Output tokens', levels(estimate.outputTokens)),
      pair('Prices of', estimate.priceTable),
    ),
    estimate.invalidRows.length > 0 && [
      h('h3', {}, 'Rows that Vertex AI would refuse'),
      table(
        'Invalid rows',
        [
          ['Object', 'uri'],
          ['Line', 'number'],
          ['Why', 'wrap'],
        ],
        estimate.invalidRows.map((row) => [
          h('span', { title: row.uri }, row.uri),
          row.line ?? '—',
          row.reason,
        ]),
      ),
    ],
    lines('What it goes by', estimate.assumptions, 'plain'),
  ];
}

function pair(name, ...value) {
  return h('div', {}, h('dt', {}, name), h('dd', {}, value));
}

function levels({ low, expected, high }) {
  return [count(expected), h('small', { class: 'muted' }, '(', count(low), ' to ', count(high), ')')];
}

function lines(title, texts, kind) {
  return (
    texts?.length > 0 &&
    h(
      'div',
      { class: kind },
      h('h3', {}, title),
      h(
        'ul',
        {},
        texts.map((text) => h('li', {}, text)),
      ),
    )
  );
}

/** Where the expected amount lies between low and high; nothing if one of them is unknown. */
function range([low, expected, high]) {
  if (low === null || expected === null || high === null || high === 0n) return null;
  const place = (amount) => `${(approximate(amount) / approximate(high)) * 100}%`;
  return h(
    'div',
    {
      class: 'range',
      role: 'img',
      'aria-label': `From ${shortUsd(low)} to ${shortUsd(high)}, expected ${shortUsd(expected)}`,
      style: { '--low': place(low), '--expected': place(expected) },
    },
    h('span'),
    h('i'),
  );
}
