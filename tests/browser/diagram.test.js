import assert from "node:assert/strict";
import { test } from "node:test";
import { happenedBefore, layout } from "../../components/frontend/page/diagram.js";

const clock = (...counts) => ({
  orchestrator: counts[0],
  "transaction-verification": counts[1],
  "fraud-detection": counts[2],
  suggestions: counts[3],
});

const at = (service, ...counts) => ({ service, clock: clock(...counts) });

/** Lays events out; `rows` and `edges` (as `cause effect`) are what is expected. */
function check(events, rows, edges) {
  const laid = layout(events);
  assert.deepEqual(laid.rows, rows);
  assert.deepEqual(laid.edges.map(({ cause, effect }) => `${cause} ${effect}`), edges);
}

test("a clock is before another if no place is larger and one is smaller", () => {
  assert.ok(happenedBefore(clock(1, 1, 0, 0), clock(1, 2, 0, 0)));
  assert.ok(!happenedBefore(clock(1, 2, 0, 0), clock(1, 1, 0, 0)));
  assert.ok(!happenedBefore(clock(1, 1, 0, 0), clock(1, 1, 0, 0)));
  assert.ok(!happenedBefore(clock(1, 2, 0, 0), clock(1, 1, 1, 0)));
});

test("a chain goes down, with a line from each to the next only", () => {
  const events = [at("orchestrator", 1, 0, 0, 0), at("transaction-verification", 1, 1, 0, 0), at("fraud-detection", 1, 1, 1, 0)];
  check(events, [0, 1, 2], ["0 1", "1 2"]);
});

test("concurrent events of two services are side by side", () => {
  const events = [at("orchestrator", 1, 0, 0, 0), at("transaction-verification", 1, 1, 0, 0), at("fraud-detection", 1, 0, 1, 0), at("orchestrator", 2, 1, 1, 0)];
  check(events, [0, 1, 1, 2], ["0 1", "0 2", "1 3", "2 3"]);
});

test("concurrent events of one service are below each other, and so is what follows them", () => {
  const events = [at("fraud-detection", 1, 0, 1, 0), at("fraud-detection", 0, 1, 1, 0), at("orchestrator", 2, 1, 1, 0)];
  check(events, [0, 1, 2], ["0 2", "1 2"]);
});

test("events may come in any order, and there may be none", () => {
  check([at("fraud-detection", 1, 1, 1, 0), at("orchestrator", 1, 0, 0, 0)], [1, 0], ["1 0"]);
  check([], [], []);
});
