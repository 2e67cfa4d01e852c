/** Bars that are cut, and marked so, where one that is far taller than the others would make them flat. */

const MOST_CUT = 3;
/** So many times the height of the next one is far taller, and so many bars there must be besides. */
const FAR_TALLER = 5n;
const FEWEST_LEFT = 3;

/**
 * Returns the height of the tallest bar that is not cut; null if none is to be.
 * @param {bigint[]} heights in nano-dollars
 */
export function tallestUncut(heights) {
  const sorted = heights
    .filter((height) => height > 0n)
    .sort((one, other) => (one < other ? 1 : one > other ? -1 : 0));
  for (let cut = Math.min(MOST_CUT, sorted.length - FEWEST_LEFT); cut > 0; cut -= 1) {
    if (sorted[cut - 1] >= FAR_TALLER * sorted[cut]) return sorted[cut];
  }
  return null;
}

/** How far up a scale goes, and where the marks are, in heights of the tallest bar that is not cut. */
export const SCALE_OF_CUT = 1.3;
const MARK = 1.15;

/**
 * Marks the bars of a chart that are cut: a slanting gap, with a line on either side.
 * @param {any} plot
 * @param {number} tallest in dollars
 * @param {boolean[]} cut by bar
 * @param {{gap: string, line: string}} colours
 */
export function markCuts(plot, tallest, cut, { gap, line }) {
  const { ctx } = plot;
  const size = uPlot.pxRatio;
  const y = plot.valToPos(tallest * MARK, 'y', true);
  const column = plot.valToPos(1, 'x', true) - plot.valToPos(0, 'x', true);
  const half = Math.min(column * 0.36, 28 * size) + 3 * size;
  ctx.save();
  cut.forEach((isCut, at) => {
    if (!isCut) return;
    const x = plot.valToPos(at, 'x', true);
    const slanted = (/** @type {number} */ down) => {
      ctx.beginPath();
      ctx.moveTo(x - half, y + down + 3 * size);
      ctx.lineTo(x + half, y + down - 3 * size);
      ctx.stroke();
    };
    ctx.strokeStyle = gap;
    ctx.lineWidth = 7 * size;
    slanted(0);
    ctx.strokeStyle = line;
    ctx.lineWidth = size;
    slanted(-3.5 * size);
    slanted(3.5 * size);
  });
  ctx.restore();
}
