/** The estimate of a job, from the body that would create it. */

import { note } from './address.js';
import { get, post } from './api.js';
import { amountText, money } from './amounts.js';
import { button, field, h, table } from './dom.js';
import { count, whole } from './format.js';
import { useEffect, useRef, useState } from './hooks.module.js';
import { approximate, knownNano } from './money.js';
import { Card, empty, failure, skeleton } from './parts.js';
import { expectedTime } from './timing.js';

const KEPT = 'batch-gateway-estimate';
const EXAMPLE = {
  displayName: 'nightly',
  model: 'publishers/google/models/gemini-3.5-flash',
  inputConfig: { instancesFormat: 'jsonl', gcsSource: { uris: ['gs://batch-in/example_input.jsonl'] } },
  outputConfig: { predictionsFormat: 'jsonl', gcsDestination: { outputUriPrefix: 'gs://batch-out/example' } },
};

/**
 * @typedef {{low: number | null, expected: number | null, high: number | null}} Levels
 * @typedef {{
 *   low: string | null, expected: string | null, high: string | null, model: string, priceTable: string,
 *   rows: {total: number | null, exact?: boolean, sampled?: number, invalid: number, fatal: number}, inputTokens: Levels, outputTokens: Levels,
 *   expectedTime: import('./timing.js').Expected, warnings?: string[], assumptions?: string[], invalidRows: {uri: string, line: number | null, reason: string}[],
 * }} Estimated the answer of …:estimateCost
 * @typedef {HTMLInputElement | HTMLTextAreaElement} Control
 */

/** @param {import('./main.js').View} view */
export function Estimate({ query }) {
  const body = useRef(/** @type {HTMLTextAreaElement | null} */ (null));
  const project = useRef(/** @type {HTMLInputElement | null} */ (null));
  const location = useRef(/** @type {HTMLInputElement | null} */ (null));
  const [problem, setProblem] = useState('');
  const [answer, setAnswer] = useState(/** @type {Estimated | Error | 'busy' | null} */ (null));
  const [first] = useState({
    body: kept() ?? '',
    project: query.get('project') ?? '',
    location: query.get('location') ?? '',
  });

  useEffect(() => {
    const leaving = new AbortController();
    if (!first.project) {
      // Where the latest job ran is where the next one is likely to.
      get('/v1/jobs', [['limit', 1]], leaving.signal).then(
        ({ data }) => {
          if (!data.length || !project.current || !location.current) return;
          if (project.current.value || location.current.value) return;
          project.current.value = data[0].project;
          location.current.value = data[0].location;
        },
        () => {},
      );
    }
    return () => leaving.abort();
  }, []);

  /** @param {SubmitEvent} event */
  async function submitted(event) {
    event.preventDefault();
    const [text, where, place] = [body, project, location].map((each) => each.current?.value.trim() ?? '');
    setProblem('');
    keep(text);
    try {
      JSON.parse(text);
    } catch (error) {
      const why = /** @type {Error} */ (error).message;
      setProblem(text ? `This is not valid JSON: ${why}` : 'Paste the request body first.');
      return;
    }
    if (!where || !place) {
      setProblem('Enter the project and location in which the job would run.');
      return;
    }
    note({ project: where, location: place });
    setAnswer('busy');
    const path = `/v1/projects/${encodeURIComponent(where)}/locations/${encodeURIComponent(place)}`;
    try {
      setAnswer(await post(`${path}/batchPredictionJobs:estimateCost`, text));
    } catch (error) {
      setAnswer(/** @type {Error} */ (error));
    }
  }

  const example = () => {
    if (!body.current) return;
    body.current.value = JSON.stringify(EXAMPLE, null, 2);
    body.current.focus();
  };
  const single = { autocomplete: 'off', required: true };
  return [
    h('div', { class: 'title' }, h('h1', { tabindex: -1 }, 'Estimate')),
    h(
      'div',
      { class: 'columns even' },
      h(
        Card,
        { title: 'Job' },
        h(
          'form',
          { class: 'stack', novalidate: true, onsubmit: submitted },
          h(
            'div',
            { class: 'row fields' },
            field('Project', h('input', { ...single, ref: project, defaultValue: first.project })),
            field('Location', h('input', { ...single, ref: location, defaultValue: first.location })),
          ),
          field(
            'Request body',
            h('textarea', {
              rows: 18,
              spellcheck: false,
              class: 'code',
              required: true,
              ref: body,
              defaultValue: first.body,
            }),
            'As you would POST it to …/batchPredictionJobs.',
          ),
          h('p', { class: 'problem', role: 'alert' }, problem),
          h(
            'div',
            { class: 'row' },
            h('button', { type: 'submit', class: 'button primary' }, 'Estimate'),
            button('Fill in an example', example),
          ),
        ),
      ),
      h(Card, { title: 'Estimate' }, shown(answer)),
    ),
  ];
}

/** @param {Estimated | Error | 'busy' | null} answer */
function shown(answer) {
  if (answer === 'busy') return skeleton(5);
  if (answer instanceof Error) return failure(answer, null, 'There is no estimate');
  if (answer) return result(answer);
  return empty(
    'Nothing is submitted',
    'The gateway reads a sample of the input and says what the job would cost, and on which assumptions.',
  );
}

function kept() {
  try {
    return sessionStorage.getItem(KEPT);
  } catch {
    return null;
  }
}

/** @param {string} text */
function keep(text) {
  try {
    sessionStorage.setItem(KEPT, text);
  } catch {
    // Too long, or forbidden: it is in the field anyway.
  }
}

/**
 * Shows an estimate, and the rows that Vertex AI would refuse.
 * @param {Estimated} estimate
 */
export function result(estimate) {
  const { rows } = estimate;
  const amounts = [estimate.low, estimate.expected, estimate.high].map(knownNano);
  return [
    lines('Warnings', estimate.warnings, 'banner warn'),
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
          rows.sampled !== undefined && h('small', { class: 'muted' }, `(${whole(rows.sampled)} sampled)`),
        ]),
      estimate.inputTokens.expected !== null && pair('Input tokens', levels(estimate.inputTokens)),
      estimate.outputTokens.expected !== null && pair('Output tokens', levels(estimate.outputTokens)),
      pair('Prices of', estimate.priceTable),
    ),
    expectedTime(estimate.expectedTime),
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
    lines('Assumptions', estimate.assumptions, 'plain'),
  ];
}

/**
 * @param {string} name
 * @param {import('./dom.js').Children[]} value
 */
function pair(name, ...value) {
  return h('div', {}, h('dt', {}, name), h('dd', {}, value));
}

/** @param {Levels} levels */
function levels({ low, expected, high }) {
  return [count(expected), h('small', { class: 'muted' }, '(', count(low), ' to ', count(high), ')')];
}

/**
 * @param {string} title
 * @param {string[] | undefined} texts
 * @param {string} kind
 */
function lines(title, texts, kind) {
  return (
    texts &&
    texts.length > 0 &&
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

/**
 * Returns where the expected amount lies between low and high; nothing if one of them is unknown.
 * @param {(bigint | null)[]} amounts
 */
function range([low, expected, high]) {
  if (low === null || expected === null || high === null || high === 0n) return null;
  const place = (/** @type {bigint} */ amount) => `${(approximate(amount) / approximate(high)) * 100}%`;
  return h(
    'div',
    {
      class: 'range',
      role: 'img',
      'aria-label': `From ${amountText(low)} to ${amountText(high)}, expected ${amountText(expected)}`,
      style: { '--low': place(low), '--expected': place(expected) },
    },
    h('span', {}),
    h('i', {}),
  );
}
