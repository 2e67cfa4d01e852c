/** Labels as people type them. */

/**
 * Parses "name=value" pairs. Throws if one is none.
 * @param {string} text
 * @returns {Record<string, string>}
 */
export function labelsIn(text) {
  const pairs = text.split(/[\s,]+/).filter(Boolean);
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      if (at < 1) throw new Error(`The label “${pair}” is not of the form name=value.`);
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}

/** @param {Record<string, string>} labels */
export function labelsText(labels) {
  return Object.entries(labels)
    .map((pair) => pair.join('='))
    .join(', ');
}
