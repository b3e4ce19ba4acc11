import assert from "node:assert/strict";
import { test } from "node:test";
import { DESKTOP, result, visit } from "./shop.js";

/** Longest way from one thing to the next, in steps of the tabulator key. */
const STEPS_MAX = 60;

/** What is in focus, as it is called. */
const inFocus = (page) =>
  page.evaluate(() => {
    const element = document.activeElement;
    const label = element.labels?.[0]?.textContent.trim();
    return element.getAttribute("aria-label") ?? label ?? element.textContent.trim();
  });

/** Goes on with the tabulator key until the thing with this name is in focus. */
async function tabTo(page, name) {
  for (let step = 0; step < STEPS_MAX; step += 1) {
    await page.keyboard.press("Tab");
    if ((await inFocus(page)).startsWith(name)) {
      return;
    }
  }
  assert.fail(`${name} cannot be reached with the keyboard`);
}

test("a book can be bought with the keyboard alone", () =>
  visit(DESKTOP, async (page) => {
    await tabTo(page, "Search");
    await page.keyboard.type("moby");
    await tabTo(page, "Add Moby-Dick");
    await page.keyboard.press("Enter");
    await tabTo(page, "I accept the terms");
    await page.keyboard.press("Space");
    await tabTo(page, "Place order");
    await page.keyboard.press("Enter");
    await result(page, "Order Approved").waitFor();
    assert.equal(await inFocus(page), "Order Approved", "the result is where the reader is");
    await tabTo(page, "See this order");
    await page.keyboard.press("Enter");
    await page.getByText("1 × Moby-Dick").waitFor();
  }));

test("what is in focus can be seen", () =>
  visit(DESKTOP, async (page) => {
    await page.getByRole("searchbox", { name: "Search" }).fill("Emma");
    for (const name of ["Genre", "Add Emma", "Name", "Shipping", "I accept the terms", "Place order"]) {
      await tabTo(page, name);
      const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
      assert.equal(outline, "solid", name);
    }
  }));

test("the first link leads to basket and checkout", () =>
  visit(DESKTOP, async (page) => {
    await page.keyboard.press("Tab");
    assert.equal(await inFocus(page), "Skip to basket and checkout");
    await page.keyboard.press("Enter");
    assert.equal(await inFocus(page), "Basket");
  }));

test("whoever removes a line is not lost", () =>
  visit(DESKTOP, async (page) => {
    await tabTo(page, "Search");
    await page.keyboard.type("book a");
    await tabTo(page, "Add Book A");
    await page.keyboard.press("Enter");
    await tabTo(page, "Remove Book A");
    await page.keyboard.press("Enter");
    assert.equal(await inFocus(page), "Basket");
    const said = await page.locator("#announcement").innerText();
    assert.equal(said, "Book A is no longer in the basket.");
  }));
