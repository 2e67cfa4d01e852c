/** A file of requests, as it is looked at before it is sent. */

/** The most that the gateway takes in one request. */
export const MOST_BYTES = 10 * 1024 * 1024;
const MOST_PROBLEMS = 10;

/**
 * @typedef {{
 *   file: File, stem: string, rows: number, problems: [line: number, why: string][], further: number,
 * }} Chosen `problems` are the first ones, `further` is how many more lines are wrong
 */

/**
 * Looks at every line of a file that is small enough to be sent.
 * @param {File} file
 * @returns {Promise<Chosen>}
 */
export async function read(file) {
  const stem = file.name.replace(/\.\w+$/, '').slice(0, 100) || 'batch';
  if (file.size > MOST_BYTES) return { file, stem, rows: 0, problems: [], further: 0 };
  /** @type {Chosen['problems']} */
  const problems = [];
  let rows = 0;
  let further = 0;
  // Not file.text(), which leaves out the byte order mark that Vertex AI stumbles over.
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(await file.arrayBuffer());
  for (const [at, line] of text.split('\n').entries()) {
    if (!line.trim()) continue;
    rows += 1;
    const why = wrong(line);
    if (why && problems.length < MOST_PROBLEMS) problems.push([at + 1, why]);
    else if (why) further += 1;
  }
  return { file, stem, rows, problems, further };
}

/** @param {string} line */
function wrong(line) {
  if (line.startsWith('\ufeff')) return 'It begins with a byte order mark. Save the file as plain UTF-8.';
  if (line.includes('\ufffd')) return 'It is not UTF-8.';
  try {
    const row = JSON.parse(line);
    return typeof row === 'object' && row !== null && !Array.isArray(row) ? null : 'It is not a JSON object.';
  } catch (error) {
    return `It is not JSON: ${/** @type {Error} */ (error).message}`;
  }
}
