// The server of `dlmc demo`: a bundle's files on 127.0.0.1, and nothing else of the machine.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Demo, demo } from "../../src/api/demo.js";

const parent = mkdtempSync(join(tmpdir(), "dlmc-demo-"));
const directory = join(parent, "bundle");
let served: Demo;

beforeAll(async () => {
  mkdirSync(join(directory, "kernels"), { recursive: true });
  writeFileSync(join(directory, "demo.html"), "<title>page</title>");
  writeFileSync(join(directory, "index.js"), "export {};");
  writeFileSync(join(directory, "kernels/a.wgsl"), "// a");
  writeFileSync(join(parent, "secret.txt"), "secret");
  symlinkSync(join(parent, "secret.txt"), join(directory, "link.txt"));
  served = await demo(directory);
});
afterAll(async () => {
  await served.close();
  rmSync(parent, { recursive: true });
});

/** A request with the path as it is: `fetch` would resolve the dots itself. */
function ask(
  path: string,
  headers: Record<string, string> = {},
  method = "GET",
  { url }: Demo = served,
): Promise<{ status: number; body: string; type: string }> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    request({ hostname, port, path, method, headers }, (response) => {
      let body = "";
      response.on("data", (chunk) => {
        body += chunk;
      });
      response.on("end", () =>
        resolve({ status: response.statusCode!, body, type: response.headers["content-type"] ?? "" }),
      );
    })
      .on("error", reject)
      .end();
  });
}

test("serves the page, modules as JavaScript, kernels as text", async () => {
  expect(served.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/demo\.html$/);
  expect(await ask("/")).toMatchObject({
    status: 200,
    body: "<title>page</title>",
    type: "text/html; charset=utf-8",
  });
  expect(await ask("/index.js?v=1")).toMatchObject({ status: 200, type: "text/javascript; charset=utf-8" });
  expect(await ask("/kernels/a.wgsl")).toMatchObject({ status: 200, body: "// a" });
  expect(await ask("/index.js", {}, "HEAD")).toMatchObject({ status: 200, body: "" });
});

test.each([
  "/../secret.txt",
  "/..%2fsecret.txt",
  "/%2e%2e/secret.txt",
  "/kernels/../../secret.txt",
  "/link.txt",
  "/kernels",
  "/nothing",
  "/%00",
  "/%",
  "//etc/passwd",
])("%s is not there", async (path) => {
  expect(await ask(path)).toMatchObject({ status: 404, body: "404\n" });
});

test("other hosts and methods are refused", async () => {
  expect(await ask("/", { host: "evil.example" })).toMatchObject({ status: 403 });
  expect(await ask("/", {}, "POST")).toMatchObject({ status: 405 });
});

test("several bundles stand in a list, and none reaches another's parent", async () => {
  const other = join(parent, "a<b & c");
  mkdirSync(other);
  writeFileSync(join(other, "demo.html"), "<title>other</title>");
  const both = await demo([directory, other]);
  const get = (path: string) => ask(path, {}, "GET", both);
  try {
    expect(both.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
    const list = await get("/");
    const links = [...list.body.matchAll(/href="([^"]*)">([^<]*)</g)].map(([, path, text]) => [path, text]);
    expect(links.map(([, text]) => text)).toEqual(["bundle", "a&lt;b &amp; c"]);
    expect((await get(links[0]![0]!)).body).toBe("<title>page</title>");
    expect((await get(links[1]![0]!)).body).toBe("<title>other</title>");
    for (const path of [
      "/demo.html",
      "/bundle/../secret.txt",
      "/bundle/%2e%2e/secret.txt",
      "/secret.txt",
      "/x/",
    ])
      expect(await get(path), path).toMatchObject({ status: 404 });
  } finally {
    await both.close();
  }
});

test("a directory without a page, a port that is taken", async () => {
  await expect(demo(join(directory, "kernels"))).rejects.toThrow(/demo\/bundle/);
  await expect(demo(directory, Number(new URL(served.url).port))).rejects.toMatchObject({
    exitCode: 5,
    diagnostics: [{ code: "demo/port" }],
  });
});
