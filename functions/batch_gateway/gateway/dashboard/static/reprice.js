/** What settled jobs would cost at the prices in force, before and while they are repriced. */

import { money } from './amounts.js';
import { post } from './api.js';
import { button, field, h, table } from './dom.js';
import { several } from './format.js';
import { useState } from './hooks.module.js';
import { added, nano } from './money.js';
import { ask, Card, say, skeleton } from './parts.js';

const MOST_SHOWN = 20;

/**
 * @typedef {{name: string, amount_before: string, unpriced_before: boolean, price_table_before: string,
 *   amount: string, unpriced: boolean}} Change
 * @typedef {{start_time: string, end_time: string, model?: string}} Range
 * @typedef {{range: Range, examined: number, changes: Change[]}} Preview
 */

export function Reprice() {
  const [found, setFound] = useState(/** @type {Preview | Error | 'busy' | null} */ (null));

  /** @param {SubmitEvent} event */
  async function look(event) {
    event.preventDefault();
    const form = new FormData(/** @type {HTMLFormElement} */ (event.currentTarget));
    const typed = (/** @type {string} */ name) => String(form.get(name) ?? '').trim();
    if (!typed('start')) return setFound(new Error('From which day on?'));
    const range = {
      start_time: `${typed('start')}T00:00:00Z`,
      end_time: typed('end') ? `${typed('end')}T00:00:00Z` : new Date().toISOString(),
      ...(typed('model') && { model: typed('model') }),
    };
    setFound('busy');
    try {
      setFound({ range, ...(await repriced(range, true)) });
    } catch (error) {
      setFound(/** @type {Error} */ (error));
    }
    return undefined;
  }

  return h(
    Card,
    { title: 'Price settled jobs again', note: 'First see what would change' },
    h(
      'form',
      { class: 'row fields', novalidate: true, onsubmit: look, oninput: () => setFound(null) },
      field('Created from', h('input', { type: 'date', name: 'start', required: true })),
      field('Created before', h('input', { type: 'date', name: 'end' })),
      field('Model', h('input', { name: 'model', autocomplete: 'off', placeholder: 'all' })),
      h('button', { type: 'submit', class: 'button', disabled: found === 'busy' }, 'What would change?'),
    ),
    found === 'busy' && skeleton(2),
    found instanceof Error && h('p', { class: 'problem', role: 'alert' }, found.message),
    found &&
      found !== 'busy' &&
      !(found instanceof Error) &&
      h(Shown, { preview: found, done: () => setFound(null) }),
  );
}

/** @param {{preview: Preview, done: () => void}} props */
function Shown({ preview: { range, examined, changes }, done }) {
  if (!changes.length) {
    return h('p', { role: 'status' }, `Nothing: ${several(examined, 'job')} would cost the same.`);
  }
  const before = added(changes.map(was));
  const after = added(changes.map(becomes));

  async function reprice() {
    let number = 0;
    const sure = await ask(
      `Reprice ${several(changes.length, 'job')}?`,
      h('p', {}, 'Their old amounts and price tables stay on record, and spend reports follow.'),
      {
        action: 'Reprice them',
        submit: async () => {
          number = (await repriced(range, false)).changes.length;
        },
      },
    );
    if (!sure) return;
    say(`${several(number, 'job')} repriced.`);
    done();
  }

  return [
    h(
      'p',
      { class: 'summary', role: 'status' },
      h('b', {}, `${several(changes.length, 'job')} of ${examined}`),
      ' would change: together from ',
      h('b', {}, money(before.amount, before)),
      ' to ',
      h('b', {}, money(after.amount, after)),
    ),
    table(
      'What would change',
      [
        ['Job', 'uri'],
        ['Now', 'number'],
        ['Then', 'number'],
      ],
      changes
        .slice(0, MOST_SHOWN)
        .map((change) => [
          change.name.split('/').at(-1),
          ...[was(change), becomes(change)].map((cost) => money(cost.amount, cost)),
        ]),
    ),
    changes.length > MOST_SHOWN && h('p', { class: 'help' }, `The first ${MOST_SHOWN}.`),
    button('Reprice them', reprice, { kind: 'primary' }),
  ];
}

/** @param {Change} change */
function was({ amount_before, unpriced_before }) {
  return { amount: nano(amount_before), floor: unpriced_before };
}

/** @param {Change} change */
function becomes({ amount, unpriced }) {
  return { amount: nano(amount), floor: unpriced };
}

/**
 * Reprices page by page, or only says what that would do.
 * @param {Range} range
 * @param {boolean} only
 */
async function repriced(range, only) {
  /** @type {Change[]} */
  const changes = [];
  let examined = 0;
  let page = null;
  do {
    /** @type {{examined: number, repriced: Change[], next_page: string | null}} */
    const answer = await post('/v1/costs:reprice', { ...range, validate_only: only, ...(page && { page }) });
    changes.push(...answer.repriced);
    examined += answer.examined;
    page = answer.next_page;
  } while (page);
  return { examined, changes };
}
