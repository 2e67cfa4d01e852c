/** The address: which view is in sight, and with what parameters. */

import { useEffect, useReducer } from './hooks.module.js';

/** @typedef {Record<string, string | null | undefined>} Changes */

/** @type {Set<() => void>} */
const listeners = new Set();
addEventListener('hashchange', tell);

function tell() {
  for (const listener of listeners) listener();
}

function parsed() {
  const [path, search = ''] = location.hash.replace(/^#\/?/, '').split('?');
  const [name, ...rest] = path.split('/');
  return { name: name || 'overview', path: rest, query: new URLSearchParams(search) };
}

/** Returns the present address, and draws the component anew when it changes. */
export function useAddress() {
  const [, redraw] = useReducer((/** @type {number} */ count) => count + 1, 0);
  useEffect(() => {
    const listener = () => redraw(null);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
    };
  }, []);
  return parsed();
}

/**
 * Returns the address of a view; parameters that are null or empty are left out.
 * @param {string} path
 * @param {Changes} parameters
 */
export function linkTo(path, parameters = {}) {
  const given = Object.entries(parameters).flatMap(([name, value]) => (value ? [[name, value]] : []));
  const search = new URLSearchParams(given).toString();
  return `#/${path}${search ? `?${search}` : ''}`;
}

/**
 * Returns the address of the same view with other parameters.
 * @param {Changes} changes
 */
export function linkHere(changes) {
  const { name, path, query } = parsed();
  return linkTo([name, ...path].join('/'), { ...Object.fromEntries(query), ...changes });
}

/**
 * Goes to the same view with other parameters.
 * @param {Changes} changes
 * @param {{replace?: boolean}} options
 */
export function go(changes, { replace = false } = {}) {
  if (replace) history.replaceState(null, '', linkHere(changes));
  else history.pushState(null, '', linkHere(changes));
  tell();
}

/**
 * Notes in the address what is in sight already.
 * @param {Changes} changes
 */
export function note(changes) {
  const next = linkHere(changes);
  if (next !== location.hash) history.replaceState(null, '', next);
}
