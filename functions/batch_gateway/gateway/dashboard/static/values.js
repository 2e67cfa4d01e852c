/** Values to filter by: models, teams, keys, and labels with their values. */

import { get } from './api.js';
import { DAY } from './format.js';
import { useEffect, useState } from './hooks.module.js';
import { seconds } from './periods.js';
import { secretOf } from './secret.js';

/** How long an answer is good for, and how far back it looks. */
const FRESH = 300_000;
const LOOKBACK = 90 * DAY;

/** @typedef {{model: string[], team: string[], api_key: string[], labels: Record<string, string[]>}} Values */

/** @type {Values} */
const NONE = { model: [], team: [], api_key: [], labels: {} };
/** @type {{of: string | null, until: number, values: Promise<Values>} | null} */
let known = null;

/** @returns {Promise<Values>} */
function load() {
  if (known === null || known.of !== secretOf() || known.until < Date.now()) {
    const values = get('/v1/costs:values', [['start_time', seconds(Date.now() - LOOKBACK)]]);
    known = { of: secretOf(), until: Date.now() + FRESH, values };
    values.catch(() => {
      known = null;
    });
  }
  return known.values;
}

/**
 * Returns the values of filters, none until they are loaded. They are not loaded before they are wanted.
 * @param {boolean} wanted
 */
export function useValues(wanted) {
  const [values, setValues] = useState(NONE);
  useEffect(() => {
    let here = true;
    if (wanted) {
      load().then(
        (found) => here && setValues(found),
        () => {},
      );
    }
    return () => {
      here = false;
    };
  }, [wanted]);
  return values;
}
