// demo(): a compiled bundle's page on this machine, for this machine only.

import { createReadStream, existsSync, realpathSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, sep } from "node:path";
import { DlmcError, exitCodes, fail } from "../support/diagnostic.js";

/** A page that is being served. */
export interface Demo {
  /** `http://127.0.0.1:PORT/demo.html`. */
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

/**
 * Serves the files of a WGSL bundle on 127.0.0.1, and nothing outside its directory.
 * Throws `demo/bundle` when the directory has no page, `demo/port` (exit code 5) when the port is taken.
 */
export async function demo(directory: string, port = 0): Promise<Demo> {
  if (!existsSync(join(directory, "demo.html")))
    fail("demo/bundle", `${directory} has no demo.html`, {
      help: "name a directory that `dlmc compile --target wgsl` wrote",
    });
  const root = realpathSync(directory);
  const server = createServer((request, response) => {
    const refuse = (status: number): void => {
      response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${status}\n`);
    };
    // Another site's page that asks for this address by a name of its own is not answered.
    if (!/^(127\.0\.0\.1|localhost)(:\d+)?$/.test(request.headers.host ?? "")) return refuse(403);
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(405);
    const file = fileOf(root, request.url ?? "/");
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
    url: `http://127.0.0.1:${bound}/demo.html`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** The file of a request inside `root`, links followed; undefined for anything else. */
function fileOf(root: string, url: string): string | undefined {
  try {
    const path = decodeURIComponent(new URL(url, "http://127.0.0.1").pathname);
    if (path.includes("\0")) return undefined;
    const file = realpathSync(join(root, path === "/" ? "demo.html" : path));
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
