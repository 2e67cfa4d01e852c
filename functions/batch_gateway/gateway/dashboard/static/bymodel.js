/** Cost by model. */

import { linkTo } from './address.js';
import { money } from './amounts.js';
import { h } from './dom.js';
import { bar } from './format.js';
import { nano, percentOf, sum } from './money.js';
import { empty, loadedCard } from './parts.js';

/** @typedef {import('./api.js').Bucket} Bucket */

/** @param {Bucket[]} buckets */
function totals(buckets) {
  /** @type {Map<string | null, {amount: bigint, floor: boolean}>} */
  const models = new Map();
  for (const result of buckets.flatMap((bucket) => bucket.results)) {
    const model = models.get(result.model) ?? { amount: 0n, floor: false };
    model.amount += nano(result.amount.value);
    model.floor ||= result.unpriced;
    models.set(result.model, model);
  }
  return [...models].sort(([, one], [, other]) => (one.amount < other.amount ? 1 : -1));
}

/** @param {{from: import('./live.js').Polled<Bucket[]>, range: import('./ranges.js').Range, team: string | null}} props */
export function ModelsCard({ from, range, team }) {
  return loadedCard({
    title: 'Cost by model',
    note: range.text,
    actions: h('a', { href: linkTo('jobs', { team, ...range.link, sort: '-amount' }) }, 'Jobs by cost'),
    lines: 4,
    from,
    draw: (buckets) => {
      const models = totals(buckets);
      if (!models.length) return empty('Nothing spent', 'No job has cost anything in this time.');
      const total = sum(models.map(([, { amount }]) => amount));
      return h(
        'ol',
        { class: 'ranking' },
        models.map(([model, { amount, floor }]) =>
          h(
            'li',
            { key: model },
            h('a', { href: linkTo('jobs', { model, team, ...range.link }) }, model ?? 'unknown'),
            money(amount, { floor }),
            bar(
              [[percentOf(amount, models[0][1].amount), 'part']],
              `${percentOf(amount, total)} % of the cost`,
            ),
            h('span', { class: 'muted' }, `${percentOf(amount, total).toFixed(1)} %`),
          ),
        ),
      );
    },
  });
}
