// How a `.ir` test file is cut: `; ---- title` starts a section; comment lines before the module are directives.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export interface Section {
  readonly title: string;
  readonly text: string;
  /** Lines of the file before the section's text, for messages. */
  readonly firstLine: number;
}

export function sections(text: string): Section[] {
  const found: Section[] = [];
  let title = "";
  let lines: string[] = [];
  let firstLine = 1;
  const close = (): void => {
    const body = lines.join("\n");
    // Comment lines above the first title are the file's own; a section holds a module.
    if (title !== "" || body.trim() !== "") found.push({ title, text: body, firstLine });
  };
  text.split("\n").forEach((line, i) => {
    const mark = /^; ---- (.*)$/.exec(line);
    if (mark === null) {
      lines.push(line);
      return;
    }
    close();
    title = mark[1]!;
    lines = [];
    firstLine = i + 2;
  });
  close();
  return found;
}

/** Whether a section is more than comments. */
export function hasModule(section: Section): boolean {
  return /^[^;\s]/m.test(section.text);
}

/** Values of `; key ...` lines, in order. */
export function directives(text: string, key: string): string[] {
  return text.split("\n").flatMap((line) => {
    const found = new RegExp(`^; ${key}(?: (.*))?$`).exec(line.trimEnd());
    return found === null ? [] : [(found[1] ?? "").trim()];
  });
}

/** The module of a section as written: without comment lines and without blank lines around it. */
export function moduleText(text: string): string {
  const lines = text.split("\n").filter((line) => !line.startsWith(";"));
  return `${lines.join("\n").trim()}\n`;
}

/** Every `.ir` file under `test/`, relative to it. */
export function irFiles(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ir"))
    .map((file) => file.replaceAll("\\", "/"))
    .sort();
}

export function readText(root: string, file: string): string {
  return readFileSync(join(root, file), "utf8");
}
