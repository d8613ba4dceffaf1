// Runs in Deno, whose WebGPU is wgpu with naga as front end: what Dawn's Tint lets through but naga does not shows here.
//   deno run -A test/webgpu/deno-program.js REQUEST.json
// The request holds codes to compile and a bundle to run; the answer is one line of JSON.

const request = JSON.parse(Deno.readTextFileSync(Deno.args[0]));
const adapter = await navigator.gpu?.requestAdapter();

/** What naga says about a kernel; null where it takes it. */
async function problemOf(device, code) {
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const refused = await device.popErrorScope();
  if (refused !== null) return refused.message;
  device.pushErrorScope("validation");
  device.createComputePipeline({ layout: "auto", compute: { module, entryPoint: "main" } });
  return (await device.popErrorScope())?.message ?? null;
}

async function compile(codes) {
  const features = ["shader-f16", "subgroups"].filter((name) => adapter.features.has(name));
  const device = await adapter.requestDevice({ requiredFeatures: features });
  const problems = [];
  for (const code of codes) problems.push(await problemOf(device, code));
  device.destroy();
  return problems;
}

/** The bundle's own index.js, as any program in Deno would use it. */
async function generate({ index, options }) {
  const { load } = await import(index);
  const model = await load();
  const tokens = [];
  for await (const state of model.generate(options)) tokens.push([...state.tokens]);
  model.destroy();
  return tokens;
}

const answer =
  adapter == null
    ? { adapter: null }
    : {
        adapter: adapter.info.description || adapter.info.device,
        features: [...adapter.features],
        problems: request.codes && (await compile(request.codes)),
        tokens: request.bundle && (await generate(request.bundle)),
      };
console.log(JSON.stringify(answer));
Deno.exit(0);
