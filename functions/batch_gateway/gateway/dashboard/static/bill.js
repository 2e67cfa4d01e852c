/** Our books beside Google's bill: by day, project and SKU, and what explains a difference. */

import { go } from './address.js';
import { get } from './api.js';
import { Shown } from './billlines.js';
import { field, h } from './dom.js';
import { DAY } from './format.js';
import { useEffect, useState } from './hooks.module.js';
import { Card, empty, loadedCard } from './parts.js';
import { away } from './places.js';
import { FieldError, ProblemOfForm, useProblem } from './problems.js';

/**
 * @typedef {{sku: string, description: string, amount: string}} Sku
 * @typedef {{day: string, project: string, model: string | null, item: string | null, ours: string, google: string,
 *   difference: string, ratio: string | null, reasons: string[], skus: Sku[]}} Line
 * @typedef {{
 *   ours: string, google: string, difference: string, ratio: string | null, agrees_within_percent: string | null,
 *   summary: string, discounts: string, promotions: string, reasons: Record<string, string>, lines: Line[],
 *   not_compared: Sku[], unconverted: (Sku & {day: string, project: string, currency: string})[],
 *   export: {table: string, kind: string, newest: number | null, bytes_read: number},
 * }} Comparison the answer of /v1/costs:reconcile
 * @typedef {{from: string, to: string}} Days the first and the last one, in UTC
 */

const COMPARED = 28;
/** Exports are late, and jobs run for up to four days: as for the gateway's own daily comparison. */
const SETTLED_AFTER = 3;
const SETUP = 'https://cloud.google.com/billing/docs/how-to/export-data-bigquery-setup';

/** @param {import('./main.js').View} view */
export function Bill({ query }) {
  const today = Date.now();
  const days = {
    from: dayIn(query.get('from')) ?? dayOf(today - (SETTLED_AFTER + COMPARED) * DAY),
    to: dayIn(query.get('to')) ?? dayOf(today - (SETTLED_AFTER + 1) * DAY),
  };
  const found = useComparison(days);
  const missing =
    /** @type {any} */ (found.error)?.reason === 'BILLING_EXPORT_NOT_CONFIGURED' ? found.error : null;
  return [
    h(
      'div',
      { class: 'title' },
      h('h1', { tabindex: -1 }, 'Bill'),
      h('p', { class: 'note' }, 'Our books beside Google’s'),
    ),
    missing
      ? setup(missing.message)
      : [
          h(Range, { days, again: found.again }),
          found.data
            ? h(Shown, { found: found.data, days, only: query.get('show') === 'differences' })
            : areInOrder(days) &&
              loadedCard({ title: 'Comparison', lines: 8, from: found, draw: () => null }),
        ],
  ];
}

/**
 * Reads the comparison once, and again only when somebody asks: each is a query that BigQuery bills.
 * @param {Days} days
 * @returns {import('./live.js').Polled<Comparison>}
 */
function useComparison({ from, to }) {
  const [round, setRound] = useState(0);
  const of = `${from} ${to} ${round}`;
  const [state, setState] = useState(
    /** @type {{of: string, data: Comparison | null, error: Error | null}} */ ({
      of: '',
      data: null,
      error: null,
    }),
  );
  useEffect(() => {
    if (!areInOrder({ from, to })) return undefined;
    const leaving = new AbortController();
    /** @type {import('./api.js').Query} */
    const span = [
      ['start_time', `${from}T00:00:00Z`],
      ['end_time', `${dayOf(Date.parse(to) + DAY)}T00:00:00Z`],
    ];
    get('/v1/costs:reconcile', span, leaving.signal).then(
      (data) => setState({ of, data, error: null }),
      (error) => leaving.signal.aborted || setState({ of, data: null, error }),
    );
    return () => leaving.abort();
  }, [of]);
  const current = state.of === of;
  return {
    data: current ? state.data : null,
    error: current ? state.error : null,
    again: () => setRound(round + 1),
  };
}

/** @param {number} time */
function dayOf(time) {
  return new Date(time).toISOString().slice(0, 10);
}

/** @param {string | null} text */
function dayIn(text) {
  return text !== null && /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)) ? text : null;
}

/** @param {Days} days */
function areInOrder({ from, to }) {
  return from <= to;
}

/** @param {{days: Days, again: () => void}} props */
function Range({ days, again }) {
  const [typed, setTyped] = useState(days);
  const { form, setError, ofField } = useProblem();
  const check = (/** @type {Days} */ these) =>
    setError(areInOrder(these) ? null : new FieldError('to', 'The last day is before the first.'));
  useEffect(() => {
    setTyped(days);
    check(days);
  }, [days.from, days.to]);
  /** @param {SubmitEvent} event */
  const compare = (event) => {
    event.preventDefault();
    check(typed);
    if (!areInOrder(typed)) return;
    if (typed.from === days.from && typed.to === days.to) again();
    else go({ ...typed });
  };
  const day = (/** @type {'from' | 'to'} */ name) =>
    h('input', {
      type: 'date',
      name,
      required: true,
      value: typed[name],
      oninput: (/** @type {any} */ event) => setTyped({ ...typed, [name]: event.target.value }),
    });
  return h(
    'form',
    { ref: form, class: 'row fields range-of-days', onsubmit: compare },
    h(
      ProblemOfForm.Provider,
      { value: ofField },
      field('First day', day('from')),
      field('Last day', day('to')),
    ),
    h('button', { type: 'submit', class: 'button primary' }, 'Compare'),
    h(
      'p',
      { class: 'help' },
      'Days of UTC, 93 at most. Compare weeks rather than days: jobs are booked when they are created, and billed when they run.',
    ),
  );
}

/** @param {string} advice */
function setup(advice) {
  return h(
    Card,
    { title: 'Compare with Google’s bill' },
    empty(
      'No billing export is configured',
      advice,
      h(
        'ol',
        { class: 'steps' },
        h(
          'li',
          {},
          away(SETUP, 'Export Cloud Billing to BigQuery'),
          ': the standard, the detailed or the FOCUS export.',
        ),
        h(
          'li',
          {},
          'Name its table: with Terraform in ',
          h('code', {}, 'billing_export'),
          ', which also grants the right to read it, or in the configuration:',
          h('pre', {}, 'general_settings:\n  billing_export: PROJECT.DATASET.TABLE'),
        ),
        h('li', {}, 'Come back when the export has its first days.'),
      ),
    ),
  );
}
