/** Prices in force, where they come from, and the owner's own. */

import { get } from './api.js';
import { button, h, select, table } from './dom.js';
import { useState } from './hooks.module.js';
import { usePolled } from './live.js';
import { perMillion } from './money.js';
import { empty, loadedCard } from './parts.js';
import { setDiscount, setRates, takeBack } from './pricedialogs.js';
import { Reprice } from './reprice.js';

/**
 * @typedef {{item: string, contextWindow: string | null, unitPrice: string}} Rate
 * @typedef {{
 *   model: string, location: string, unit: string, source: 'override' | 'config' | 'table', page: string,
 *   since: string | null, discount: string | null, rates: Rate[], nextChange: {from: string, rates: Rate[]} | null,
 * }} Price
 * @typedef {{name: string, location: string | null, terms: Record<string, any>, setBy: string, setAt: string}} Override
 * @typedef {{priceTable: string, prices: Price[], overrides?: Override[]}} PriceList the answer of /v1/prices
 */

const SOURCES = { table: 'Google’s list', config: 'configuration', override: 'your own' };

/** @param {import('./main.js').View} view */
export function Prices({ who }) {
  const [search, setSearch] = useState('');
  const [at, setAt] = useState('');
  const [place, setPlace] = useState('global');
  const list = usePolled(
    () => 300,
    /** @returns {Promise<PriceList>} */
    (signal) => get('/v1/prices', at ? [['at', at]] : [], signal),
    [at],
  );
  const locations = [...new Set(list.data?.prices.map(({ location }) => location) ?? ['global'])];
  return [
    h(
      'div',
      { class: 'title' },
      h('h1', { tabindex: -1 }, 'Prices'),
      list.data && h('p', { class: 'note' }, `Table ${list.data.priceTable}`),
    ),
    who.may.seeEverything &&
      loadedCard({
        title: 'Your own prices',
        note: 'They hold within a minute, for what is settled from then on',
        actions: who.may.administer && [
          button('Set a discount', async () => (await setDiscount()) && list.again()),
          button('Set rates', async () => (await setRates()) && list.again()),
        ],
        from: list,
        draw: ({ overrides = [] }) =>
          overrides.length
            ? overridesTable(overrides, who.may.administer ? list.again : null)
            : empty('None', 'Every job is priced at Google’s list, or at the rates of the configuration.'),
      }),
    who.may.administer && h(Reprice, {}),
    loadedCard({
      title: 'Prices of batch jobs',
      note: 'USD for a million units',
      actions: [
        h('input', {
          type: 'search',
          'aria-label': 'Model',
          placeholder: 'Model',
          value: search,
          oninput: (/** @type {any} */ event) => setSearch(event.target.value),
        }),
        select(
          locations.map((each) => [each, each === '*' ? 'all other locations' : each]),
          place,
          { 'aria-label': 'Location', onchange: (/** @type {any} */ event) => setPlace(event.target.value) },
        ),
        h('input', {
          type: 'date',
          'aria-label': 'On this day',
          value: at,
          onchange: (/** @type {any} */ event) => setAt(event.target.value),
        }),
      ],
      lines: 8,
      from: list,
      draw: ({ prices }) => {
        const found = prices.filter(
          (price) => price.location === place && price.model.toLowerCase().includes(search.toLowerCase()),
        );
        return found.length ? pricesTable(found) : empty('No such model', 'Nobody has set a price for it.');
      },
    }),
  ];
}

/** @param {Price[]} prices */
function pricesTable(prices) {
  return table(
    'Prices',
    [
      ['Model', ''],
      ['Rates', 'wrap'],
      ['From', 'wrap'],
      ['Next change', ''],
    ],
    prices.map((price) => [
      price.model,
      rates(price),
      [
        h('span', {}, `${SOURCES[price.source]}: ${price.page}`),
        price.discount && h('small', {}, ` ${percent(price.discount)} off`),
        h('small', { class: 'muted' }, price.since ? ` since ${price.since}` : ''),
      ],
      price.nextChange ? h('time', { datetime: price.nextChange.from }, price.nextChange.from) : '—',
    ]),
  );
}

/**
 * Shows rates; kinds of input, or of output, that cost the same share a line.
 * @param {Price} price
 */
function rates({ rates: all, unit }) {
  /** @type {Map<string, Rate & {kinds: string[]}>} */
  const groups = new Map();
  for (const rate of all) {
    const [, direction, kind] = /^(.*put)_(.*)$/.exec(rate.item) ?? ['', rate.item, ''];
    const name = JSON.stringify([direction, rate.contextWindow, rate.unitPrice]);
    const group = groups.get(name) ?? { ...rate, item: direction, kinds: [] };
    group.kinds.push(kind);
    groups.set(name, group);
  }
  return h(
    'ul',
    { class: 'rates' },
    [...groups].map(([name, { item, contextWindow, unitPrice, kinds }]) =>
      h(
        'li',
        { key: name, title: `$${unitPrice} a ${unit}` },
        h('b', {}, perMillion(unitPrice)),
        ` ${item.replaceAll('_', ' ')} `,
        h('span', { class: 'muted' }, kinds.join(', '), contextWindow && ` · ${contextWindow}`),
      ),
    ),
  );
}

/**
 * @param {Override[]} overrides
 * @param {(() => void) | null} again called when one is taken back; null if that is not allowed
 */
function overridesTable(overrides, again) {
  return table(
    'Your own prices',
    [
      ['For', ''],
      ['Location', ''],
      ['What', 'wrap'],
      ['Set by', ''],
      ...(again ? [[h('span', { class: 'unseen' }, 'Take back'), '']] : []),
    ],
    overrides.map((override) => [
      override.name === 'publishers/-' ? 'everything' : override.name,
      override.location ?? 'all',
      terms(override.terms),
      [override.setBy, h('small', { class: 'muted' }, ` ${override.setAt.slice(0, 10)}`)],
      ...(again
        ? [
            button('Take back', async () => (await takeBack(override)) && again(), {
              'aria-label': `Take back the price of ${override.name}`,
            }),
          ]
        : []),
    ]),
  );
}

/** @param {Record<string, any>} set */
function terms(set) {
  /** @type {{discount: string, from?: string | null, source?: string}[]} */
  const discounts = set.discounts ?? (set.discount ? [set] : []);
  if (discounts.length) {
    return discounts
      .map(({ discount, from, source }) =>
        [`${percent(discount)} off`, from && `from ${from}`, source && `(${source})`]
          .filter(Boolean)
          .join(' '),
      )
      .join(', ');
  }
  return h('details', {}, h('summary', {}, 'Rates'), h('pre', {}, JSON.stringify(set, null, 1)));
}

/**
 * Returns "0.075" as "7.5 %", exactly.
 * @param {string} part
 */
export function percent(part) {
  const digits = (part.split('.')[1] ?? '').padEnd(2, '0');
  const rest = digits.slice(2).replace(/0+$/, '');
  return `${Number(digits.slice(0, 2))}${rest ? `.${rest}` : ''} %`;
}
