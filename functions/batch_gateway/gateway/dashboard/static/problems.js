/** Which field of a form an error is about. */

import { useLayoutEffect, useRef, useState } from './hooks.module.js';
import { createContext } from './preact.module.js';

/** @typedef {{field: string | null, message: string}} Problem `field` is its name, which is the API's */

/** What is wrong with a form; its fields look here for theirs. */
export const ProblemOfForm = createContext(/** @type {Problem | null} */ (null));

/** Fields of what is refused for another reason than FIELD_INVALID. @type {Record<string, string>} */
const FIELDS = { KEY_ALIAS_TAKEN: 'key_alias', TEAM_EXISTS: 'team_id', TEAM_ID_USED: 'team_id' };

/** What somebody typed into a field cannot be sent. */
export class FieldError extends Error {
  /**
   * @param {string} field
   * @param {string} message
   */
  constructor(field, message) {
    super(message);
    this.field = field;
  }
}

/**
 * Keeps what is wrong with a form: about one of its fields, which gets the focus, or about all of it.
 */
export function useProblem() {
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  const [error, setError] = useState(/** @type {Error | null} */ (null));
  const problem = error && problemOf(error);
  const control = /** @type {HTMLElement | null} */ (
    problem?.field ? form.current?.elements.namedItem(problem.field) : null
  );
  useLayoutEffect(() => control?.focus(), [error]);
  return { form, setError, ofField: control ? problem : null, ofForm: control ? '' : error?.message };
}

/**
 * Returns the field that an error is about, if it is about one, and what is wrong.
 * @param {Error & {reason?: string | null}} error
 * @returns {Problem}
 */
function problemOf(error) {
  const { message, reason } = error;
  if (error instanceof FieldError) return { field: error.field, message };
  const [, field, said] = /^Invalid request: (\w+): (.*?)(?: See \/openapi\.json\.)?$/s.exec(message) ?? [];
  if (reason === 'FIELD_INVALID' && field) return { field, message: said };
  return { field: FIELDS[reason ?? ''] ?? null, message };
}
