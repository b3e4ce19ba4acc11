// What the customer wants to buy. Lives as long as the browser's tab.

const KEY = "basket";

/** Copies by title. */
const copies = new Map(remembered());
const listeners = [];

/** What an earlier visit to this tab left; nothing if the browser keeps nothing, or kept something else. */
function remembered() {
  try {
    const lines = JSON.parse(sessionStorage.getItem(KEY) ?? "[]");
    return lines.filter(([title, quantity]) => typeof title === "string" && Number.isInteger(quantity) && quantity > 0);
  } catch {
    return [];
  }
}

function changed() {
  try {
    sessionStorage.setItem(KEY, JSON.stringify([...copies]));
  } catch {
    // A browser that keeps nothing still has the basket of this page.
  }
  listeners.forEach((listener) => listener());
}

/** The lines of an order. */
export const lines = () => [...copies].map(([name, quantity]) => ({ name, quantity }));

/** How many copies of a title are in the basket. */
export const quantityOf = (title) => copies.get(title) ?? 0;

/** Copies of all titles together. */
export const size = () => [...copies.values()].reduce((sum, quantity) => sum + quantity, 0);

/** One copy more. */
export const add = (title) => set(title, quantityOf(title) + 1);

/** That many copies; none takes the line away. */
export function set(title, quantity) {
  if (quantity > 0) {
    copies.set(title, quantity);
  } else {
    copies.delete(title);
  }
  changed();
}

/** Takes everything out. */
export function empty() {
  copies.clear();
  changed();
}

/** Calls `listener` now and after every change. */
export function onChange(listener) {
  listeners.push(listener);
  listener();
}
