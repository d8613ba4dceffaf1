import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** The files that take minutes, longest first: begun last they would leave one worker alone at the end. */
const long = [
  "test/examples/wgsl-even.test.ts",
  "test/examples/wgsl-odd.test.ts",
  "test/webgpu/runtime.test.ts",
  "test/examples/examples.test.ts",
  "test/webgpu/positions.test.ts",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification): number => {
      const at = long.findIndex((name) => moduleId.endsWith(name));
      return at < 0 ? long.length : at;
    };
    return (await super.sort(files)).sort((a, b) => place(a) - place(b));
  }
}

// biome-ignore lint/style/noDefaultExport: vitest reads the default export
export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // The machine that runs the tests may have two cores and ONNX Runtime starts threads of its own.
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
  },
});
