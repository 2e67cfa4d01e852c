/** The prices in force as a list that folds: by publisher, and by model. */

import { go } from './address.js';
import { DateField } from './datefield.js';
import { button, h, select } from './dom.js';
import { several } from './format.js';
import { useEffect, useState } from './hooks.module.js';
import { percent, perMillion, perMillionBetween } from './money.js';
import { empty, loadedCard } from './parts.js';

/**
 * @typedef {import('./prices.js').Price} Price
 * @typedef {import('./prices.js').Charged} Charged
 * @typedef {import('./prices.js').Rate} Rate
 */

const SOURCES = { table: 'Google’s list', config: 'configuration', override: 'your own' };
const ANYWHERE = 'any';

/**
 * @param {{from: import('./live.js').Polled<import('./prices.js').PriceList>, query: URLSearchParams}} props
 */
export function PriceListCard({ from, query }) {
  const asked = query.get('q') ?? '';
  const [text, setText] = useState(asked);
  useEffect(() => setText(asked), [asked]);
  const publisher = query.get('publisher') ?? '';
  const source = query.get('source') ?? '';
  // Own prices are often those of one location.
  const place = query.get('location') ?? (source === 'own' ? ANYWHERE : 'global');
  const all = from.data?.prices ?? [];
  const locations = [...new Set(['global', '*', ...all.map((price) => price.location)]), ANYWHERE];
  const publishers = [...new Set(all.map(publisherOf))].sort();

  const set = (/** @type {string} */ name) => (/** @type {any} */ event) =>
    go({ [name]: event.target.value || null });
  /** @param {any} event */
  const typed = (event) => {
    setText(event.target.value);
    // What an input method composes is not a word yet.
    if (!event.isComposing) go({ q: event.target.value.trim() }, { replace: true });
  };
  return loadedCard({
    title: 'Prices of batch jobs',
    note: 'USD for a million units',
    lead: h(
      'div',
      { class: 'filters', role: 'search' },
      h('input', {
        type: 'search',
        class: 'search',
        'aria-label': 'Model',
        placeholder: 'Search a model',
        value: text,
        oninput: typed,
        oncompositionend: typed,
      }),
      select([['', 'All publishers'], ...publishers.map((name) => [name, name])], publisher, {
        'aria-label': 'Publisher',
        onchange: set('publisher'),
      }),
      select(
        [
          ['', 'All prices'],
          ['own', 'Your own only'],
          ['list', 'Google’s list only'],
        ],
        source,
        { 'aria-label': 'Source', onchange: set('source') },
      ),
      select(
        locations.map((each) => [each, locationName(each)]),
        place,
        { 'aria-label': 'Location', onchange: set('location') },
      ),
      h(DateField, {
        type: 'date',
        'aria-label': 'On this day',
        title: 'On this day',
        value: query.get('at') ?? '',
        chosen: (at) => go({ at }),
      }),
    ),
    lines: 6,
    from,
    draw: ({ prices }) => {
      const words = text.trim().toLowerCase();
      const found = prices.filter(
        (price) =>
          (place === ANYWHERE || price.location === place) &&
          (!publisher || publisherOf(price) === publisher) &&
          (!source || (price.source === 'table') === (source === 'list')) &&
          price.model.toLowerCase().includes(words),
      );
      return [
        h('p', { class: 'unseen', role: 'status' }, several(found.length, 'price')),
        found.length
          ? groups(found, { narrowed: Boolean(words || publisher || source), named: place === ANYWHERE })
          : empty(
              'No such price',
              source === 'own'
                ? 'Every job is priced at Google’s list.'
                : 'Nobody has set a price for it here.',
              place !== ANYWHERE && button('Look in all locations', () => go({ location: ANYWHERE })),
            ),
      ];
    },
  });
}

/** @param {Price} price */
function publisherOf(price) {
  return price.publisher ?? 'other';
}

/** @param {string} location */
function locationName(location) {
  if (location === ANYWHERE) return 'Any location';
  return location === '*' ? 'All other locations' : location;
}

/**
 * @param {Price[]} prices
 * @param {{narrowed: boolean, named: boolean}} options `narrowed` to a search or filter, whose finds are shown at once;
 *   `named` if rows say their location
 */
