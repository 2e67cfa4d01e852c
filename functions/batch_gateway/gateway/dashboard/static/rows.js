/** A long list of which only the rows in sight exist, so that ten thousand scroll as ten do. */

import { h } from './dom.js';
import { useLayoutEffect, useRef, useState } from './hooks.module.js';

const SPARE = 8;

/**
 * Shows items in a viewport that scrolls.
 *
 * @param {{
 *   head: import('./dom.js').Children, items: any[], total: number, draw: (item: any, at: number) => import('./dom.js').Node,
 *   seen: (first: number, last: number) => void, aim: {current: number | null},
 * }} props `draw` gives a row with a key; `total` is the number of rows for assistive technology, -1 if it is not known;
 *   `seen` is called with the range in sight when it changes; an `aim` is scrolled to once there is such a row
 */
export function VirtualRows({ head, items, total, draw, seen, aim }) {
  const viewport = useRef(/** @type {HTMLDivElement | null} */ (null));
  const [[first, last], setRange] = useState([0, 40]);

  function measure() {
    const element = viewport.current;
    if (!element) return;
    const size = height(element);
    /** @type {[number, number]} */
    const next = [
      Math.floor(element.scrollTop / size),
      Math.ceil((element.scrollTop + element.clientHeight) / size),
    ];
    keepFocus(element, next);
    setRange((range) => (range[0] === next[0] && range[1] === next[1] ? range : next));
  }

  useLayoutEffect(() => {
    const element = /** @type {HTMLDivElement} */ (viewport.current);
    let waiting = 0;
    const soon = () => {
      waiting ||= requestAnimationFrame(() => {
        waiting = 0;
        measure();
      });
    };
    const sized = new ResizeObserver(soon);
    element.addEventListener('scroll', soon, { passive: true });
    sized.observe(element);
    measure();
    return () => {
      sized.disconnect();
      cancelAnimationFrame(waiting);
    };
  }, []);

  useLayoutEffect(() => {
    if (aim.current === null || !viewport.current || aim.current >= items.length) return;
    viewport.current.scrollTop = aim.current * height(viewport.current);
    aim.current = null;
    measure();
  });

  const until = Math.min(last, items.length);
  useLayoutEffect(() => {
    if (aim.current === null) seen(first, until);
  }, [first, until, items]);

  const from = Math.max(0, first - SPARE);
  return h(
    'div',
    {
      class: 'viewport',
      role: 'table',
      'aria-label': 'Jobs',
      'aria-rowcount': total,
      tabindex: 0,
      ref: viewport,
      onkeydown: walk,
    },
    h('div', { class: 'rows-head', role: 'rowgroup' }, head),
    h(
      'div',
      { class: 'rows', role: 'rowgroup', style: { '--count': String(items.length) } },
      items.slice(from, last + SPARE).map((item, at) => draw(item, from + at)),
    ),
  );
}

/** @param {HTMLElement} viewport */
function height(viewport) {
  return parseFloat(getComputedStyle(viewport).getPropertyValue('--row')) || 52;
}

/**
 * Moves the focus from a row that goes out of sight to the list, since it would be lost with the row.
 * @param {HTMLElement} viewport
 * @param {number[]} range
 */
function keepFocus(viewport, [first, last]) {
  const row = document.activeElement?.closest('.rows [aria-rowindex]');
  if (!row || !viewport.contains(row)) return;
  const at = Number(row.getAttribute('aria-rowindex')) - 2;
  if (at < first - SPARE || at >= last + SPARE) viewport.focus({ preventScroll: true });
}

/**
 * Goes from row to row with the arrow keys.
 * @param {KeyboardEvent} event
 */
function walk(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const current = document.activeElement?.closest('.rows [aria-rowindex]');
  if (!step || !current) return;
  event.preventDefault();
  const index = Number(current.getAttribute('aria-rowindex')) + step;
  const next = current.parentElement?.querySelector(`[aria-rowindex="${index}"]`);
  next?.querySelector('a')?.focus({ preventScroll: true });
  next?.scrollIntoView({ block: 'nearest' });
}
