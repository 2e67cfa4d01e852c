/** Saves what the gateway streams, without holding it in memory where the browser lets a page write a file. */

import { stream } from './api.js';
import { download } from './csv.js';

/** Most bytes that are collected where the browser does not: Firefox and Safari. */
const MOST_COLLECTED = 500_000_000;

/**
 * @typedef {{
 *   createWritable: () => Promise<WritableStream<Uint8Array>>,
 * }} FileHandle a FileSystemFileHandle, which only some browsers have
 * @typedef {{suggestedName: string}} PickerOptions
 */

/**
 * Downloads an answer to a file. Resolves to whether there is one: whoever closes the browser's dialog changed their
 * mind. A file that the browser writes piece by piece gets its content only once all of it is there.
 *
 * @param {string} path
 * @param {import('./api.js').Query} query
 * @param {string} name
 * @param {{signal: AbortSignal, progress: (bytes: number) => void}} options
 */
export async function save(path, query, name, { signal, progress }) {
  /** @type {((options: PickerOptions) => Promise<FileHandle>) | undefined} */
  const pick = /** @type {any} */ (globalThis).showSaveFilePicker;
  let file = null;
  if (pick) {
    try {
      // Before anything is fetched: browsers ask right after a click only.
      file = await pick({ suggestedName: name });
    } catch (error) {
      if (/** @type {Error} */ (error).name === 'AbortError') return false;
      throw error;
    }
  }
  const answer = await stream(path, query, signal);
  const body = /** @type {ReadableStream<Uint8Array>} */ (answer.body).pipeThrough(counting(progress));
  try {
    if (file) await body.pipeTo(await file.createWritable(), { signal });
    else download(await collected(body), name);
  } catch (error) {
    if (signal.aborted) return false;
    if (error instanceof TypeError)
      throw new Error('The connection was lost before the end. Nothing was saved.');
    throw error;
  }
  return true;
}

/** @param {(bytes: number) => void} progress */
function counting(progress) {
  let bytes = 0;
  return new TransformStream({
    /**
     * @param {Uint8Array} chunk
     * @param {TransformStreamDefaultController<Uint8Array>} out
     */
    transform(chunk, out) {
      bytes += chunk.byteLength;
      progress(bytes);
      out.enqueue(chunk);
    },
  });
}

/** @param {ReadableStream<Uint8Array>} body */
async function collected(body) {
  const reader = body.getReader();
  /** @type {any[]} */
  const chunks = [];
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Blob(chunks);
    bytes += value.byteLength;
    if (bytes > MOST_COLLECTED) {
      await reader.cancel();
      throw new Error(
        'This is more than 500 MB, which this browser would have to hold in memory. Use Chrome or Edge, or the command below.',
      );
    }
    chunks.push(value);
  }
}
