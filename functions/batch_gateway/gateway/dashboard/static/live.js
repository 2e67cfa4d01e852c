/** Asks again every so often: not while nobody looks, and less often while it fails. */

const SLOWEST = 300;

const listeners = new Set();
let problems = new Map();

/** Tells what the page's connection is like: 'live', 'paused', or the error that calls fail with. */
export function watchConnection(listener) {
  listeners.add(listener);
  tell();
}

function tell() {
  const state = document.hidden ? 'paused' : ([...problems.values()][0] ?? 'live');
  for (const listener of listeners) listener(state);
}

document.addEventListener('visibilitychange', tell);

/** A new view: what the last one failed at is no longer of interest. */
export function forgetProblems() {
  problems = new Map();
  tell();
}

/**
 * Runs a task now and then every so many seconds, until the signal ends it.
 *
 * `seconds` is a function, since a page with nothing under way may ask less often. `failed` gets what the
 * task throws. Returns a function that runs it at once.
 */
export function every(seconds, task, signal, failed = () => {}) {
  let timer = null;
  let failures = 0;
  let last = 0;
  let busy = false;
  let least = 0;
  const pause = () => Math.min(SLOWEST, Math.max(least, seconds() * 2 ** failures)) * 1000;

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
    } catch (error) {
      if (signal.aborted) return;
      failures += 1;
      least = error.retryAfter ?? 0;
      problems.set(task, error);
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
  run();
  return run;
}
