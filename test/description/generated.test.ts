// What is committed under src/description/generated is what the schema gives, and the schema documents itself.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { definition, knownTags } from "../../src/description/schema.js";
import { gaussianSamplers } from "../../src/diffusion/samplers/index.js";
import { scheduleFamilies } from "../../src/diffusion/schedules/index.js";
import { decoders } from "../../src/runtime/discrete/decoders.js";

const root = new URL("../../", import.meta.url);

describe("generated files", () => {
  it("are those of the schema", () => {
    const script = fileURLToPath(new URL("scripts/generate-types.js", root));
    // Throws with the names of the differing files.
    execFileSync(process.execPath, [script, "--check"], { stdio: "pipe" });
  }, 60_000);

  it("load in plain Node without a bundler", () => {
    const validator = new URL("src/description/generated/validate.js", root).href;
    const program = `import(${JSON.stringify(validator)}).then(({ validate }) => {
      console.log(validate({ version: 1 }), validate({ version: 2 }));
    });`;
    expect(execFileSync(process.execPath, ["-e", program], { encoding: "utf8" }).trim()).toBe("true false");
  });
});

describe("the schema", () => {
  const reached = ["model.schema.json"];
  for (const file of reached)
    for (const [, other] of readFileSync(new URL(`schema/${file}`, root), "utf8").matchAll(
      /"\$ref":\s*"([^"#]+)/g,
    ))
      if (!reached.includes(other!)) reached.push(other!);
  it("has a file per concept", () => expect(reached.length).toBeGreaterThanOrEqual(14));

  for (const file of reached)
    it(`${file} says what everything is`, () => {
      const undocumented: string[] = [];
      const visit = (node: unknown, place: string, isSchema: boolean): void => {
        if (node === null || typeof node !== "object") return;
        const { description, $ref, const: constant } = node as Record<string, unknown>;
        if (isSchema && description === undefined && $ref === undefined && constant === undefined)
          undocumented.push(place);
        for (const [key, value] of Object.entries(node)) {
          const maps = key === "properties" || key === "$defs";
          if (maps && typeof value === "object")
            for (const [name, member] of Object.entries(value as object))
              visit(member, `${place}/${name}`, true);
        }
      };
      visit(JSON.parse(readFileSync(new URL(`schema/${file}`, root), "utf8")), "", true);
      expect(undocumented).toEqual([]);
    });

  it("names the schedule families and samplers that exist", () => {
    expect(knownTags(definition("NoiseSchedule")).sort()).toEqual(Object.keys(scheduleFamilies).sort());
    const samplers = [...Object.keys(gaussianSamplers), ...Object.keys(decoders)];
    expect(knownTags(definition("Sampler")).sort()).toEqual(samplers.sort());
  });

  it("has the constants of the schedule families", () => {
    for (const [family, { defaults }] of Object.entries(scheduleFamilies)) {
      const branch = Object.values(definition("NoiseSchedule").oneOf ?? [])
        .map((ref) => definition((ref.$ref ?? "").slice("#/$defs/".length)))
        .find((node) => node.properties?.family?.const === family);
      // Tensors have a stand-in for synthetic weights, and no default in the schema.
      for (const [name, value] of Object.entries(defaults))
        if (!Array.isArray(value))
          expect([family, name, branch?.properties?.[name]?.default]).toEqual([family, name, value]);
    }
  });
});
