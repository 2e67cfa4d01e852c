/** Stacked bars over time, drawn by uPlot, which is fetched when the first chart is. */

import { fill, h } from './dom.js';
import { approximate, exactUsd, tickUsd } from './money.js';

const HEIGHT = 330;
let library = null;

function load() {
  library ??= new Promise((resolve, reject) => {
    const address = (name) => new URL(name, import.meta.url).href;
    const script = h('script', { src: address('uPlot.iife.min.js') });
    script.onload = resolve;
    script.onerror = () => {
      library = null;
      reject(new Error('The chart library could not be loaded.'));
    };
    document.head.append(h('link', { rel: 'stylesheet', href: address('uPlot.min.css') }), script);
  });
  return library;
}

/** The colour of a group: its place in the order, or the one for all the rest. */
export function colourOf(at, other) {
  return other ? 'var(--other)' : `var(--c${(at % 8) + 1})`;
}

/** A canvas knows no variables: what one comes to, in the theme of the moment. */
function computed(colour) {
  const probe = h('i', { hidden: true, style: { color: colour } });
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/**
 * Draws into an element until the signal ends it; returns a function that draws other data.
 *
 * Data are {buckets: [{label, long}], groups: [{name, colour, amounts}]} with amounts in nano-dollars, a
 * bucket each. Floats decide on pixels only; what is written comes from the integers.
 */
export async function stackedBars(element, signal) {
  await load();
  let plot = null;
  let data = null;
  const tip = h('div', { class: 'tip', hidden: true });

  function draw(next) {
    data = next;
    plot?.destroy();
    fill(element);
    if (!element.clientWidth) return;
    plot = new uPlot(options(data, element.clientWidth, tip), series(data), element);
    plot.over.append(tip);
  }

  const sized = new ResizeObserver(() => {
    if (data && plot && element.clientWidth) plot.setSize({ width: element.clientWidth, height: HEIGHT });
    else if (data) draw(data);
  });
  sized.observe(element);
  document.addEventListener('themechange', () => data && draw(data), { signal });
  signal.addEventListener('abort', () => {
    sized.disconnect();
    plot?.destroy();
  });
  return draw;
}

/** Sums from the bottom up; the tallest is drawn first and the others over it. */
function series({ buckets, groups }) {
  const heights = buckets.map(() => 0n);
  const sums = groups.map((group) =>
    buckets.map((_, at) => {
      heights[at] += group.amounts[at];
      return approximate(heights[at]);
    }),
  );
  return [buckets.map((_, at) => at), ...sums.reverse()];
}

function options({ buckets, groups }, width, tip) {
  const muted = computed('var(--muted)');
  const line = computed('var(--line)');
  const surface = computed('var(--surface)');
  const axis = {
    stroke: muted,
    grid: { stroke: line, width: 1 },
    ticks: { show: false },
    font: '12px system-ui',
  };
  const bars = uPlot.paths.bars({ size: [0.72, 56], radius: 0.06 });
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: [-0.6, buckets.length - 0.4] },
      y: { range: (_, __, most) => [0, most > 0 ? most * 1.08 : 1] },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 32,
        incrs: [1, 2, 3, 4, 6, 7, 12, 14, 24, 28],
        space: 64,
        values: (_, places) => places.map((at) => buckets[at]?.label ?? ''),
      },
      { ...axis, size: 62, values: (_, places) => places.map(tickUsd) },
    ],
    series: [
      {},
      ...[...groups].reverse().map((group) => ({
        fill: computed(group.colour),
        stroke: surface,
        width: 1,
        paths: bars,
        points: { show: false },
      })),
    ],
    hooks: { setCursor: [(plot) => point(plot, tip, buckets, groups)] },
  };
}

function point(plot, tip, buckets, groups) {
  const at = plot.cursor.idx;
  const left = plot.cursor.left;
  tip.hidden = at === null || at === undefined || left < 0;
  if (tip.hidden) return;
  const shown = groups.filter((group) => group.amounts[at] !== 0n).reverse();
  const total = groups.reduce((sum, group) => sum + group.amounts[at], 0n);
  fill(
    tip,
    h('p', { class: 'tip-title' }, buckets[at].long, h('b', {}, exactUsd(total))),
    shown.map((group) =>
      h(
        'p',
        {},
        h('i', { class: 'swatch', style: { '--colour': group.colour } }),
        h('span', {}, group.name),
        h('b', {}, exactUsd(group.amounts[at])),
      ),
    ),
  );
  const beside = left > plot.over.clientWidth / 2;
  tip.style.setProperty('--left', `${beside ? left - 14 : left + 14}px`);
  tip.classList.toggle('left', beside);
}
