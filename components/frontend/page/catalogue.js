// The shelves: every book, found by words and by genre, and put into the basket.

import * as basket from "./basket.js";
import { announce, byId, counted, html, money } from "./elements.js";

/** Books by title, once they are there. */
const books = new Map();
/** What is shown of each book: its card and the button that changes with the basket. */
const shown = new Map();

/** The price of a title; none if the catalogue does not have it. */
export const priceOf = (title) => books.get(title)?.price;

/** Fetches the catalogue and shows it. */
export async function load() {
  try {
    const response = await fetch("/books");
    if (!response.ok) {
      throw new Error(`the shop answered ${response.status}`);
    }
    for (const book of (await response.json()).books) {
      books.set(book.title, book);
    }
  } catch {
    byId("found").textContent = "The catalogue cannot be loaded now. Try again in a moment.";
    return;
  }
  const genres = [...new Set([...books.values()].map((book) => book.genre))];
  byId("genre").append(...genres.toSorted().map((genre) => html("option", {}, genre)));
  for (const book of books.values()) {
    shown.set(book.title, card(book, genres.indexOf(book.genre) / genres.length));
  }
  byId("books").replaceChildren(...[...shown.values()].map(({ element }) => element));
  byId("search").addEventListener("input", filter);
  byId("genre").addEventListener("change", filter);
  filter();
  basket.onChange(showChosen);
}

function card(book, shade) {
  const cover = html("div", { class: "cover", "aria-hidden": "true" }, initials(book.title));
  // Books of one genre look alike, but not the same.
  cover.style.setProperty("--hue", Math.round(shade * 360) + (book.title.length % 5) * 6);
  const button = html("button", { type: "button", onclick: () => put(book.title) });
  const words = [book.title, book.author, book.genre].join(" ").toLowerCase();
  const element = html(
    "li",
    { class: "book" },
    cover,
    html(
      "div",
      {},
      html("div", { class: "title" }, book.title),
      html("div", { class: "author" }, book.author),
      html("div", { class: "buy" }, html("span", { class: "price" }, money(book.price)), button),
    ),
  );
  return { book, element, button, words: plain(words) };
}

/** The first letters of the first two words that matter. */
function initials(title) {
  const words = title.split(/[\s-]+/).filter((word) => /^\p{L}/u.test(word) && !/^(the|a|an|of|in|to)$/i.test(word));
  return words.slice(0, 2).map((word) => word[0].toUpperCase()).join("");
}

/** Without accents: who searches for Bronte finds Brontë. */
const plain = (text) => text.normalize("NFD").replace(/\p{Diacritic}/gu, "");

/** Puts a title into the basket and says so. */
export function put(title) {
  basket.add(title);
  announce(`${title} is in the basket, ${counted(basket.quantityOf(title), "copy", "copies")}.`);
}

function filter() {
  const wanted = plain(byId("search").value.toLowerCase()).split(/\s+/).filter(Boolean);
  const genre = byId("genre").value;
  let count = 0;
  for (const { book, element, words } of shown.values()) {
    const fits = (!genre || book.genre === genre) && wanted.every((word) => words.includes(word));
    element.hidden = !fits;
    count += fits ? 1 : 0;
  }
  byId("found").textContent = count > 0 ? counted(count, "book") : "No book fits. Try fewer words or another genre.";
}

function showChosen() {
  for (const { book, button } of shown.values()) {
    const quantity = basket.quantityOf(book.title);
    button.className = quantity > 0 ? "chosen" : "";
    button.textContent = quantity > 0 ? `In basket: ${quantity}` : "Add";
    button.setAttribute("aria-label", quantity > 0 ? `Add another ${book.title}, ${quantity} in basket` : `Add ${book.title}`);
  }
}
