/** What to do about rows, and jobs, that went wrong, by the reason that the gateway reports. */

const LATER =
  'An error on Vertex AI’s side, which usually passes. Failed rows are free: resume the job to run them again.';
const BLOCKED =
  'Vertex AI blocked the answer, and the same row will most likely be blocked again. Look at the prompt, or at the safetySettings of the row.';
const CUT_OFF =
  'The answer reached its longest length and was paid for. Raise maxOutputTokens in the rows (thoughts count too), or ask for shorter answers.';
const TOOLS =
  'The model’s call of a function was not valid. Simplify the function declarations in the rows, or run these rows again.';

/** @type {Record<string, string>} */
const ROWS = {
  INVALID_ARGUMENT:
    'Vertex AI does not accept these rows as they are, and would refuse them again. The message names what is wrong: correct the rows, and run them as a new job.',
  FAILED_PRECONDITION: 'Vertex AI does not accept these rows as they are. The message says what is missing.',
  OUT_OF_RANGE:
    'A value in these rows is too large, often the prompt itself. Shorten it, and run them again.',
  RESOURCE_EXHAUSTED:
    'Vertex AI had no quota or capacity left. Failed rows are free: resume the job at a quieter time.',
  PERMISSION_DENIED:
    'Vertex AI may not read a file that these rows name. Give its service agent roles/storage.objectViewer on the file’s bucket, then resume the job.',
  UNAUTHENTICATED: 'Vertex AI could not authenticate for a file that these rows name. Check who may read it.',
  NOT_FOUND:
    'A file, cache or model that these rows name does not exist. Correct the rows, and run them as a new job.',
  UNIMPLEMENTED: 'The model does not support what these rows ask for. Use another model, or change the rows.',
  DEADLINE_EXCEEDED: 'The answer took too long. Resume the job; if it fails again, ask for less in one row.',
  CANCELLED: 'The job ended before these rows were run. They are free: resume the job to run them.',
  ABORTED: LATER,
  DATA_LOSS: LATER,
  INTERNAL: LATER,
  UNAVAILABLE: LATER,
  UNKNOWN:
    'The rows do not say why they failed. Their message may; otherwise resume the job to run them again.',
  SAFETY: BLOCKED,
  IMAGE_SAFETY: BLOCKED,
  JAILBREAK: BLOCKED,
  content_filter: BLOCKED,
  refusal:
    'The model declined to answer. Look at the prompt: the same row will most likely be declined again.',
  MODEL_ARMOR:
    'A Model Armor template of your project blocked the row. Look at the prompt, or at the template.',
  BLOCKLIST: 'The row has a word from a blocklist. Change the prompt.',
  PROHIBITED_CONTENT:
    'Vertex AI does not process this content, whatever the safetySettings. Remove these rows.',
  IMAGE_PROHIBITED_CONTENT:
    'Vertex AI does not process this content, whatever the safetySettings. Remove these rows.',
  SPII: 'The answer would have had sensitive personal information. Remove such data from the prompt.',
  RECITATION:
    'The answer came too close to a published text. Ask for a summary, or for the model’s own words.',
  IMAGE_RECITATION: 'The image came too close to a published one. Change the prompt.',
  LANGUAGE: 'The model does not support the language of these rows.',
  MALFORMED_FUNCTION_CALL: TOOLS,
  UNEXPECTED_TOOL_CALL: TOOLS,
  TOO_MANY_TOOL_CALLS: TOOLS,
  MAX_TOKENS: CUT_OFF,
  max_tokens: CUT_OFF,
  length: CUT_OFF,
  model_context_window_exceeded:
    'Prompt and answer together exceed the model’s context window. Shorten the prompt.',
};

/** google.rpc.Code of a job's error. @type {Record<number, string>} */
const JOBS = {
  3: 'Vertex AI does not accept the job or its input. An estimate of the same request lists the rows that it would refuse.',
  5: 'The input, the model or the output location does not exist. Check the URIs below, and the model’s location.',
  7: 'Vertex AI’s service agent may not read the input or write the output. Give it roles/storage.objectUser on both buckets.',
  8: 'Vertex AI had no quota or capacity left. Rows that were answered are kept: resume the job at a quieter time.',
  13: 'An error on Vertex AI’s side. Resume the job, or create it again if it has no output.',
  14: 'An error on Vertex AI’s side. Resume the job, or create it again if it has no output.',
};

/**
 * Returns what to do about rows with a reason; null if there is nothing to say about it.
 * @param {string} reason
 */
export function adviceOnRows(reason) {
  return Object.hasOwn(ROWS, reason) ? ROWS[reason] : null;
}

/**
 * Returns what to do about a job that failed.
 * @param {{code?: number}} error
 */
export function adviceOnJob({ code = 0 }) {
  return JOBS[code] ?? null;
}
