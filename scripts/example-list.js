// Writes examples/README.md: every example of examples/systems.json with the first sentence of its own page.
//   npm run examples
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** The first sentence of a page's first paragraph: up to a full stop that a capital or the end follows. */
export function firstSentence(page) {
  const paragraph = page.split(/\n\s*\n/).find((text) => text.trim() !== "" && !text.startsWith("#"));
  const text = (paragraph ?? "").replaceAll(/\s+/g, " ").trim();
  return /^.*?[.:](?= [A-Z`]|$)/.exec(text)?.[0].replace(/:$/, ".") ?? text;
}

/** What examples/README.md has to say. */
export function exampleList() {
  const rows = JSON.parse(readFileSync(at("examples/systems.json"), "utf8")).map(({ example }) => {
    const sentence = firstSentence(readFileSync(at(`examples/${example}/README.md`), "utf8"));
    return `| [${example}](${example}) | ${sentence.replaceAll("|", "\\|")} |`;
  });
  return `# Examples

Every directory is a test (\`test/examples\`): its description validates, compiles on every target, and agrees with
the float64 reference. Written by \`npm run examples\` from the first sentence of each example's page.

| example | what it shows |
|---|---|
${rows.join("\n")}
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(at("examples/README.md"), exampleList());
