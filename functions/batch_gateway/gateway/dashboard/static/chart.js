/** Stacked bars over time, drawn by uPlot, which is fetched when the first chart is. */

import { amountText } from './amounts.js';
import { markCuts, SCALE_OF_CUT } from './cutbars.js';
import { h, render } from './dom.js';
import { useEffect, useLayoutEffect, useRef, useState } from './hooks.module.js';
import { approximate, sum, tickUsd } from './money.js';

/** @typedef {import('./spend.js').Group} Group */
/** @typedef {{buckets: {label: string, long: string}[], groups: Group[]}} Data */

const HEIGHT = 330;
const COLOURS = 8;
/** @type {Promise<unknown> | null} */
let library = null;

function load() {
  library ??= new Promise((resolve, reject) => {
    const address = (/** @type {string} */ name) => new URL(name, import.meta.url).href;
    const script = document.createElement('script');
    script.src = address('uPlot.iife.min.js');
    script.onload = resolve;
    script.onerror = () => {
      library = null;
      reject(new Error('The chart library could not be loaded.'));
    };
    const style = document.createElement('link');
    style.rel = 'stylesheet';
    style.href = address('uPlot.min.css');
    document.head.append(style, script);
  });
  return library;
}

/** @type {Map<string, string>} */
const colours = new Map();

/**
 * Returns the colour of a group. It keeps it as long as the page is open, whatever is filtered, unless another one in
 * sight has it.
 * @param {string} name
 * @param {Set<string>} taken colours that are in use; the one returned is added
 */
export function colourOf(name, taken) {
  const all = Array.from({ length: COLOURS }, (_, at) => `var(--c${at + 1})`);
  const own = colours.get(name);
  const used = new Set([...colours.values(), ...taken]);
  const free = all.find((each) => !used.has(each)) ?? all.find((each) => !taken.has(each)) ?? all[0];
  const colour = own && !taken.has(own) ? own : free;
  if (!own) colours.set(name, colour);
  taken.add(colour);
  return colour;
}

/**
 * Returns what a colour's variable comes to, in the theme of the moment: a canvas knows no variables.
 * @param {string} colour
 */