function groups(prices, { narrowed, named }) {
  /** @type {Map<string, Price[]>} */
  const found = new Map();
  for (const price of prices) {
    const name = publisherOf(price);
    found.set(name, [...(found.get(name) ?? []), price]);
  }
  return [...found]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, group]) => {
      const own = group.filter(({ source }) => source !== 'table').length;
      const coming = group.filter(({ nextChange }) => nextChange).length;
      return h(
        'details',
        { class: 'publisher', key: name, open: narrowed || found.size === 1 },
        h(
          'summary',
          {},
          h('b', {}, name),
          ` ${several(group.length, 'price')}`,
          own > 0 && ` · ${own} of your own`,
          coming > 0 && ` · ${several(coming, 'change')} ahead`,
        ),
        h(
          'ul',
          { class: 'prices' },
          group.map((price) =>
            h(
              'li',
              { key: `${price.model} ${price.location}` },
              h('details', {}, row(price, named), more(price)),
            ),
          ),
        ),
      );
    });
}

/**
 * @param {Price} price
 * @param {boolean} named
 */
function row(price, named) {
  const between = (/** @type {string} */ start) =>
    perMillionBetween(
      price.rates.filter(({ item }) => item.startsWith(start)).map(({ unitPrice }) => unitPrice),
    );
  const [input, output] = [between('input_'), between('output_')];
  return h(
    'summary',
    {},
    h('b', {}, price.model, named && h('small', { class: 'muted' }, ` ${locationName(price.location)}`)),
    h('span', {}, input && [h('small', { class: 'muted' }, 'input '), input]),
    h('span', {}, output && [h('small', { class: 'muted' }, 'output '), output]),
    h(
      'span',
      { class: 'chips' },
      price.source !== 'table' && h('span', { class: 'badge run' }, SOURCES[price.source]),
      price.discount && h('span', { class: 'badge good' }, `${percent(price.discount)} off`),
      price.nextChange && h('span', { class: 'badge warn' }, `changes ${price.nextChange.from}`),
    ),
  );
}

/** @param {Price} price */
function more(price) {
  const { nextChange, unit } = price;
  return h(
    'div',
    { class: 'more' },
    charged(price, unit),
    nextChange && [h('h3', {}, `From ${nextChange.from}`), charged(nextChange, unit)],
  );
}

/**
 * Shows what is charged, and who says so.
 * @param {Charged} price
 * @param {string} unit
 */
function charged(price, unit) {
  return [
    rates(price.rates, unit),
    h(
      'p',
      { class: 'help' },
      `${SOURCES[price.source]}: ${price.page}`,
      price.discount && ` (${percent(price.discount)} off)`,
      price.since && `, since ${price.since}`,
    ),
  ];
}

/**
 * Shows rates; kinds of input, or of output, that cost the same share a line. A context window is named where it
 * makes a difference.
 * @param {Rate[]} all
 * @param {string} unit
 */
function rates(all, unit) {
  /** @type {Map<string, Set<string>>} */
  const prices = new Map();
  for (const { item, unitPrice } of all) prices.set(item, (prices.get(item) ?? new Set()).add(unitPrice));
  /** @type {Map<string, {direction: string, window: string | null, unitPrice: string, kinds: Set<string>}>} */
  const found = new Map();
  for (const { item, contextWindow, unitPrice } of all) {
    const [, direction, kind] = /^(.*put)_(.*)$/.exec(item) ?? ['', item, ''];
    const window = (prices.get(item)?.size ?? 0) > 1 ? contextWindow : null;
    const name = JSON.stringify([direction, window, unitPrice]);
    const group = found.get(name) ?? { direction, window, unitPrice, kinds: new Set() };
    group.kinds.add(kind);
    found.set(name, group);
  }
  return h(
    'ul',
    { class: 'rates' },
    [...found].map(([name, { direction, window, unitPrice, kinds }]) =>
      h(
        'li',
        { key: name, title: `$${unitPrice} a ${unit}` },
        h('b', {}, perMillion(unitPrice)),
        ` ${direction.replaceAll('_', ' ')} `,
        h('span', { class: 'muted' }, [...kinds].join(', '), window && ` · ${window}`),
      ),
    ),
  );
}
