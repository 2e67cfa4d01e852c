/** Dialogs that set the operator's own prices, and take them back. */

import { put, remove } from './api.js';
import { field, h, select } from './dom.js';
import { ask, say } from './parts.js';

const PUBLISHERS = [
  ['publishers/-', 'Everything'],
  ['publishers/google', 'Models of Google'],
  ['publishers/anthropic', 'Models of Anthropic'],
  ['publishers/meta', 'Models of Meta'],
  ['', 'One model'],
];
const RATES = {
  unit: 'token',
  non_global_multiplier: '1',
  prices: [{ from: null, source: 'our agreement', batch: { input: '0.7', output: '4.1' } }],
};
const REPRICE = 'Jobs that are settled already keep their cost until they are repriced.';

/**
 * @param {string} name
 * @param {string | null} location
 */
function pathOf(name, location) {
  const path = name.split('/').map(encodeURIComponent).join('/');
  return `/v1/prices/${path}${location ? `?location=${encodeURIComponent(location)}` : ''}`;
}

/**
 * Returns "7.5" percent as "0.075". Throws what is wrong with it.
 * @param {string} text
 */
export function typedPercent(text) {
  const [, whole, rest = ''] = /^(\d{1,2})(?:\.(\d{1,4}))?\s*%?$/.exec(text) ?? [];
  if (whole === undefined) throw new Error('Write the discount in percent, below 100, such as 7 or 12.5.');
  return `0.${whole.padStart(2, '0')}${rest}`;
}

/** Asks for a discount, and sets it; resolves to whether there is a new one. */
export async function setDiscount() {
  const done = await ask(
    'Set a discount',
    [
      h('p', {}, `It is on the rates of Google’s list. ${REPRICE}`),
      field('For', select(PUBLISHERS, 'publishers/-', { name: 'publisher' })),
      field('Model', h('input', { name: 'model', autocomplete: 'off' }), 'Only for “One model”.'),
      field('Discount in percent', h('input', { name: 'percent', inputmode: 'decimal', required: true })),
      field(
        'From',
        h('input', { name: 'from', type: 'date' }),
        'In UTC. Empty: always. Replaces an earlier one at once.',
      ),
      field('Location', h('input', { name: 'location', autocomplete: 'off' }), 'Empty: all.'),
      field('Source', h('input', { name: 'source', autocomplete: 'off', placeholder: 'our agreement' })),
    ],
    {
      action: 'Set the discount',
      submit: (value) => {
        const name = value('publisher') || value('model');
        if (!name) throw new Error('Which model?');
        return put(pathOf(name, value('location')), {
          discount: typedPercent(value('percent')),
          ...(value('from') && { from: value('from') }),
          ...(value('source') && { source: value('source') }),
        });
      },
    },
  );
  if (done) say('The discount is set.');
  return done;
}

/**
 * Asks for a model's rates, and sets them; resolves to whether there are new ones.
 * @param {string} model
 * @param {object} terms what stands in the form, in the form of the price table
 */
export async function setRates(model = '', terms = RATES) {
  const done = await ask(
    'Set rates',
    [
      h('p', {}, `USD for a million units. An item that is left out is unpriced. ${REPRICE}`),
      field('Model', h('input', { name: 'model', autocomplete: 'off', required: true, defaultValue: model })),
      field('Location', h('input', { name: 'location', autocomplete: 'off' }), 'Empty: all.'),
      field(
        'Rates',
        h('textarea', {
          name: 'rates',
          class: 'code',
          rows: 12,
          spellcheck: false,
          defaultValue: JSON.stringify(terms, null, 2),
        }),
        'In the form of the price table, as the API’s documentation describes.',
      ),
    ],
    {
      action: 'Set the rates',
      submit: (value) => {
        if (!value('model')) throw new Error('Which model?');
        return put(pathOf(value('model'), value('location')), JSON.parse(value('rates')));
      },
    },
  );
  if (done) say('The rates are set.');
  return done;
}

/**
 * Asks, and takes a price back; resolves to whether it is gone.
 * @param {import('./prices.js').Override} override
 */
export async function takeBack({ name, location }) {
  const done = await ask(
    `Take back the price of ${name}?`,
    h('p', {}, `Jobs that are settled from now on are priced without it. ${REPRICE}`),
    { action: 'Take it back', kind: 'danger', submit: () => remove(pathOf(name, location)) },
  );
  if (done) say('It is taken back.');
  return done;
}
