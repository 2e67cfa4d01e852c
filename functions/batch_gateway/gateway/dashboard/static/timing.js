/** How long jobs wait and run: of earlier ones by model and location, and what to expect of the next one. */

import { go } from './address.js';
import { button, h } from './dom.js';
import { count, lasting, several } from './format.js';
import { useState } from './hooks.module.js';
import { empty, loadedCard } from './parts.js';

const MOST_SHOWN = 5;
const WINDOWS = [7, 30];

/**
 * @typedef {{p50: number | null, p90: number | null}} Quantiles
 * @typedef {{model: string, location: string, days: number, jobs: Record<string, number>, queueSeconds: Quantiles,
 *   runSeconds: Quantiles, rowsPerMinute: Quantiles}} Stats an entry of /v1/jobs:stats
 * @typedef {{queueSeconds: Quantiles, runSeconds: Quantiles, jobs: number, days: number}} Expected
 */

/**
 * @param {{from: import('./live.js').Polled<Stats[]>, query: URLSearchParams, everybody: boolean}} props `everybody`:
 *   the figures are of all teams, whatever is chosen on the page
 */
export function TimingCard({ from, query, everybody }) {
  const days = WINDOWS.find((each) => String(each) === query.get('days')) ?? WINDOWS[0];
  const [all, setAll] = useState(false);
  const choices = WINDOWS.map((each) =>
    h(
      'button',
      {
        key: each,
        type: 'button',
        'aria-pressed': String(each === days),
        onclick: () => go({ days: each === WINDOWS[0] ? null : String(each) }),
      },
      `${each} days`,
    ),
  );
  return loadedCard({
    title: 'How long jobs take',
    note: `Ended in the last ${days} days${everybody ? ', all teams' : ''}`,
    actions: h('div', { class: 'segments', role: 'group', 'aria-label': 'Days' }, choices),
    lines: 4,
    from,
    draw: (stats) => {
      const found = stats.filter((each) => each.days === days).sort((one, other) => jobs(other) - jobs(one));
      if (!found.length) {
        return empty(
          'No figures yet',
          `No job has ended in the last ${days} days, or since they are counted.`,
        );
      }
      const shown = all ? found : found.slice(0, MOST_SHOWN);
      return [
        h('ul', { class: 'timing' }, shown.map(entry)),
        found.length > MOST_SHOWN &&
          button(all ? 'Show fewer' : `Show all ${found.length}`, () => setAll(!all), {
            'aria-expanded': String(all),
          }),
        h(
          'p',
          { class: 'help' },
          'Half of the jobs stay below the first figure, nine in ten below p90. Running and rows are of jobs that succeeded.',
        ),
      ];
    },
  });
}

/** @param {Stats} stats */
function jobs(stats) {
  return Object.values(stats.jobs).reduce((total, number) => total + number, 0);
}

/** @param {Stats} stats */
function entry(stats) {
  const { model, location, queueSeconds, runSeconds, rowsPerMinute } = stats;
  const outcomes = Object.entries(stats.jobs).filter(([, number]) => number > 0);
  return h(
    'li',
    { key: `${model} ${location}` },
    h(
      'div',
      { class: 'what' },
      h('b', {}, model, h('small', { class: 'muted' }, ` ${location}`)),
      h('span', { class: 'muted' }, outcomes.map(([outcome, number]) => `${number} ${outcome}`).join(', ')),
    ),
    h(
      'dl',
      {},
      figure('In the queue', queueSeconds, time),
      figure('Running', runSeconds, time),
      figure('Rows a minute', rowsPerMinute, count),
    ),
  );
}

/**
 * @param {string} name
 * @param {Quantiles} quantiles
 * @param {(value: number) => import('./dom.js').Children} shown
 */
function figure(name, { p50, p90 }, shown) {
  return h(
    'div',
    {},
    h('dt', {}, name),
    h(
      'dd',
      {},
      p50 === null || p90 === null
        ? h('span', { class: 'unknown', title: 'Not known' }, '—')
        : [h('b', { title: 'p50' }, shown(p50)), ' ', h('small', { class: 'muted' }, 'p90 ', shown(p90))],
    ),
  );
}

/** @param {number} seconds */
function time(seconds) {
  return lasting(seconds * 1000);
}

/**
 * Shows how long a job is expected to take, and what that is from.
 * @param {Expected} expected
 */
export function expectedTime({ queueSeconds, runSeconds, jobs: number, days }) {
  if (!number) {
    return h(
      'p',
      { class: 'help' },
      `How long it takes is not known: no job with this model has ended in this location in the last ${days} days.`,
    );
  }
  return [
    h('h3', {}, 'How long such jobs take'),
    h('dl', { class: 'pairs' }, pair('In the queue', queueSeconds), pair('Running', runSeconds)),
    h(
      'p',
      { class: 'help' },
      `From ${several(number, 'job')} with this model and location that ended in the last ${days} days, of any size: half of them stayed below the first figure, nine in ten below p90.`,
    ),
  ];
}

/**
 * @param {string} name
 * @param {Quantiles} quantiles
 */
function pair(name, { p50, p90 }) {
  return h(
    'div',
    {},
    h('dt', {}, name),
    h(
      'dd',
      {},
      p50 === null || p90 === null
        ? h('span', { class: 'unknown', title: 'Not known' }, '—')
        : [time(p50), h('small', { class: 'muted' }, `(p90 ${time(p90)})`)],
    ),
  );
}
