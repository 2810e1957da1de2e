/**
 * The page's program. main.ts bundles it when it starts.
 *
 * @module
 */

/// <reference lib="dom" />

import { Publisher, type Socket, Subscriber } from "hawser";
import { connectLog } from "hawser/log";
import uPlot from "uplot";

/** What the server publishes in the log. */
interface Sample {
  readonly timeMs: number;
  /** Part of one processor, in percent. */
  readonly processor: number;
  /** In MiB. */
  readonly memory: number;
}

const MESSAGES_SHOWN = 50;
const SAMPLES_SHOWN = 480;

const server = new URL(location.href).searchParams.get("server") ?? location.origin.replace("http", "ws");
const decoder = new TextDecoder();

function element<Kind extends HTMLElement>(id: string): Kind {
  return document.getElementById(id) as Kind;
}

// Whether each connection is there.

function show(name: string, state: "waiting" | "connected" | "lost"): void {
  const item = element(`state-${name}`);
  item.dataset["state"] = state;
  item.querySelector("b")!.textContent = state === "lost" ? "reconnecting" : state;
}

function watch(name: string, socket: Socket): void {
  socket.events.on("handshake", () => show(name, "connected"));
  socket.events.on("disconnect", () => show(name, "lost"));
}

// Publish

const publisher = new Publisher();
watch("publish", publisher);
publisher.connect(`${server}/publish`);

element<HTMLFormElement>("publish").addEventListener("submit", (event) => {
  event.preventDefault();
  const topic = element<HTMLInputElement>("publish-topic").value;
  const text = element<HTMLInputElement>("publish-text").value;
  publisher.send([topic, text]).then(() => {
    element("publish-told").textContent = `Sent to those who subscribed to the beginning of “${topic}”.`;
  });
});

// Subscribe

const subscriber = new Subscriber();
watch("subscribe", subscriber);
subscriber.connect(`${server}/subscribe`);

function subscribe(topic: string): void {
  subscriber.subscribe(topic);
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.textContent = `${topic === "" ? "everything" : topic} ×`;
  button.ariaLabel = `Unsubscribe from ${topic === "" ? "everything" : topic}`;
  button.addEventListener("click", () => {
    subscriber.unsubscribe(topic);
    item.remove();
  });
  item.append(button);
  element("topics").append(item);
}

element<HTMLFormElement>("subscribe").addEventListener("submit", (event) => {
  event.preventDefault();
  subscribe(element<HTMLInputElement>("subscribe-topic").value);
});
subscribe("weather.");

async function showMessages(): Promise<void> {
  const list = element("messages");
  for await (const [topic, text] of subscriber) {
    const item = document.createElement("li");
    const time = document.createElement("time");
    const name = document.createElement("b");
    const said = document.createElement("span");
    time.textContent = new Date().toLocaleTimeString([], { hour12: false });
    name.textContent = decoder.decode(topic);
    said.textContent = decoder.decode(text);
    item.append(time, name, said);
    list.prepend(item);
    while (list.childElementCount > MESSAGES_SHOWN) list.lastElementChild!.remove();
  }
}

// The log

function drawChart(): (samples: readonly Sample[]) => void {
  const colour = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name);
  const place = element("chart");
  const [text, line] = [colour("--soft"), colour("--line")];
  const axis = { stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line } };
  const chart = new uPlot(
    {
      width: place.clientWidth,
      height: 280,
      series: [
        {},
        { label: "Processor (%)", stroke: colour("--first"), width: 2, scale: "%" },
        { label: "Memory (MiB)", stroke: colour("--second"), width: 2, dash: [6, 3], scale: "MiB" },
      ],
      scales: { "%": { range: (_chart, _low, high) => [0, Math.max(10, high * 1.1)] } },
      axes: [
        axis,
        { ...axis, scale: "%", label: "Processor, % of one core", labelGap: 4 },
        { ...axis, scale: "MiB", side: 1, label: "Memory, MiB", grid: { show: false } },
      ],
    },
    [[], [], []],
    place,
  );
  addEventListener("resize", () => chart.setSize({ width: place.clientWidth, height: 280 }));
  return (samples) =>
    chart.setData([
      samples.map(({ timeMs }) => timeMs / 1_000),
      samples.map(({ processor }) => processor),
      samples.map(({ memory }) => memory),
    ]);
}

async function showLog(): Promise<void> {
  const draw = drawChart();
  const samples: Sample[] = [];
  const log = await connectLog(`${server}/log`, { connectTimeoutMs: 86_400_000 });
  log.on("connected", () => show("log", "connected"));
  log.on("disconnected", () => show("log", "lost"));
  show("log", "connected");
  let drawn = true;
  for await (const { position, value } of log.subscribe("server", { from: "earliest" })) {
    samples.push(JSON.parse(decoder.decode(value)));
    if (samples.length > SAMPLES_SHOWN) samples.shift();
    if (!drawn) continue;
    drawn = false;
    requestAnimationFrame(() => {
      drawn = true;
      draw(samples);
      const { processor, memory } = samples.at(-1)!;
      element("figures").textContent = `Record ${position}: processor ${processor.toFixed(1)} %, ` +
        `memory ${memory.toFixed(1)} MiB`;
    });
  }
}

void showMessages();
void showLog();
