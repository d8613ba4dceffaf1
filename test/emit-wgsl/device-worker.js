// The process that holds a WebGPU device for the tests: Dawn's Node binding under one Vulkan driver, whose
// environment must be there before the process starts. Answers messages of device.ts one at a time.

import { create, globals } from "webgpu";

Object.assign(globalThis, globals);

// Dawn zeroes workgroup memory through a Vulkan extension that SwiftShader compiles very slowly; without it
// Dawn writes the zeroing loop itself.
const flags = ["disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension"];
if (process.env.DLMC_WEBGPU_BACKEND) flags.push(`backend=${process.env.DLMC_WEBGPU_BACKEND}`);

/** @type {GPUDevice} */
let device;
// Dawn's instance dies with this object, and every device of it.
let gpu;
const pipelines = new Map();

async function open({ features }) {
  gpu = create(flags);
  const adapter = await gpu.requestAdapter();
  if (adapter === null) return null;
  const offered = [...adapter.features];
  device = await adapter.requestDevice({ requiredFeatures: features.filter((f) => offered.includes(f)) });
  const limits = {};
  for (const name in device.limits) limits[name] = device.limits[name];
  const { vendor, architecture, device: model, description } = adapter.info;
  return {
    features: [...device.features],
    limits,
    name: [vendor, architecture, model, description].join(" "),
  };
}

async function pipeline(code) {
  const known = pipelines.get(code);
  if (known !== undefined) return known;
  device.pushErrorScope("validation");
  const module = device.createShaderModule({ code });
  const { messages } = await module.getCompilationInfo();
  const made = await device
    .createComputePipelineAsync({ layout: "auto", compute: { module, entryPoint: "main" } })
    .catch((error) => error);
  const error = await device.popErrorScope();
  const problems = messages
    .filter((m) => m.type === "error")
    .map((m) => `${m.lineNum}:${m.linePos} ${m.message}`);
  if (problems.length > 0 || made instanceof Error || error !== null)
    throw new Error(`${problems.join("\n") || (error ?? made).message}\n${code}`);
  pipelines.set(code, made);
  return made;
}

/** dispatches: { code, bindings: [{ buffer, offset?, size? }], grid }; buffers: { bytes, data? }; read: numbers of buffers. */
async function run({ dispatches, buffers, read }) {
  const made = [];
  for (const { code } of dispatches) made.push(await pipeline(code));
  device.pushErrorScope("validation");
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const memory = buffers.map(({ bytes, data }) => {
    const buffer = device.createBuffer({ size: Math.max(4, Math.ceil(bytes / 4) * 4), usage });
    if (data !== undefined) {
      const padded = new Uint8Array(buffer.size);
      padded.set(data);
      device.queue.writeBuffer(buffer, 0, padded);
    }
    return buffer;
  });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  dispatches.forEach(({ bindings, grid }, k) => {
    pass.setPipeline(made[k]);
    pass.setBindGroup(
      0,
      device.createBindGroup({
        layout: made[k].getBindGroupLayout(0),
        entries: bindings.map(({ buffer, offset = 0, size }, binding) => ({
          binding,
          resource: { buffer: memory[buffer], offset, ...(size === undefined ? {} : { size }) },
        })),
      }),
    );
    pass.dispatchWorkgroups(...grid);
  });
  pass.end();
  const staged = read.map((index) => {
    const { size } = memory[index];
    const to = device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    encoder.copyBufferToBuffer(memory[index], 0, to, 0, size);
    return to;
  });
  device.queue.submit([encoder.finish()]);
  const results = [];
  for (const buffer of staged) {
    await buffer.mapAsync(GPUMapMode.READ);
    results.push(new Uint8Array(buffer.getMappedRange()).slice());
    buffer.unmap();
    buffer.destroy();
  }
  for (const buffer of memory) buffer.destroy();
  const error = await device.popErrorScope();
  if (error !== null) throw new Error(error.message);
  return results;
}

/** Seconds per repetition of the dispatches, over `times` repetitions in one submit. */
async function time({ dispatches, buffers, times }) {
  const made = [];
  for (const { code } of dispatches) made.push(await pipeline(code));
  const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
  const memory = buffers.map(({ bytes }) =>
    device.createBuffer({ size: Math.max(4, Math.ceil(bytes / 4) * 4), usage }),
  );
  const groups = dispatches.map(({ bindings }, k) =>
    device.createBindGroup({
      layout: made[k].getBindGroupLayout(0),
      entries: bindings.map(({ buffer }, binding) => ({ binding, resource: { buffer: memory[buffer] } })),
    }),
  );
  const submit = async (count) => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (let n = 0; n < count; n++)
      dispatches.forEach(({ grid }, k) => {
        pass.setPipeline(made[k]);
        pass.setBindGroup(0, groups[k]);
        pass.dispatchWorkgroups(...grid);
      });
    pass.end();
    const start = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    return performance.now() - start;
  };
  await submit(1);
  const taken = await submit(times);
  for (const buffer of memory) buffer.destroy();
  return taken / times / 1000;
}

async function compile({ codes }) {
  const problems = [];
  for (const code of codes)
    problems.push(
      await pipeline(code).then(
        () => null,
        (error) => error.message,
      ),
    );
  return problems;
}

const tasks = { open, run, compile, time };
let queue = Promise.resolve();
process.on("message", ({ id, task, payload }) => {
  queue = queue
    .then(() => tasks[task](payload))
    .then(
      (value) => process.send({ id, value }),
      (error) => process.send({ id, error: error.message }),
    );
});
process.on("disconnect", () => process.exit(0));
