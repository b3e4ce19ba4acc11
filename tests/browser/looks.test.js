import assert from "node:assert/strict";
import { test } from "node:test";
import { DESKTOP, PHONE, add, assertFits, buy, picture, result, visit } from "./shop.js";

for (const [name, device] of Object.entries({ desktop: DESKTOP, phone: PHONE })) {
  for (const colorScheme of ["light", "dark"]) {
    test(`shop, result and order fit a ${name} in ${colorScheme} colours`, () =>
      visit({ ...device, colorScheme }, async (page) => {
        await page.getByRole("combobox", { name: "Genre" }).selectOption("Gothic");
        await add(page, "Carmilla");
        await page.getByRole("searchbox", { name: "Search" }).fill("");
        await assertFits(page);
        await picture(page, `shop-${name}-${colorScheme}`);
        await buy(page);
        await result(page, "Order Approved").waitFor();
        await assertFits(page);
        await picture(page, `result-${name}-${colorScheme}`);
        await page.getByRole("link", { name: "See this order" }).click();
        await page.getByText("1 × Carmilla").waitFor();
        await assertFits(page);
        await picture(page, `order-${name}-${colorScheme}`);
        const paper = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        const [red] = paper.match(/\d+/).map(Number);
        assert.equal(red < 128, colorScheme === "dark", paper);
      }));
  }
}

test("everything that is touched on a phone is large enough", () =>
  visit(PHONE, async (page) => {
    await add(page, "Emma");
    const small = await page.evaluate(() =>
      [...document.querySelectorAll("button, input, select, textarea, summary")]
        .map((element) => element.closest("label.check") ?? element)
        .filter((element) => element.checkVisibility() && element.getBoundingClientRect().height < 38)
        .map((element) => element.outerHTML),
    );
    assert.deepEqual(small, []);
  }));

test("search finds by title, author and genre, with and without accents", () =>
  visit(DESKTOP, async (page) => {
    const found = async (words) => {
      await page.getByRole("searchbox", { name: "Search" }).fill(words);
      return page.locator(".book:visible .title").allInnerTexts();
    };
    assert.deepEqual(await found("wuthering"), ["Wuthering Heights"]);
    assert.deepEqual(await found("bronte gothic"), ["Jane Eyre", "Wuthering Heights"]);
    assert.deepEqual(await found("Brontë JANE"), ["Jane Eyre"]);
    assert.deepEqual(await found("no such book"), []);
    await page.getByText("No book fits").waitFor();
  }));
