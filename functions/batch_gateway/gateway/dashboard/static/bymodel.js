/** What each model cost. */

import { costs } from './api.js';
import { h } from './dom.js';
import { bar, money } from './format.js';
import { nano, percentOf, sum } from './money.js';
import { empty } from './parts.js';
import { RANGES, seconds, startOf } from './periods.js';

export async function showModels(shown, range, filter, signal) {
  const { width, limit } = RANGES[range];
  const start = seconds(startOf(range, new Date()));
  const query = [
    ['start_time', start],
    ['bucket_width', width],
    ['limit', limit],
    ['group_by', 'model'],
    ...filter,
  ];
  const models = new Map();
  for (const bucket of await costs(query, signal)) {
    for (const result of bucket.results) {
      const model = models.get(result.model) ?? { amount: 0n, unpriced: false };
      model.amount += nano(result.amount.value);
      model.unpriced ||= result.unpriced;
      models.set(result.model, model);
    }
  }
  const total = sum([...models.values()].map((model) => model.amount));
  const found = [...models].sort(([, one], [, other]) => (one.amount < other.amount ? 1 : -1));
  if (!found.length) {
    shown.fill(empty('Nothing spent', 'No job has cost anything in this time.'));
    return;
  }
  shown.fill(
    h(
      'ol',
      { class: 'ranking' },
      found.map(([name, { amount, unpriced }]) =>
        h(
          'li',
          {},
          h('a', { href: `#/jobs?model=${encodeURIComponent(name ?? '')}` }, name ?? 'unknown'),
          money(amount, { floor: unpriced }),
          bar([[percentOf(amount, found[0][1].amount), 'part']], `${percentOf(amount, total)} % of the cost`),
          h('span', { class: 'muted' }, `${percentOf(amount, total).toFixed(1)} %`),
        ),
      ),
    ),
  );
}
