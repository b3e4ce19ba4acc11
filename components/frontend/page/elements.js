// Makes elements, and writes down what people read.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else if (value === true) {
      element.setAttribute(name, "");
    } else if (value !== false && value !== undefined) {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return element;
}

/** An HTML element. Attributes that begin with `on` are listeners; children are elements and texts. */
export const html = (name, attributes = {}, ...children) => fill(document.createElement(name), attributes, children);

/** The same for a part of a drawing. */
export const svg = (name, attributes = {}, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

/** The element with this identity. */
export const byId = (id) => document.getElementById(id);

const currency = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });

/** A price as the shop writes it. */
export const money = (amount) => currency.format(amount);

/** A number of things, with the right form of their name. */
export const counted = (count, one, many = `${one}s`) => `${count} ${count === 1 ? one : many}`;

/** Tells those who do not see the page what has changed. */
export function announce(text) {
  byId("announcement").textContent = text;
}

/** Takes the reader to an element, whatever was in focus before. */
export function goTo(element) {
  element.scrollIntoView({ block: "start" });
  element.focus({ preventScroll: true });
}
