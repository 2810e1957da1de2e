// A program for the tests, which start it with few permissions: does one thing and prints what became of it, as JSON.
import { connectLog, openFileStores, openLog } from "../../log.ts";
import { Pull } from "../../mod.ts";

interface Outcome {
  readonly code?: string;
  readonly message?: string;
  readonly [name: string]: unknown;
}

const [what = "", where = "", durability = ""] = process.argv.slice(2);

async function outcomeOf(run: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { code: "none", value: await run() };
  } catch (error) {
    const { code, message, cause } = error as { code: string; message: string; cause?: { code?: string } };
    return { code, message, cause: cause?.code };
  }
}

async function connect(): Promise<Outcome> {
  const pull = new Pull({ reconnectInterval: 1 });
  const events: string[] = [];
  for (const type of ["connect:delay", "connect:retry", "close"] as const) {
    pull.events.on(type, (event) => {
      events.push(type);
      if (event.type === "connect:delay" && "code" in event.error) events.push(String(event.error.code));
    });
  }
  pull.connect(where);
  const outcome = await outcomeOf(() => pull.receive());
  await pull[Symbol.asyncDispose]();
  return { ...outcome, events };
}

async function bind(): Promise<unknown> {
  await using pull = new Pull();
  await pull.bind(where);
  return pull.lastEndpoint;
}

async function log(): Promise<unknown> {
  const stores = await openFileStores({ dir: where, durability: durability as "process" | "machine" });
  await using log = await openLog({ stores });
  const { position } = await log.publisher("orders", { ack: 1 }).publish("one pair of socks");
  for await (const record of log.subscribe("orders", { from: "earliest" })) {
    return `${position} ${new TextDecoder().decode(record.value)}`;
  }
  return undefined;
}

async function client(): Promise<unknown> {
  await using _log = await connectLog([where, where.replace(/.$/, "6")]);
  return "connected";
}

const runs: Readonly<Record<string, () => Promise<Outcome>>> = {
  connect,
  bind: () => outcomeOf(bind),
  log: () => outcomeOf(log),
  client: () => outcomeOf(client),
};
console.log(JSON.stringify(await runs[what]!()));
