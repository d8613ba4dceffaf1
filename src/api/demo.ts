// demo(): pages of compiled bundles on this machine, for this machine only.

import { createReadStream, existsSync, realpathSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { basename, extname, join, sep } from "node:path";
import { DlmcError, exitCodes, fail } from "../support/diagnostic.js";

/** A page that is being served. */
export interface Demo {
  /** `http://127.0.0.1:PORT/demo.html`; of several bundles the list of them, `http://127.0.0.1:PORT/`. */
  readonly url: string;
  close(): Promise<void>;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".wgsl": "text/plain; charset=utf-8",
  ".ts": "text/plain; charset=utf-8",
};

/** Where the files of a bundle lie, by the path they are served under: `/` alone, `/NAME/` beside others. */
type Roots = ReadonlyMap<string, string>;

/**
 * Serves the files of WGSL bundles on 127.0.0.1, and nothing outside their directories; several stand in a list.
 * Throws `demo/bundle` when a directory has no page, `demo/port` (exit code 5) when the port is taken.
 */
export async function demo(directories: string | readonly string[], port = 0): Promise<Demo> {
  const roots = rootsOf(typeof directories === "string" ? [directories] : directories);
  const server = createServer((request, response) => {
    const refuse = (status: number): void => {
      response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${status}\n`);
    };
    // Another site's page that asks for this address by a name of its own is not answered.
    if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? "")) return refuse(403);
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(405);
    if (roots.size > 1 && request.url === "/") {
      response.writeHead(200, { "content-type": types[".html"] }).end(listOf(roots));
      return;
    }
    const file = fileOf(roots, request.url ?? "/");
    if (file === undefined) return refuse(404);
    response.writeHead(200, {
      "content-type": types[extname(file)] ?? "application/octet-stream",
      "content-length": statSync(file).size,
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
    });
    if (request.method === "HEAD") response.end();
    else
      createReadStream(file)
        .on("error", () => response.destroy())
        .pipe(response);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(refused(port, error)));
    server.listen(port, "127.0.0.1", resolve);
  });
  const { port: bound } = server.address() as { port: number };
  return {
    url: `http://127.0.0.1:${bound}/${roots.size > 1 ? "" : "demo.html"}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function rootsOf(directories: readonly string[]): Roots {
  const roots = new Map<string, string>();
  for (const [i, directory] of directories.entries()) {
    if (!existsSync(join(directory, "demo.html")))
      fail("demo/bundle", `${directory} has no demo.html`, {
        help: "name a directory that `dlmc compile --target wgsl` wrote",
      });
    const root = realpathSync(directory);
    const name = `/${encodeURIComponent(basename(root))}/`;
    roots.set(directories.length === 1 ? "/" : roots.has(name) ? `/${i + 1}/` : name, root);
  }
  return roots;
}

/** A page of links to the bundles' pages. */
function listOf(roots: Roots): string {
  const text = (path: string): string =>
    decodeURIComponent(path.slice(1, -1)).replaceAll("&", "&amp;").replaceAll("<", "&lt;");
  const links = [...roots.keys()].map((path) => `<li><a href="${path}demo.html">${text(path)}</a></li>`);
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Diffusion language models</title>
<style>body { font: 1.1rem/1.6 system-ui, sans-serif; max-width: 40rem; margin: 3rem auto; padding: 0 1rem }</style>
<h1>Diffusion language models</h1>
<ul>${links.join("")}</ul>
</html>
`;
}

/** The file of a request inside a bundle, links followed; undefined for anything else. */
function fileOf(roots: Roots, url: string): string | undefined {
  try {
    const { pathname } = new URL(url, "http://127.0.0.1");
    const prefix = roots.size > 1 ? pathname.slice(0, pathname.indexOf("/", 1) + 1) : "/";
    const root = roots.get(prefix);
    const path = decodeURIComponent(pathname.slice(prefix.length));
    if (root === undefined || path.includes("\0")) return undefined;
    const file = realpathSync(join(root, path === "" ? "demo.html" : path));
    return file.startsWith(root + sep) && statSync(file).isFile() ? file : undefined;
  } catch {
    return undefined;
  }
}

function refused(port: number, error: Error): DlmcError {
  return new DlmcError(
    [
      {
        severity: "error",
        code: "demo/port",
        message: `cannot serve on 127.0.0.1:${port}: ${error.message}`,
        help: "give another --port, or 0 for any that is free",
      },
    ],
    exitCodes.environment,
  );
}
