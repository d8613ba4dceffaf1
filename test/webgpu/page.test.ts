// demo.html in a real Chromium: the trained models, Sudoku and text, from a static server, with the reference's tokens.

import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Demo, demo } from "../../src/api/demo.js";
import { openSession } from "../../src/api/generate.js";
import { bundle, notRun, root, sudoku } from "./bundle-process.js";

/** Debian's Chromium, or the one that CHROMIUM names. */
function findChromium(): string | undefined {
  const folders = (process.env.PATH ?? "").split(delimiter);
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const paths = [process.env.CHROMIUM ?? "", ...names.flatMap((name) => folders.map((f) => join(f, name)))];
  return paths.find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return path !== "";
    } catch {
      return false;
    }
  });
}

const executablePath =
  findChromium() ?? notRun("Chromium", "apt-get install chromium, or scripts/install-test-packages.sh");

/** Chromium's software adapter needs only the first flag; without the second SwiftShader compiles for minutes. */
const webgpu = [
  "--enable-unsafe-webgpu",
  "--disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension",
];
const offline = [
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];

const verses = join(root, "examples/verses/model.json");

const browsers: Browser[] = [];
afterAll(async () => {
  for (const browser of browsers) await browser.close();
});

/** The page at phone width, ready or failed; what it requested and wrote to the console. */
async function visit(
  served: Demo,
  flags: readonly string[],
): Promise<{ page: Page; problems: string[]; hosts: Set<string> }> {
  const browser = await chromium.launch({
    ...(executablePath !== undefined && { executablePath }),
    args: [...offline, ...flags],
  });
  browsers.push(browser);
  const page = await browser.newPage({ viewport: { width: 360, height: 740 } });
  const problems: string[] = [];
  const hosts = new Set<string>();
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("pageerror", (error) => problems.push(error.message));
  page.on("request", (asked) => {
    if (!asked.url().startsWith("data:")) hosts.add(new URL(asked.url()).host);
  });
  await page.goto(served.url);
  await page.waitForSelector("body[data-ready], body[data-failed]", { timeout: 120_000 });
  return { page, problems, hosts };
}

describe.skipIf(executablePath === undefined).each([
  ["sudoku", sudoku, "12x"],
  ["verses", verses, "in the beginning #"],
])("the page of %s", (name, model, strange) => {
  let served: Demo;
  let remove: () => void;

  beforeAll(async () => {
    const made = bundle({ model, examples: join(root, `examples/${name}/examples.json`) });
    remove = made.remove;
    served = await demo(made.directory);
  }, 60_000);
  afterAll(async () => {
    await served.close();
    remove();
  });

  test("generates the reference's tokens, step by step, by keyboard alone", {
    timeout: 300_000,
  }, async () => {
    const { page, problems, hosts } = await visit(served, webgpu);
    expect(await page.locator("#error").isVisible()).toBe(false);
    const prompt = await page.locator("#prompt").inputValue();
    await page.focus("#seed");
    await page.keyboard.press("ControlOrMeta+a");
    await page.keyboard.type("7");
    await page.keyboard.press("Enter");
    await page.waitForSelector("body[data-done]", { timeout: 240_000 });

    const session = await openSession({ model, target: "reference", seed: 7, prompt });
    const expected: string[] = [];
    for await (const state of session.states()) expected.push(session.tokenizer!.decode(state.tokens));
    await session.close();
    const slider = page.locator("#slider");
    await slider.focus();
    await page.keyboard.press("Home");
    const shown: string[] = [];
    for (let step = 1; step <= expected.length; step++) {
      shown.push((await page.locator("#text").textContent())!);
      expect((await page.locator("#grid span").allTextContents()).join("")).toBe(shown.at(-1));
      await page.keyboard.press("ArrowRight");
    }
    expect(shown).toEqual(expected);

    // Readable at phone width: nothing hangs over, and nothing came from elsewhere.
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360);
    expect([...hosts]).toEqual([new URL(served.url).host]);
    expect(await page.locator("#schedule circle").count()).toBe(expected.length - 1);
    expect(problems).toEqual([]);
  });

  test("a symbol that is not in the vocabulary is explained and can be mended", {
    timeout: 120_000,
  }, async () => {
    const { page } = await visit(served, webgpu);
    await page.fill("#prompt", strange);
    await page.click("#go");
    await page.waitForSelector("#error:not([hidden])");
    expect(await page.locator("#error").textContent()).toContain(
      `"${strange.at(-1)}" is not in the vocabulary`,
    );
  });

  test("without WebGPU the page says so plainly", { timeout: 60_000 }, async () => {
    const { page } = await visit(served, ["--disable-features=WebGPU", "--disable-blink-features=WebGPU"]);
    expect(await page.locator("#error").textContent()).toMatch(/WebGPU/);
    expect(await page.locator("#main").isVisible()).toBe(false);
  });
});

const withoutVocabulary = test.skipIf(executablePath === undefined).each([
  { name: "mdlm", steps: "17", mask: 96, told: undefined },
  { name: "udlm", steps: "14", mask: undefined, told: 3 },
]);

withoutVocabulary(
  "the page of $name, a model without vocabulary: numbers, masks, its class, and the reference's tokens",
  { timeout: 300_000 },
  async ({ name, steps, mask, told }) => {
    const model = join(root, `examples/${name}/model.json`);
    const made = bundle({ model, synthetic: 1 });
    const served = await demo(made.directory);
    try {
      const { page, problems } = await visit(served, webgpu);
      // Nothing to type into: everything is generated, in as many steps as were compiled.
      expect(await page.locator("#prompt").isVisible()).toBe(false);
      expect(await page.locator("#steps").inputValue()).toBe(steps);
      expect(await page.locator("#class").isVisible()).toBe(told !== undefined);
      if (told !== undefined) await page.fill("#class", String(told));
      await page.click("#go");
      await page.waitForSelector("body[data-done]", { timeout: 240_000 });
      const class_ = told === undefined ? {} : { classes: told };
      const session = await openSession({ model, synthetic: 1, target: "reference", seed: 0, ...class_ });
      const expected: string[][] = [];
      for await (const state of session.states())
        expected.push(Array.from(state.tokens, (token) => (token === mask ? "·" : String(token))));
      await session.close();
      await page.locator("#slider").focus();
      await page.keyboard.press("Home");
      for (const tokens of expected) {
        expect(await page.locator("#grid span").allTextContents()).toEqual(tokens);
        await page.keyboard.press("ArrowRight");
      }
      // The first step leaves masks where there are any, the last none.
      expect(expected[0]!.includes("·")).toBe(mask !== undefined);
      expect(expected.at(-1)).not.toContain("·");
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360);
      expect(problems).toEqual([]);
    } finally {
      await served.close();
      made.remove();
    }
  },
);
