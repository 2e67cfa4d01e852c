/** Prices in force, where they come from, and the operator's own. */

import { get } from './api.js';
import { button, h, table } from './dom.js';
import { usePolled } from './live.js';
import { MissingPrices } from './missingprices.js';
import { percent } from './money.js';
import { empty, loadedCard } from './parts.js';
import { PriceListCard } from './pricelist.js';
import { setDiscount, setRates, takeBack } from './pricedialogs.js';
import { Reprice } from './reprice.js';

/**
 * @typedef {{item: string, contextWindow: string | null, unitPrice: string}} Rate
 * @typedef {{source: 'override' | 'config' | 'table', page: string, since: string | null, discount: string | null,
 *   rates: Rate[]}} Charged
 * @typedef {Charged & {model: string, publisher: string | null, location: string, unit: string,
 *   nextChange: (Charged & {from: string}) | null}} Price
 * @typedef {{name: string, location: string | null, terms: Record<string, any>, setBy: string, setAt: string}} Override
 * @typedef {{priceTable: string, prices: Price[], overrides?: Override[],
 *   missing?: import('./missingprices.js').Missing[]}} PriceList the answer of /v1/prices
 */

/** @param {import('./main.js').View} view */
export function Prices({ who, query }) {
  const at = query.get('at') ?? '';
  const list = usePolled(
    () => 300,
    /** @returns {Promise<PriceList>} */
    (signal) => get('/v1/prices', at ? [['at', at]] : [], signal),
    [at],
  );
  return [
    h(
      'div',
      { class: 'title' },
      h('h1', { tabindex: -1 }, 'Prices'),
      list.data && h('p', { class: 'note' }, `Table ${list.data.priceTable}`),
    ),
    h(MissingPrices, { missing: list.data?.missing ?? [], maySet: who.may.administer, done: list.again }),
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
    h(PriceListCard, { from: list, query }),
    who.may.administer && h(Reprice, {}),
  ];
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
