/** Asks again every so often: not while nobody looks, soon after a failure, and less often while it goes on. */

import { useEffect, useRef, useState } from './hooks.module.js';

const SLOWEST = 300;
const FIRST_RETRY = 5;

/** @typedef {Error & {retryAfter?: number | null}} Problem */

/**
 * Returns whether an error may pass by itself: nobody could be reached, or somebody is busy. A refusal does not.
 * @param {Error & {status?: number}} error
 */
export function mayPass(error) {
  const { status = 0 } = error;
  return status === 0 || status === 429 || status >= 500;
}

/** @type {Set<(state: 'live' | 'paused' | Problem) => void>} */
const listeners = new Set();
/** @type {Map<object, Problem>} */
const problems = new Map();

function connection() {
  return document.hidden ? 'paused' : ([...problems.values()][0] ?? 'live');
}

function tell() {
  const state = connection();
  for (const listener of listeners) listener(state);
}

document.addEventListener('visibilitychange', tell);

/** Returns what the page's connection is like: 'live', 'paused', or the error that calls fail with. */
export function useConnection() {
  const [state, setState] = useState(connection());
  useEffect(() => {
    listeners.add(setState);
    tell();
    return () => {
      listeners.delete(setState);
    };
  }, []);
  return state;
}

/**
 * Runs a task now and then every so many seconds, until the signal ends it.
 *
 * @param {() => number} seconds a function, since a page with nothing under way may ask less often
 * @param {() => Promise<unknown>} task
 * @param {AbortSignal} signal
 * @param {(error: Problem) => void} failed gets what the task throws
 * @returns {() => Promise<void>} a function that runs it at once
 */
export function every(seconds, task, signal, failed = () => {}) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let failures = 0;
  let last = 0;
  let busy = false;
  let least = 0;

  function pause() {
    if (!failures) return seconds() * 1000;
    return Math.min(SLOWEST, Math.max(least, FIRST_RETRY * 2 ** (failures - 1))) * 1000;
  }

  function schedule() {
    clearTimeout(timer);
    if (!document.hidden && !signal.aborted)
      timer = setTimeout(run, Math.max(0, last + pause() - Date.now()));
  }

  async function run() {
    if (busy || signal.aborted) return;
    busy = true;
    try {
      await task();
      failures = 0;
      least = 0;
      problems.delete(task);
    } catch (thrown) {
      if (signal.aborted) return;
      const error = /** @type {Problem} */ (thrown);
      if (mayPass(error)) {
        failures += 1;
        least = error.retryAfter ?? 0;
        problems.set(task, error);
      }
      failed(error);
    } finally {
      busy = false;
      last = Date.now();
    }
    if (signal.aborted) return;
    tell();
    schedule();
  }

  document.addEventListener('visibilitychange', schedule, { signal });
  addEventListener('online', () => failures && run(), { signal });
  signal.addEventListener('abort', () => {
    clearTimeout(timer);
    problems.delete(task);
    tell();
  });
  run();
  return run;
}

/**
 * @template T
 * @typedef {{data: T | null, error: Problem | null, again: () => void}} Polled
 *   `data` is the newest answer, null before the first; `error` is that of the latest try, if it failed.
 */

/**
 * Loads something and keeps it up to date while the component is there.
 *
 * @template T
 * @param {(data: T | null) => number} seconds how long an answer is good for
 * @param {(signal: AbortSignal) => Promise<T>} load
 * @param {unknown[]} inputs what the answer depends on: when one changes, the old answer is dropped
 * @returns {Polled<T>}
 */
export function usePolled(seconds, load, inputs) {
  const [state, setState] = useState(/** @type {any} */ ({ data: null, error: null, of: inputs }));
  const again = useRef(() => {});
  useEffect(() => {
    const leaving = new AbortController();
    /** @type {T | null} */
    let newest = null;
    const task = async () => {
      newest = await load(leaving.signal);
      if (!leaving.signal.aborted) setState({ data: newest, error: null, of: inputs });
    };
    const run = every(
      () => seconds(newest),
      task,
      leaving.signal,
      (error) => setState({ data: newest, error, of: inputs }),
    );
    again.current = () => void run();
    return () => leaving.abort();
  }, inputs);
  const current = inputs.every((each, at) => each === state.of[at]);
  return {
    data: current ? state.data : null,
    error: current ? state.error : null,
    again: () => again.current(),
  };
}
