// The page of one order: where it stands, why, and how the services came to it.

import { byId, html } from "./elements.js";
import { SERVICES, diagram } from "./diagram.js";

const KINDS = { approved: "good", completed: "good", rejected: "bad", failed: "bad" };

/** Shows the order with this identity. */
export async function show(id) {
  const page = byId("order");
  page.replaceChildren(html("p", { class: "hint" }, "Loading the order…"));
  page.replaceChildren(...(await content(id)));
  page.focus({ preventScroll: true });
}

async function content(id) {
  const heading = html("h1", {}, "Order");
  const back = html("p", {}, html("a", { href: "#/" }, "← Back to the shop"));
  try {
    const response = await fetch(`/orders/${id}`);
    const answer = await response.json();
    if (answer.error) {
      return [back, heading, html("p", { role: "alert" }, answer.error.message)];
    }
    return [back, heading, ...parts(answer)];
  } catch {
    return [back, heading, html("p", { role: "alert" }, "The shop did not answer. Try again in a moment.")];
  }
}

function parts(order) {
  const events = [...order.events, { event: "decision", service: "orchestrator", clock: order.decision.clock }];
  return [
    html(
      "div",
      { class: "columns" },
      html("div", {}, summary(order), history(order), assessment(order)),
      section(
        "What happened before what",
        html("p", { class: "hint" }, "Time runs down. A line means that the upper event could have caused the lower one; events without a way between them were concurrent."),
        diagram(events),
      ),
    ),
    section("Events and their vector clocks", table(events)),
  ];
}

function section(heading, ...children) {
  return html("section", { class: "card" }, html("h2", {}, heading), ...children);
}

function facts(entries) {
  return html("dl", { class: "facts" }, ...entries.flatMap(([name, ...value]) => [html("dt", {}, name), html("dd", {}, ...value)]));
}

function summary({ orderId, status, items, shippingMethod, decision }) {
  const badge = html("span", { class: `badge ${KINDS[status] ?? "open"}` }, status);
  const entries = [
    ["Order", html("code", {}, orderId)],
    ["Books", html("ul", {}, ...items.map(({ name, quantity }) => html("li", {}, `${quantity} × ${name}`)))],
    ["Shipping", shippingMethod],
  ];
  if (decision.reason) {
    const { code, message, service } = decision.reason;
    entries.push(["Reason", message, " ", html("code", {}, code), ` from ${service}`]);
  }
  if (decision.suggestedBooks.length > 0) {
    const books = decision.suggestedBooks.map(({ title, author }) => html("li", {}, `${title} by ${author}`));
    entries.push(["Suggested", html("ul", {}, ...books)]);
  }
  return html("section", { class: "card" }, html("h2", {}, badge), facts(entries));
}

function history({ history }) {
  const entries = history.map(({ status, at, service }) =>
    html("li", {}, html("strong", {}, status), ` by ${service}`, html("time", { datetime: at }, new Date(at).toLocaleString())),
  );
  return section("History", html("ol", { class: "history" }, ...entries));
}

function assessment({ assessment }) {
  if (!assessment) {
    return undefined;
  }
  const percent = `${(assessment.score * 100).toFixed(1)} %`;
  return section(
    "Fraud assessment",
    html("p", {}, "How likely this is fraud, by the model: ", html("strong", {}, percent)),
    html("meter", { min: 0, max: 1, low: 0.5, high: 0.8, optimum: 0, value: assessment.score, "aria-label": "Fraud score" }, percent),
    html("ul", { class: "reasons" }, ...assessment.reasons.map((reason) => html("li", {}, reason))),
  );
}

function table(events) {
  const head = ["Event", "Service", ...SERVICES.map(({ name }) => name)];
  const cell = (kind, text, index) => html(kind, kind === "th" ? { scope: "col", class: index > 1 ? "number" : "" } : { class: index > 1 ? "number" : "" }, text);
  const rows = events.map(({ event, service, clock }) => [event, service, ...SERVICES.map(({ service }) => String(clock[service]))]);
  return html(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": "Events and their vector clocks" },
    html(
      "table",
      {},
      html("thead", {}, html("tr", {}, ...head.map((text, index) => cell("th", text, index)))),
      html("tbody", {}, ...rows.map((row) => html("tr", {}, ...row.map((text, index) => cell("td", text, index))))),
    ),
  );
}
