/** The table of jobs. What is searched, filtered, sorted and which page is in sight stands in the address. */

import { button, fill, h, icon } from './dom.js';
import { whole } from './format.js';
import { FILTERS, filters, wanted } from './jobfilters.js';
import { JobList, MOST } from './joblist.js';
import { csvRows, headings, jobRow, sortedBy } from './jobrows.js';
import { every } from './live.js';
import { downloadCsv, empty, failure, say, skeleton } from './parts.js';
import { virtualRows } from './rows.js';

const PAGE = 100;

export async function show(root, view) {
  const { query, signal } = view;
  const sort = query.get('sort') ?? 'age';
  const list = new JobList(wanted(query), signal);
  const body = h('div', { class: 'rows', role: 'rowgroup' });
  const head = h('div', { class: 'rows-head', role: 'rowgroup' });
  const state = h('div', { class: 'rows-state' }, skeleton(6));
  const viewport = h(
    'div',
    { class: 'viewport', role: 'table', 'aria-label': 'Jobs', tabindex: '0' },
    head,
    body,
  );
  const pager = h('nav', { class: 'pager', 'aria-label': 'Pages' });
  fill(
    root,
    h(
      'div',
      { class: 'title' },
      h('h1', { tabindex: '-1' }, 'Jobs'),
      h('span', { class: 'grow' }),
      button('CSV', () => csv(), { symbol: 'download', title: 'All jobs that the filters let through' }),
    ),
    filters(view),
    h('div', { class: 'card flush jobs' }, viewport, state, pager),
  );
  fill(head, headings(sort, view));

  const height = () => parseFloat(getComputedStyle(viewport).getPropertyValue('--row')) || 52;
  const rows = virtualRows(viewport, body, { make: jobRow, height, keyOf: (job) => job.name, seen });
  signal.addEventListener('abort', rows.stop);
  let sorted = [];
  let settled = false;

  function update() {
    if (signal.aborted) return;
    sorted = sortedBy(list.jobs, sort);
    fill(state, sorted.length ? [] : list.complete ? none(view) : skeleton(6));
    viewport.setAttribute('aria-rowcount', String(list.complete ? sorted.length + 1 : -1));
    rows.set(sorted);
  }

  function seen(first, last) {
    const page = Math.floor((first + 1) / PAGE) + 1;
    fill(pager, pages(page, first, last));
    if (settled) view.note({ page: page > 1 ? String(page) : null });
    if (last + PAGE * 2 > sorted.length && !list.full) load(sorted.length + 1).catch(() => {});
  }

  function pages(page, first, last) {
    const all = Math.max(1, Math.ceil(sorted.length / PAGE));
    const step = (to) => () => reach(to);
    const text = sorted.length
      ? `${whole(first + 1)}–${whole(last)} of ${whole(sorted.length)}${list.complete ? '' : '+'}`
      : '';
    return [
      h(
        'span',
        { class: 'muted', role: 'status' },
        text,
        !list.complete && list.full && ` (the latest ${whole(MOST)})`,
      ),
      h('span', { class: 'grow' }),
      h(
        'button',
        {
          type: 'button',
          class: 'button icon-only',
          'aria-label': 'Page before',
          disabled: page <= 1,
          onclick: step(page - 1),
        },
        icon('back'),
      ),
      h('span', {}, `Page ${page} of ${all}${list.complete ? '' : '+'}`),
      h(
        'button',
        {
          type: 'button',
          class: 'button icon-only',
          'aria-label': 'Next page',
          disabled: page >= all && list.full,
          onclick: step(page + 1),
        },
        icon('next'),
      ),
    ];
  }

  async function reach(page) {
    await load(page * PAGE);
    rows.scrollTo(Math.min((page - 1) * PAGE, Math.max(0, sorted.length - 1)));
  }

  // Sorted by anything but age, the first row may be on the last page.
  const load = (many) => list.ensure(sort === 'age' ? many : MOST, update);

  async function csv() {
    await list.ensure(MOST, update);
    if (!list.complete) say(`The file holds the latest ${whole(MOST)} jobs.`);
    downloadCsv(csvRows(sortedBy(list.jobs, sort)), 'jobs.csv');
  }

  viewport.addEventListener('keydown', (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const current = document.activeElement.closest?.('.job-row');
    if (!step || !current) return;
    event.preventDefault();
    const at = Number(current.getAttribute('aria-rowindex')) - 2 + step;
    const next = body.querySelector(`[aria-rowindex="${at + 2}"] a`);
    next?.focus({ preventScroll: true });
    next?.closest('.job-row').scrollIntoView({ block: 'nearest' });
  });

  async function begin() {
    fill(state, skeleton(6));
    try {
      const page = Math.max(1, Number(query.get('page')) || 1);
      await load(page * PAGE);
      update();
      if (page > 1) rows.scrollTo((page - 1) * PAGE);
      settled = true;
    } catch (error) {
      if (!signal.aborted) fill(state, failure(error, begin));
      throw error;
    }
  }

  let begun = false;
  every(
    () => (list.anyUnderWay ? 15 : 60),
    async () => {
      if (!begun) {
        await begin();
        begun = true;
      } else if (await list.refresh()) update();
    },
    signal,
  );
}

function none(view) {
  if (FILTERS.some((name) => view.query.has(name))) {
    return empty('No job fits these filters', 'Try a longer time, or fewer words.');
  }
  return empty(
    'No jobs in the last 30 days',
    'Submit one through the gateway, and it is here within a second.',
    h('p', {}, h('a', { href: '#/estimate' }, 'Estimate what a job would cost')),
  );
}
