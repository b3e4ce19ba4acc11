// Opens the shop in a browser and knows its page: what people read and touch, not how it is made.
//
// SHOP_URL says where the shop is, CHROMIUM which browser to use, SCREENSHOTS where pictures go.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const url = process.env.SHOP_URL ?? "http://127.0.0.1:8080";
const screenshots = process.env.SCREENSHOTS ?? fileURLToPath(new URL("../../target/screenshots", import.meta.url));

/** Longest that anything may take. */
const PATIENCE_MS = 15_000;

export const DESKTOP = { viewport: { width: 1280, height: 900 } };
export const PHONE = { viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true, deviceScaleFactor: 2 };

/**
 * Runs `visit` on the shop's page in a new browser; fails if the page wrote an error, or asked for anything from elsewhere.
 */
export async function visit(options, visit) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    // Chromium's own sandbox does not work for root; the page under test is our own.
    args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  });
  try {
    const page = await browser.newPage(options);
    page.setDefaultTimeout(PATIENCE_MS);
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (message) => message.type() === "error" && complaints.push(message.text()));
    page.on("request", (request) => request.url().startsWith(url) || complaints.push(`asked for ${request.url()}`));
    await page.goto(url);
    await page.getByText(/^\d+ books$/).waitFor();
    await visit(page);
    assert.deepEqual(complaints, []);
  } finally {
    await browser.close();
  }
}

/** Puts a book into the basket. */
export async function add(page, title) {
  await page.getByRole("searchbox", { name: "Search" }).fill(title);
  await page.getByRole("region", { name: "Books" }).getByRole("button", { name: `Add ${title}`, exact: true }).click();
}

/** Accepts the terms and places the order. */
export async function buy(page) {
  await page.getByLabel("I accept the terms and conditions").check();
  await page.getByRole("button", { name: "Place order" }).click();
}

/** The heading of the result, once there is one with this text. */
export const result = (page, text) => page.locator("#result").getByRole("heading", { name: text });

/** Expects that nothing is wider than the screen. */
export async function assertFits(page) {
  const [needed, there] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(needed <= there, `the page is ${needed} pixels wide on a screen of ${there}`);
}

/** Takes a picture of the whole page. */
export async function picture(page, name) {
  await mkdir(screenshots, { recursive: true });
  await page.evaluate(() => window.scrollTo(0, 0));
  await page.screenshot({ path: `${screenshots}/${name}.png`, fullPage: true, animations: "disabled" });
}
