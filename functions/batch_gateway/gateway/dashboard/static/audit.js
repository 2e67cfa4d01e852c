/** The audit trail: who changed what, and what came of it. */

import { get } from './api.js';
import { downloadCsv } from './csv.js';
import { button, h, table } from './dom.js';
import { moment } from './format.js';
import { useState } from './hooks.module.js';
import { usePolled } from './live.js';
import { empty, loadedCard, say } from './parts.js';

const PAGE = 100;

/** @typedef {{time: string, actor: string, action: string, target: string, outcome: string, change?: unknown}} Entry */

/**
 * @param {AbortSignal} [signal]
 * @param {string} [before]
 * @returns {Promise<Entry[]>}
 */
async function entriesBefore(signal, before) {
  /** @type {import('./api.js').Query} */
  const until = before ? [['end_time', before]] : [];
  return (await get('/audit', [['limit', PAGE], ...until], signal)).entries;
}

export function Audit() {
  const newest = usePolled(
    () => 60,
    (signal) => entriesBefore(signal),
    [],
  );
  const [older, setOlder] = useState(/** @type {Entry[]} */ ([]));
  const [search, setSearch] = useState('');
  const [done, setDone] = useState(false);
  const seen = older.length ? older[0].time : '';
  const all = [...(newest.data ?? []).filter(({ time }) => time > seen), ...older];
  const shown = all.filter((entry) =>
    [entry.actor, entry.action, entry.target, entry.outcome].some((text) =>
      text.toLowerCase().includes(search.toLowerCase()),
    ),
  );

  async function more() {
    try {
      const found = await entriesBefore(undefined, all.at(-1)?.time);
      setOlder([...all, ...found]);
      setDone(found.length < PAGE);
    } catch (error) {
      say(/** @type {Error} */ (error).message);
    }
  }

  const csv = () =>
    downloadCsv(
      [
        ['time', 'actor', 'action', 'target', 'outcome', 'change'],
        ...shown.map((entry) => [
          entry.time,
          entry.actor,
          entry.action,
          entry.target,
          entry.outcome,
          entry.change && JSON.stringify(entry.change),
        ]),
      ],
      'audit.csv',
    );
  return [
    h(
      'div',
      { class: 'title' },
      h('h1', { tabindex: -1 }, 'Audit trail'),
      h('input', {
        type: 'search',
        'aria-label': 'Search what is shown',
        placeholder: 'Search what is shown',
        value: search,
        oninput: (/** @type {any} */ event) => setSearch(event.target.value),
      }),
      h('span', { class: 'grow' }),
      button('CSV', csv, { symbol: 'download', title: 'What is shown' }),
    ),
    loadedCard({
      title: 'Changes',
      note: 'The newest first',
      lines: 8,
      from: newest,
      draw: (first) => [
        shown.length ? tableOf(shown) : empty('No changes', 'Who changed what is listed here.'),
        !done && first.length === PAGE && button('Show older ones', more),
      ],
    }),
  ];
}

/** @param {Entry[]} entries */
function tableOf(entries) {
  return table(
    'Changes',
    [
      ['When', ''],
      ['Who', ''],
      ['What', 'wrap'],
      ['Outcome', 'wrap'],
    ],
    entries.map((entry) => [
      moment(entry.time),
      entry.actor,
      [
        h('p', {}, h('code', {}, entry.action)),
        h('bdi', {}, entry.target),
        entry.change !== undefined &&
          h(
            'details',
            {},
            h('summary', {}, 'Before and after'),
            h('pre', {}, JSON.stringify(entry.change, null, 1)),
          ),
      ],
      h('span', { class: entry.outcome === 'OK' ? '' : 'failed' }, entry.outcome),
    ]),
  );
}
