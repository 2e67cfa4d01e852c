// The walk that every Node client takes through the gateway; see walk.py, whose result has the same form.

const { env } = process;
const ENDED = new Set(['SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED'].map(each => `JOB_STATE_${each}`));
const SECONDS = 45;

export const settings = {
  url: env.GATEWAY_URL,
  key: env.GATEWAY_KEY,
  project: env.GATEWAY_PROJECT,
  location: env.GATEWAY_LOCATION,
  model: env.MODEL,
};

const sleep = seconds => new Promise(resolve => setTimeout(resolve, 1000 * seconds));

// What a call throws: the error's class, and its text as a caller would see it.
export async function error(call) {
  try {
    return { classes: [], text: `nothing was thrown; returned ${JSON.stringify(await call())}` };
  } catch (thrown) {
    return { classes: [thrown.constructor.name], text: thrown.message, status: thrown.status, code: thrown.code };
  }
}

async function all(pages) {
  const found = [];
  for await (const page of pages) found.push(page);
  return found;
}

async function end(client, name) {
  for (let left = SECONDS / 0.2; left > 0; left -= 1) {
    const { state } = await client.get(name);
    if (ENDED.has(state)) return state;
    await sleep(0.2);
  }
  throw new Error(`${name} has not ended within ${SECONDS} s`);
}

async function untilGone(client, name) {
  for (let left = 100; ; left -= 1) {
    const thrown = await error(() => client.get(name));
    if (thrown.classes.length || !left) return thrown;
    await sleep(0.1);
  }
}

// connect(location, key) returns a client with create, get, pages, cancel and delete.
export async function walk(connect) {
  const { RUN: run, INPUT: input, LONG_INPUT: longInput, OUTPUT: output } = env;
  const { location, key } = settings;
  const client = connect(location, key);
  const long = await client.create(`${run}-long`, longInput, `${output}/long`);
  const short = await client.create(`${run}-short`, input, `${output}/short`);
  const seen = await client.get(long.name);
  const pages = (await all(client.pages(`display_name:"${run}-*"`))).filter(page => page.length);
  const filtered = (await all(client.pages(`display_name="${run}-short"`))).flat();
  await client.cancel(long.name);
  const ended = { long: await end(client, long.name), short: await end(client, short.name) };
  await client.delete(long.name);
  await client.delete(short.name);
  const unknown = `${short.name.slice(0, short.name.lastIndexOf('/'))}/1234567890123456789`;
  const errors = {
    deleted: await untilGone(client, short.name),
    invalid: await error(() => client.create(`${run}-bad`, 'gs://only-a-bucket', 'gs://batch-out/x')),
    wrong_key: await error(() => all(connect(location, 'sk-wrong').pages(''))),
    unserved: await error(() => all(connect('asia-east1', key).pages(''))),
    unknown: await error(() => client.get(unknown)),
    exhausted: await error(() => connect('europe-west1', key).create(`${run}-429`, input, 'gs://batch-out/x')),
  };
  const jobs = { long: long.name, short: short.name };
  process.stdout.write(JSON.stringify({ jobs, created: short, seen, pages, filtered, ended, errors }));
}
