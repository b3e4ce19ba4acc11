import assert from "node:assert/strict";
import { test } from "node:test";
import { DESKTOP, add, buy, picture, result, visit } from "./shop.js";

test("a visitor finds a book and buys it", () =>
  visit(DESKTOP, async (page) => {
    await add(page, "Jane Eyre");
    await add(page, "Emma");
    await page.getByLabel("Copies of Emma").fill("2");
    await page.getByLabel("Copies of Emma").press("Tab");
    await page.getByText("€26.97").waitFor();
    await buy(page);
    await result(page, "Order Approved").waitFor();
    assert.equal(await page.locator("#result").getByRole("listitem").count(), 3, "three suggestions");
    assert.match(await page.locator("#result code").innerText(), /^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    await page.getByText("Your basket is empty").first().waitFor();
    await picture(page, "approved");
  }));

test("a suggestion goes into the basket", () =>
  visit(DESKTOP, async (page) => {
    await add(page, "Book A");
    await buy(page);
    await result(page, "Order Approved").waitFor();
    const suggestion = page.locator("#result li").first();
    const title = await suggestion.locator("strong").innerText();
    await suggestion.getByRole("button").click();
    assert.equal(await page.getByLabel(`Copies of ${title}`).inputValue(), "1");
  }));

test("a visitor whose card is refused sees why and by whom, and keeps the basket", () =>
  visit(DESKTOP, async (page) => {
    await add(page, "Dracula");
    await page.getByLabel("Number").fill("4111 1111 1111 1112");
    await buy(page);
    await result(page, "Order Rejected").waitFor();
    const text = await page.locator("#result").innerText();
    assert.match(text, /INVALID_CARD_NUMBER from transaction-verification/);
    assert.equal(await page.getByLabel("Copies of Dracula").inputValue(), "1");
    await picture(page, "rejected");
  }));

test("an order page shows status, history and the events with their clocks", () =>
  visit(DESKTOP, async (page) => {
    await add(page, "Ulysses");
    await buy(page);
    await result(page, "Order Approved").waitFor();
    await page.getByRole("link", { name: "See this order" }).click();
    // It may have been handed to the queue meanwhile.
    await page.getByRole("heading", { name: /^(approved|queued)$/ }).waitFor();
    await page.getByRole("listitem").filter({ hasText: "approved by orchestrator" }).waitFor();
    await page.getByText("1 × Ulysses").waitFor();
    const drawn = await page.getByRole("img", { name: /Space-time diagram/ }).locator(".event").count();
    assert.equal(drawn, 7, "six events and the decision");
    assert.equal(await page.locator("tbody tr").count(), 7);
    await picture(page, "order");
    // The address is the order's own: it can be opened again, and left again.
    await page.reload();
    await page.getByText("1 × Ulysses").waitFor();
    await page.getByRole("link", { name: "Back to the shop" }).click();
    await page.getByRole("heading", { name: "Books" }).waitFor();
  }));

test("an order that is not there is said not to be", async () => {
  const id = "00000000-0000-4000-8000-000000000000";
  await assert.rejects(
    visit(DESKTOP, async (page) => {
      await page.goto(`${new URL(page.url()).origin}/#/orders/${id}`);
      await page.getByRole("alert").waitFor();
      assert.match(await page.getByRole("alert").innerText(), /no order with this identity/);
    }),
    // The browser itself writes the 404 to its console; nothing else may be there.
    /404/,
  );
});

test("nothing is ordered with an empty basket or without consent", () =>
  visit(DESKTOP, async (page) => {
    await buy(page);
    await result(page, "Your basket is empty").waitFor();
    await add(page, "Emma");
    await page.getByLabel("I accept the terms and conditions").uncheck();
    let asked = false;
    page.on("request", (request) => (asked ||= request.url().endsWith("/checkout")));
    await page.getByRole("button", { name: "Place order" }).click();
    const missing = await page.getByLabel("I accept the terms and conditions").evaluate((box) => box.validity.valueMissing);
    assert.ok(missing && !asked);
  }));

test("an order that got no answer is sent again under the same key", () =>
  visit(DESKTOP, async (page) => {
    const keys = [];
    await page.route("**/checkout", (route) => {
      keys.push(route.request().headers()["idempotency-key"]);
      const error = { error: { code: "DEADLINE_EXCEEDED", message: "fraud-detection did not answer in time" } };
      // Answered with 200 here, so that the browser has nothing to write to its console.
      return keys.length === 1 ? route.fulfill({ json: error }) : route.continue();
    });
    await add(page, "Emma");
    await buy(page);
    await result(page, "The order was not placed").waitFor();
    await buy(page);
    await result(page, "Order Approved").waitFor();
    await add(page, "Emma");
    await buy(page);
    await result(page, "Order Approved").waitFor();
    assert.equal(keys[0], keys[1]);
    assert.notEqual(keys[1], keys[2]);
  }));
