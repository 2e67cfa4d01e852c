/** The table of jobs. What is searched, filtered, sorted and which page is in sight stands in the address. */

import { note } from './address.js';
import { downloadCsv } from './csv.js';
import { button, h } from './dom.js';
import { FirstJob } from './firstjob.js';
import { whole } from './format.js';
import { useEffect, useMemo, useReducer, useRef, useState } from './hooks.module.js';
import { FILTERS, Filters, labelOf, wanted } from './jobfilters.js';
import { JobList, MOST } from './joblist.js';
import { csvRows, headings, jobRow, sortedBy } from './jobtable.js';
import { JobTotal } from './jobtotal.js';
import { every } from './live.js';
import { empty, failure, say, skeleton } from './parts.js';
import { zoneParameter } from './preferences.js';
import { VirtualRows } from './rows.js';

const PAGE = 100;

/** @typedef {import('./api.js').Job} Job */

/** @param {import('./main.js').View} view */
export function Jobs({ who, query }) {
  const sort = query.get('sort') ?? 'age';
  const [, redraw] = useReducer((/** @type {number} */ count) => count + 1, 0);
  const changed = () => redraw(null);
  const filter = JSON.stringify([zoneParameter(), ...FILTERS.map((name) => query.get(name))]);
  const list = useMemo(() => new JobList(wanted(query)), [filter]);
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const [[first, last], setSight] = useState([0, 0]);
  /** The row to scroll to. */
  const aim = useRef(/** @type {number | null} */ (null));
  const again = useRef(() => {});
  const label = labelOf(query);
  const asksValue = label !== null && label.value === null;

  useEffect(() => {
    if (asksValue) return undefined;
    const page = Math.max(1, Number(query.get('page')) || 1);
    aim.current = page > 1 ? (page - 1) * PAGE : null;
    setError(null);
    let begun = false;
    const look = async () => {
      if (begun) await list.refresh();
      else await list.ensure(page * PAGE, changed);
      begun = true;
      setError(null);
      changed();
    };
    const run = every(
      () => (list.anyUnderWay ? 15 : 60),
      look,
      list.signal,
      (problem) => begun || setError(problem),
    );
    again.current = () => void run();
    return () => list.close();
  }, [list]);

  const loaded = list.jobs;
  const sorted = useMemo(() => sortedBy(loaded, sort), [loaded, sort]);

  // Sorted by anything but age, the first row may be on the last page.
  useEffect(() => {
    const many = sort === 'age' ? last + PAGE * 2 : MOST;
    if (!asksValue && list.size > 0 && list.size < many && !list.full)
      list.ensure(many, changed).catch(() => {});
  }, [list, sort, last, loaded]);

  /**
   * @param {number} from
   * @param {number} until
   */
  function seen(from, until) {
    setSight(([one, other]) => (one === from && other === until ? [one, other] : [from, until]));
    const page = Math.floor((from + 1) / PAGE) + 1;
    if (sorted.length) note({ page: page > 1 ? String(page) : null });
  }

  /** @param {number} page */
  async function reach(page) {
    await list.ensure(page * PAGE, changed);
    aim.current = Math.min((page - 1) * PAGE, Math.max(0, list.size - 1));
    changed();
  }

  async function csv() {
    await list.ensure(MOST, changed);
    if (!list.complete) say(`The file holds the latest ${whole(MOST)} jobs.`);
    downloadCsv(csvRows(sortedBy(list.jobs, sort)), 'jobs.csv');
  }

  let state = null;
  if (asksValue)
    state = empty(
      `Choose a value of the label ${label.name}`,
      'Jobs are filtered by a label’s name and value.',
    );
  else if (error) state = failure(error, () => again.current());
  else if (!sorted.length) state = list.complete ? none(query, who.may) : skeleton(6);
  return [
    h(
      'div',
      { class: 'title' },
      h('h1', { tabindex: -1 }, 'Jobs'),
      h('span', { class: 'grow' }),
      button('CSV', csv, { symbol: 'download', title: 'All jobs that the filters let through' }),
    ),
    h(Filters, { who, query, jobs: loaded }),
    h(
      'div',
      { class: 'card flush jobs' },
      h(VirtualRows, {
        key: filter,
        head: headings(sort),
        items: sorted,
        total: list.complete ? sorted.length + 1 : -1,
        draw: jobRow,
        seen,
        aim,
      }),
      state && h('div', { class: 'rows-state' }, state),
      h(Pager, { list, query, first, last: Math.min(last, sorted.length), reach }),
    ),
  ];
}

/**
 * @param {{
 *   list: JobList, query: URLSearchParams, first: number, last: number, reach: (page: number) => void,
 * }} props
 */
function Pager({ list, query, first, last, reach }) {
  const all = Math.max(1, Math.ceil(list.size / PAGE));
  const page = Math.min(all, Math.floor((first + 1) / PAGE) + 1);
  const more = list.complete ? '' : '+';
  /**
   * @param {string} text
   * @param {string} symbol
   * @param {number} to
   * @param {boolean} disabled
   */
  const step = (text, symbol, to, disabled) =>
    button('', () => reach(to), { kind: 'icon-only', symbol, 'aria-label': text, disabled });
  return h(
    'nav',
    { class: 'pager', 'aria-label': 'Pages' },
    h(
      'span',
      { class: 'muted', role: 'status' },
      list.size > 0 && `${whole(first + 1)}–${whole(last)} of ${whole(list.size)}${more}`,
      !list.complete && list.full && ` (the latest ${whole(MOST)})`,
    ),
    list.size > 0 && h(JobTotal, { jobs: list.jobs, complete: list.complete, filter: wanted(query) }),
    // Nothing is known of pages before there is an answer.
    (list.size > 0 || list.complete) && [
      h('span', { class: 'grow' }),
      step('Page before', 'back', page - 1, page <= 1),
      h('span', {}, `Page ${page} of ${all}${more}`),
      step('Next page', 'next', page + 1, page >= all && list.full),
    ],
  );
}

/**
 * @param {URLSearchParams} query
 * @param {import('./rights.js').Rights} may
 */
function none(query, may) {
  if (FILTERS.some((name) => query.has(name))) {
    return empty('No job fits these filters', 'Try a longer time, or fewer filters.');
  }
  return [empty('No jobs in the last 30 days', ''), may.runJobs && h(FirstJob, { may })];
}
