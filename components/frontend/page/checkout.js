// The counter: basket, form, and what became of the order.

import * as basket from "./basket.js";
import { priceOf, put } from "./catalogue.js";
import { announce, byId, counted, goTo, html, money } from "./elements.js";

const form = byId("checkout");

/** The last order that was sent and got no answer, with its key: sent again, it must not become a second order. */
let unanswered = { body: "", key: "" };

/** Makes the counter work. */
export function open() {
  // December of the year after next never expires while this page is in use.
  form.elements.expirationDate.value = `12/${String(new Date().getFullYear() + 2).slice(-2)}`;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    buy();
  });
  basket.onChange(showBasket);
}

/** Shows the basket again, once prices are known. */
export function showBasket() {
  const lines = basket.lines();
  byId("basket-count").textContent = basket.size();
  byId("basket-empty").hidden = lines.length > 0;
  byId("total").hidden = lines.length === 0;
  const sum = lines.reduce((sum, { name, quantity }) => sum + (priceOf(name) ?? 0) * quantity, 0);
  byId("total-sum").textContent = money(sum);
  const list = byId("basket");
  // A line that stays is not made anew: it may be in focus.
  const present = new Map([...list.children].map((element) => [element.dataset.title, element]));
  list.replaceChildren(
    ...lines.map(({ name, quantity }) => {
      const element = present.get(name) ?? line(name);
      element.querySelector("input").value = quantity;
      return element;
    }),
  );
}

function line(title) {
  const change = ({ target }) => {
    const quantity = Math.trunc(Number(target.value));
    basket.set(title, Number.isFinite(quantity) && quantity >= 1 ? quantity : 1);
  };
  return html(
    "li",
    { "data-title": title },
    html("span", { class: "title" }, title),
    html("input", { type: "number", min: 1, max: 1000000, "aria-label": `Copies of ${title}`, onchange: change }),
    html("button", { type: "button", "aria-label": `Remove ${title}`, onclick: () => remove(title) }, "Remove"),
  );
}

function remove(title) {
  basket.set(title, 0);
  announce(`${title} is no longer in the basket.`);
  // The button that was in focus is gone.
  byId("basket-heading").focus();
}

function order() {
  const field = (name) => form.elements[name].value.trim();
  const optional = (name) => field(name) || undefined;
  return {
    user: { name: field("name"), contact: field("contact") },
    creditCard: { number: field("number"), expirationDate: field("expirationDate"), cvv: field("cvv") },
    items: basket.lines(),
    billingAddress: Object.fromEntries(["street", "city", "state", "zip", "country"].map((name) => [name, field(name)])),
    shippingMethod: field("shippingMethod"),
    giftWrapping: form.elements.giftWrapping.checked,
    termsAccepted: form.elements.termsAccepted.checked,
    userComment: optional("userComment"),
    discountCode: optional("discountCode"),
    giftMessage: optional("giftMessage"),
    device: { type: matchMedia("(pointer: coarse)").matches ? "Smartphone" : "Desktop" },
    deviceLanguage: navigator.language || undefined,
    screenResolution: `${screen.width}x${screen.height}`,
    referrer: document.referrer || undefined,
  };
}

/** A random text that no other order has. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function buy() {
  if (basket.size() === 0) {
    show("bad", "Your basket is empty", html("p", {}, "Add a book, then place the order."));
    return;
  }
  const body = JSON.stringify(order());
  if (body !== unanswered.body) {
    unanswered = { body, key: newKey() };
  }
  byId("buy").disabled = true;
  byId("buy").textContent = "Placing the order…";
  try {
    const headers = { "Content-Type": "application/json", "Idempotency-Key": unanswered.key };
    const response = await fetch("/checkout", { method: "POST", headers, body });
    const answer = await response.json();
    if (answer.error) {
      showError(answer.error);
    } else {
      unanswered = { body: "", key: "" };
      showDecision(answer);
    }
  } catch {
    showError({ message: "The shop did not answer." });
  } finally {
    byId("buy").disabled = false;
    byId("buy").textContent = "Place order";
  }
}

function showDecision({ orderId, status, reason, suggestedBooks }) {
  const identity = html("p", {}, "Order ", html("code", {}, orderId));
  const link = html("p", {}, html("a", { href: `#/orders/${orderId}` }, "See this order and how it was decided"));
  if (status === "Order Approved") {
    basket.empty();
    const suggestions = suggestedBooks.map(({ title, author }) =>
      html(
        "li",
        {},
        html("span", {}, html("strong", {}, title), ` by ${author}`),
        html("button", { type: "button", "aria-label": `Add ${title}`, onclick: () => put(title) }, "Add"),
      ),
    );
    const also = suggestions.length > 0 ? [html("h3", {}, "You may also like"), html("ul", {}, ...suggestions)] : [];
    show("good", status, identity, link, ...also);
  } else {
    const why = reason ? [html("p", {}, reason.message), html("p", { class: "hint" }, html("code", {}, reason.code), ` from ${reason.service}`)] : [];
    show("bad", status, ...why, identity, link);
  }
}

/** Nothing was decided, as far as is known. The same order may be placed again: it counts once. */
function showError({ code, message }) {
  const name = code ? html("p", { class: "hint" }, html("code", {}, code)) : undefined;
  show("bad", "The order was not placed", html("p", {}, message), name, html("p", {}, "You can place it again; it will count once."));
}

function show(kind, heading, ...parts) {
  const title = html("h2", { tabindex: "-1" }, heading);
  byId("result").replaceChildren(html("div", { class: `result ${kind}` }, title, ...parts));
  goTo(title);
}

/** Takes the reader to the basket. */
export function goToBasket() {
  goTo(byId("basket-heading"));
  announce(`The basket has ${counted(basket.size(), "copy", "copies")}.`);
}
