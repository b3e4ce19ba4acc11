// A space-time diagram: a lane for each service, time running down, lines from cause to effect.
//
// Everything is read off the vector clocks; the diagram knows no order of events of its own.

import { svg } from "./elements.js";

/** The places of a vector clock, in the order of the lanes, with the names that fit. */
export const SERVICES = [
  { service: "orchestrator", name: "Orchestrator" },
  { service: "transaction-verification", name: "Verification" },
  { service: "fraud-detection", name: "Fraud" },
  { service: "suggestions", name: "Suggestions" },
];

const LANE_WIDTH = 94;
const ROW_HEIGHT = 64;
const TOP = 50;
const BOX = { width: 91, height: 35 };

/** Whether a clock happened before another: no place is larger and one is smaller. */
export function happenedBefore(one, other) {
  const places = SERVICES.map(({ service }) => [one[service], other[service]]);
  return places.every(([count, later]) => count <= later) && places.some(([count, later]) => count < later);
}

/**
 * Places events in rows, each as high as its causes allow, and finds the lines that are needed: from each event to those that it
 * could have caused and that no event between them explains.
 */
export function layout(events) {
  const causes = events.map((event) => events.flatMap((other, index) => (happenedBefore(other.clock, event.clock) ? [index] : [])));
  const rows = [];
  const row = (index) => (rows[index] ??= Math.max(-1, ...causes[index].map(row)) + 1);
  events.forEach((_, index) => row(index));
  // Two events of one service cannot be told apart in one row, so one of them goes further down.
  const taken = new Set();
  const inOrder = events.map((_, index) => index).sort((one, other) => rows[one] - rows[other]);
  for (const index of inOrder) {
    rows[index] = Math.max(rows[index], ...causes[index].map((cause) => rows[cause] + 1));
    while (taken.has(`${events[index].service} ${rows[index]}`)) {
      rows[index] += 1;
    }
    taken.add(`${events[index].service} ${rows[index]}`);
  }
  const edges = causes.flatMap((of, effect) =>
    of.filter((cause) => !of.some((between) => causes[between].includes(cause))).map((cause) => ({ cause, effect })),
  );
  return { rows, edges };
}

/** Draws events, each with its `event`, `service` and `clock`. */
export function diagram(events) {
  const { rows, edges } = layout(events);
  const lane = (service) => SERVICES.findIndex((place) => place.service === service);
  const at = (index) => ({ x: (lane(events[index].service) + 0.5) * LANE_WIDTH, y: TOP + rows[index] * ROW_HEIGHT });
  const width = SERVICES.length * LANE_WIDTH;
  const height = TOP + Math.max(0, ...rows) * ROW_HEIGHT + BOX.height / 2 + 8;
  return svg(
    "svg",
    { class: "diagram", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "Space-time diagram of the events; the table has the same events and clocks" },
    svg("defs", {}, svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { class: "tip", d: "M0 0L8 4L0 8z" }))),
    ...SERVICES.map(({ name }, index) => laneOf(name, (index + 0.5) * LANE_WIDTH, height)),
    ...edges.map(({ cause, effect }) => edge(at(cause), at(effect))),
    ...events.map((event, index) => node(event, at(index))),
  );
}

function laneOf(name, x, height) {
  return svg("g", {}, svg("text", { class: "lane-name", x, y: 16 }, name), svg("line", { class: "lane", x1: x, x2: x, y1: 26, y2: height }));
}

/** A line from the lower side of a cause to the upper side of its effect. */
function edge(from, to) {
  const half = BOX.height / 2;
  return svg("line", { class: "edge", x1: from.x, y1: from.y + half, x2: to.x, y2: to.y - half - 1, "marker-end": "url(#tip)" });
}

function node({ event, clock }, { x, y }) {
  const counts = SERVICES.map(({ service }) => clock[service]).join(" ");
  const kind = event === "decision" ? "event decision" : "event";
  return svg(
    "g",
    { class: kind },
    svg("rect", { x: x - BOX.width / 2, y: y - BOX.height / 2, rx: 6, ...BOX }),
    svg("text", { x, y: y - 3 }, event),
    svg("text", { class: "clock", x, y: y + 11 }, counts),
  );
}
