/** Files for spreadsheets, and files at all. */

/** First characters of a formula, also full-width ones, as in the API's own files ("CSV Injection" of OWASP). */
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const NUMBER = /^-?\d+(\.\d+)?$/;

/**
 * Returns a cell; an apostrophe marks as text what a spreadsheet would run, unless it is a number.
 * @param {unknown} value
 */
export function cell(value) {
  const text = String(value ?? '');
  const safe = FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/**
 * @param {Blob} blob
 * @param {string} name
 */
export function download(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/**
 * @param {unknown[][]} rows
 * @param {string} name
 */
export function downloadCsv(rows, name) {
  const text = rows.map((row) => row.map(cell).join(',')).join('\r\n');
  download(new Blob([`${text}\r\n`], { type: 'text/csv;charset=utf-8' }), name);
}
