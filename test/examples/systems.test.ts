// docs/systems.md holds every example and every golden case: a system nobody lists is one nobody finds.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";

interface System {
  readonly system: string;
  readonly source: string;
  readonly example: string;
  readonly goldens: readonly string[];
  readonly oracle?: string;
}

const systems = JSON.parse(readFileSync("examples/systems.json", "utf8")) as readonly System[];
const folders = (path: string): string[] =>
  readdirSync(path, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();

test("every example is a system or listed as a way of writing one", () => {
  const models = folders("examples").filter((name) => existsSync(`examples/${name}/model.json`));
  const listed = systems.map(({ example }) => example);
  expect(listed.filter((name) => !models.includes(name))).toEqual([]);
  expect(models.filter((name) => !listed.includes(name))).toEqual([]);
});

test("every golden case is held by a system", () => {
  const listed = new Set(systems.flatMap(({ goldens }) => goldens));
  expect(folders("test/goldens").filter((name) => !listed.has(name))).toEqual([]);
  expect([...listed].filter((name) => !existsSync(`test/goldens/${name}`))).toEqual([]);
});

test("every system is held to something, oracles are test files, and the page has a row for each", () => {
  const page = readFileSync("docs/systems.md", "utf8");
  for (const { system, example, goldens, oracle } of systems) {
    expect(page, system).toContain(`[${system}](../examples/${example})`);
    expect([...goldens, ...(oracle === undefined ? [] : [oracle])], system).not.toEqual([]);
    if (oracle?.startsWith("test/")) expect(existsSync(oracle.split(" ")[0]!), oracle).toBe(true);
  }
});
