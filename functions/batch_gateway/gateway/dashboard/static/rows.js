/** A long list of which only the rows in sight exist, so that ten thousand scroll as ten do. */

import { fill } from './dom.js';

const SPARE = 8;

/**
 * Shows items in a viewport that scrolls.
 *
 * `make(item, at)` gives a row's element; `height()` its height in pixels, the same for all; `keyOf(item)` a
 * name that stays; `seen(first, last)` is called with the range in sight when it changes.
 */
export function virtualRows(viewport, body, { make, height, keyOf, seen }) {
  let items = [];
  let rows = new Map();
  let waiting = false;
  let before = '';

  function draw() {
    waiting = false;
    const size = height();
    const first = Math.floor(viewport.scrollTop / size);
    const last = Math.ceil((viewport.scrollTop + viewport.clientHeight) / size);
    const from = Math.max(0, first - SPARE);
    const until = Math.min(items.length, last + SPARE);
    const next = new Map();
    for (let at = from; at < until; at += 1) {
      const name = keyOf(items[at]);
      let row = rows.get(name);
      // A row that says the same stays, with the focus that it may have.
      if (row?.item !== items[at] || row.at !== at) row = { item: items[at], at, element: replaced(row, at) };
      row.element.style.setProperty('--top', `${at * size}px`);
      next.set(name, row);
    }
    for (const [name, row] of rows) if (!next.has(name)) row.element.remove();
    rows = next;
    let place = body.firstElementChild;
    for (const { element } of rows.values()) {
      if (element === place) place = place.nextElementSibling;
      else body.insertBefore(element, place);
    }
    const range = `${first}-${last}-${items.length}`;
    if (range !== before) seen(first, Math.min(last, items.length));
    before = range;
  }

  function replaced(row, at) {
    const element = make(items[at], at);
    if (row) {
      const focused = row.element.contains(document.activeElement);
      row.element.replaceWith(element);
      if (focused) element.querySelector('a')?.focus({ preventScroll: true });
    }
    return element;
  }

  function soon() {
    if (!waiting) requestAnimationFrame(draw);
    waiting = true;
  }

  viewport.addEventListener('scroll', soon, { passive: true });
  const sized = new ResizeObserver(() => {
    body.style.setProperty('--height', `${items.length * height()}px`);
    soon();
  });
  sized.observe(viewport);

  return {
    set(next) {
      items = next;
      body.style.setProperty('--height', `${items.length * height()}px`);
      draw();
    },
    clear() {
      rows = new Map();
      fill(body);
    },
    scrollTo(at) {
      viewport.scrollTop = at * height();
      draw();
    },
    stop: () => sized.disconnect(),
  };
}
