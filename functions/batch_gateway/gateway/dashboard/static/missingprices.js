/** Models that were used and that nobody has set a price for, with what would price them. */

import { button, h } from './dom.js';
import { moment } from './format.js';
import { Card, copy } from './parts.js';
import { setRates } from './pricedialogs.js';

/**
 * @typedef {{model: string, name: string, seenAt: string, terms: object | null, command: string | null}} Missing an
 *   entry of `missing` in /v1/prices
 */

/**
 * @param {{missing: Missing[], maySet: boolean, done: () => void}} props `done` is called when a price was set
 */
export function MissingPrices({ missing, maySet, done }) {
  if (!missing.length) return null;
  return h(
    Card,
    {
      title: 'Models without a price',
      kind: 'warned',
      note: 'What they cost is in no amount: those are floors',
    },
    h(
      'ul',
      { class: 'missing' },
      missing.map(({ model, name, seenAt, terms, command }) =>
        h(
          'li',
          { key: model },
          h(
            'div',
            { class: 'what' },
            h('b', {}, model),
            h('span', { class: 'muted' }, 'used by ', job(name), ' on ', moment(seenAt)),
          ),
          maySet &&
            terms &&
            button('Set the price', async () => (await setRates(model, terms)) && done(), {
              kind: 'primary',
              'aria-label': `Set the price of ${model}`,
            }),
          command &&
            h(
              'details',
              {},
              h('summary', {}, 'The command that sets it'),
              h('pre', {}, command),
              button('Copy', () => copy(command), {
                symbol: 'copy',
                'aria-label': `Copy the command for ${model}`,
              }),
            ),
        ),
      ),
    ),
  );
}

/** @param {string} name */
function job(name) {
  const [, project, location, id] =
    /^projects\/([^/]+)\/locations\/([^/]+)\/batchPredictionJobs\/([^/]+)$/.exec(name) ?? [];
  return id ? h('a', { href: `#/jobs/${project}/${location}/${id}` }, `job ${id}`) : name;
}