function computed(colour) {
  const probe = document.createElement('i');
  probe.hidden = true;
  probe.style.color = colour;
  // Forced colours are one colour: the parts of a bar could not be told apart.
  probe.style.forcedColorAdjust = 'none';
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/**
 * Draws amounts as bars. Floats decide on pixels only; what is written comes from the integers.
 * @param {Data & {tallest: bigint | null, pick: (bucket: number, group: Group) => void}} props `tallest` is the height of
 *   the tallest bar that is not cut, null if none is; `pick` is called for a part of a bar that is clicked
 */
export function Chart({ buckets, groups, tallest, pick }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const plot = useRef(/** @type {any} */ (null));
  const tip = useRef(document.createElement('div'));
  const newest = useRef({ buckets, groups, tallest, pick });
  newest.current = { buckets, groups, tallest, pick };
  const [ready, setReady] = useState(false);
  const [problem, setProblem] = useState('');
  const [theme, setTheme] = useState(0);
  const shape = JSON.stringify([buckets.length, groups.map((group) => [group.name, group.colour]), theme]);

  useEffect(() => {
    const leaving = new AbortController();
    load().then(
      () => !leaving.signal.aborted && setReady(true),
      (error) => setProblem(error.message),
    );
    document.addEventListener('themechange', () => setTheme((count) => count + 1), leaving);
    return () => leaving.abort();
  }, []);

  useLayoutEffect(() => {
    const element = place.current;
    if (!ready || !element) return undefined;
    tip.current.className = 'tip';
    tip.current.hidden = true;
    const draw = () => {
      if (!element.clientWidth) return;
      if (plot.current) plot.current.setSize({ width: element.clientWidth, height: HEIGHT });
      else {
        const data = newest.current;
        const point = (/** @type {any} */ drawn) => showTip(drawn, tip.current, newest.current);
        plot.current = new uPlot(options(newest, element.clientWidth, point), series(data), element);
        plot.current.over.append(tip.current);
        plot.current.over.addEventListener('click', () => {
          const found = under(plot.current, newest.current);
          if (found) newest.current.pick(...found);
        });
      }
    };
    const sized = new ResizeObserver(draw);
    draw();
    sized.observe(element);
    return () => {
      sized.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [ready, shape]);

  // Newer figures of the same groups: what is under the pointer stays there.
  useLayoutEffect(() => plot.current?.setData(series({ buckets, groups })), [buckets, groups, tallest]);

  return h(
    'div',
    { class: 'chart', ref: place },
    problem && h('p', { class: 'problem', role: 'alert' }, problem),
  );
}

/**
 * Returns how high each bar is, in nano-dollars.
 * @param {{buckets: unknown[], groups: Group[]}} data
 */
export function heightsOf({ buckets, groups }) {
  return buckets.map((_, at) => sum(groups.map((group) => group.amounts[at].amount)));
}

/**
 * Returns sums from the bottom up; the tallest is drawn first and the others over it.
 * @param {Data} data
 */
function series({ buckets, groups }) {
  const heights = buckets.map(() => 0n);
  const sums = groups.map((group) =>
    buckets.map((_, at) => {
      heights[at] += group.amounts[at].amount;
      // A bar without height would draw a line through the axis.
      return heights[at] ? approximate(heights[at]) : null;
    }),
  );
  return [buckets.map((_, at) => at), ...sums.reverse()];
}

/**
 * @param {{current: Data & {tallest: bigint | null}}} newest
 * @param {number} width
 * @param {(plot: any) => void} point
 */
function options(newest, width, point) {
  const { buckets, groups } = newest.current;
  const axis = {
    stroke: computed('var(--muted)'),
    grid: { stroke: computed('var(--line)'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui',
  };
  const surface = computed('var(--surface)');
  const colours = { gap: surface, line: computed('var(--muted)') };
  const mark = (/** @type {any} */ plot) => {
    const { tallest, ...data } = newest.current;
    if (tallest === null) return;
    markCuts(
      plot,
      approximate(tallest),
      heightsOf(data).map((height) => height > tallest),
      colours,
    );
  };
  const bars = uPlot.paths.bars({ size: [0.72, 56], radius: 0.06 });
  return {
    width,
    height: HEIGHT,
    legend: { show: false },
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    scales: {
      x: { time: false, range: [-0.6, buckets.length - 0.4] },
      y: {
        range: (/** @type {any} */ _, /** @type {number} */ __, /** @type {number | null} */ most) => {
          const { tallest } = newest.current;
          return [0, tallest ? approximate(tallest) * SCALE_OF_CUT : most ? most * 1.08 : 1];
        },
      },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 32,
        incrs: [1, 2, 3, 4, 6, 7, 12, 14, 24, 28],
        space: 64,
        values: (/** @type {any} */ _, /** @type {number[]} */ places) =>
          places.map((at) => buckets[at]?.label ?? ''),
      },
      {
        ...axis,
        size: 62,
        values: (/** @type {any} */ _, /** @type {number[]} */ places) => places.map(tickUsd),
      },
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
    hooks: { setCursor: [point], draw: [mark] },
  };
}

/**
 * Returns the bucket and the group that are under the pointer.
 * @param {any} plot
 * @param {Data} data
 * @returns {[number, Group] | null}
 */
function under(plot, { groups }) {
  const at = plot.cursor.idx;
  if (at === null || at === undefined) return null;
  let height = 0n;
  for (const group of groups) {
    height += group.amounts[at].amount;
    if (height > 0n && plot.posToVal(plot.cursor.top, 'y') <= approximate(height)) return [at, group];
  }
  return null;
}

/**
 * @param {any} plot
 * @param {HTMLElement} tip
 * @param {Data} data
 */
function showTip(plot, tip, { buckets, groups }) {
  const at = plot.cursor.idx;
  const left = plot.cursor.left;
  tip.hidden = at === null || at === undefined || left < 0 || !buckets[at];
  if (tip.hidden) return;
  const shown = groups
    .filter((group) => group.amounts[at].amount !== 0n || group.amounts[at].floor)
    .sort((one, other) => (one.amounts[at].amount < other.amounts[at].amount ? 1 : -1));
  const total = sum(shown.map((group) => group.amounts[at].amount));
  const floor = shown.some((group) => group.amounts[at].floor);
  render(
    [
      h('p', { class: 'tip-title' }, buckets[at].long, h('b', {}, amountText(total, { floor, exact: true }))),
      ...shown.map((group) =>
        h(
          'p',
          {},
          h('i', { class: 'swatch', style: { '--colour': group.colour } }),
          h('span', {}, group.name),
          h('b', {}, amountText(group.amounts[at].amount, { floor: group.amounts[at].floor, exact: true })),
        ),
      ),
    ],
    tip,
  );
  const beside = left > plot.over.clientWidth / 2;
  tip.style.setProperty('--left', `${beside ? left - 14 : left + 14}px`);
  tip.classList.toggle('left', beside);
}
