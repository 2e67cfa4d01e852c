/** The key of whoever is signed in, in the tabs of one browser. It is never in an address or a cookie. */

const HELD = 'batch-gateway-key';

// A browser that forbids storage still works, until the page is reloaded.
/**
 * @template T
 * @param {(held: Storage) => T} act
 */
function storage(act) {
  try {
    return act(sessionStorage);
  } catch {
    return null;
  }
}

let secret = storage((held) => held.getItem(HELD));
/** Tabs of the same origin: a new one asks, those that are signed in answer, and all are signed out together. */
const tabs = new BroadcastChannel('batch-gateway-tabs');
/** @type {((given: string) => void) | null} */
let awaiting = null;
let signedOut = () => {};

tabs.addEventListener('message', ({ data }) => {
  if (data.type === 'asked' && secret !== null) tabs.postMessage({ type: 'given', secret });
  else if (data.type === 'given') awaiting?.(data.secret);
  else if (data.type === 'signed-out' && secret !== null) {
    drop();
    signedOut();
  }
});

export function secretOf() {
  return secret;
}

/**
 * Keeps a key for this tab: it survives a reload, and ends with the tab.
 * @param {string} value
 */
export function keep(value) {
  secret = value;
  storage((held) => held.setItem(HELD, value));
}

/** Forgets the key in this tab. */
export function drop() {
  secret = null;
  storage((held) => held.clear());
}

/** Forgets the key in all tabs. */
export function dropEverywhere() {
  drop();
  tabs.postMessage({ type: 'signed-out' });
}

/**
 * Asks the other tabs for their key; `use` is called with it if one answers, and until `signal` ends it.
 * @param {(given: string) => void} use
 * @param {AbortSignal} signal
 */
export function askTabs(use, signal) {
  awaiting = use;
  signal.addEventListener('abort', () => {
    awaiting = null;
  });
  tabs.postMessage({ type: 'asked' });
}

/**
 * Calls back when another tab has signed out.
 * @param {() => void} callback
 */
export function onSignedOut(callback) {
  signedOut = callback;
}
