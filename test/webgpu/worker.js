// The process that runs bundles on Dawn under one Vulkan driver: loads a bundle by its own index.js, as a user would,
// and answers messages of bundle-process.ts one at a time.

import { create, globals } from "webgpu";

Object.assign(globalThis, globals);
const gpu = create(["disable-dawn-features=use_vulkan_zero_initialize_workgroup_memory_extension"]);

async function open() {
  const adapter = await gpu.requestAdapter();
  return adapter === null ? null : { limits: { buffers: adapter.limits.maxStorageBuffersPerShaderStage } };
}

/** An error as it crosses the process: the codes, or the message of what is no DlmcError. */
const failure = (error) => ({ codes: (error.diagnostics ?? []).map((d) => d.code), message: error.message });

/** A device whose living buffers are counted. */
async function countedDevice() {
  const device = await (await gpu.requestAdapter()).requestDevice();
  const living = new Set();
  const createBuffer = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    const buffer = createBuffer(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    living.add(buffer);
    buffer.destroy = () => {
      living.delete(buffer);
      destroy();
    };
    return buffer;
  };
  return { device, living };
}

/**
 * Two loads at once on one device, of which the second runs out of memory at its buffer number `failing`. Scopes are kept
 * as WebGPU has them: one stack a device, an error goes to the innermost scope of its kind.
 */
async function twoLoads({ directory, failing, options }) {
  const { loadWebgpu } = await import("../../dist/runtime/webgpu/index.js");
  const { device, living } = await countedDevice();
  const scopes = [];
  const own = { first: 0, second: 0 };
  const view = (name) => {
    const replaced = {
      pushErrorScope: (filter) => scopes.push({ filter, error: null }),
      popErrorScope: async () => scopes.pop().error,
      createBuffer(descriptor) {
        if (++own[name] === failing && name === "second") {
          const scope = scopes.findLast(({ filter }) => filter === "out-of-memory");
          scope.error ??= { message: "no room" };
        }
        return device.createBuffer(descriptor);
      },
    };
    return new Proxy(device, {
      get(_, key) {
        const value = replaced[key] ?? device[key];
        return typeof value === "function" && replaced[key] === undefined ? value.bind(device) : value;
      },
    });
  };
  const last = async (model) => {
    let tokens;
    for await (const state of model.generate(options)) tokens = [...state.tokens];
    return tokens;
  };
  try {
    const loads = ["first", "second"].map((name) => loadWebgpu(directory, { device: view(name) }));
    const outcomes = await Promise.allSettled(loads);
    const models = outcomes.flatMap(({ value }) => (value === undefined ? [] : [value]));
    const leftOfOne = living.size / Math.max(1, models.length);
    const tokens = await Promise.all(models.map(last));
    for (const model of models) {
      model.destroy();
      model.destroy();
    }
    return {
      codes: outcomes.map(({ reason }) => (reason === undefined ? [] : failure(reason).codes)),
      leftOfOne,
      tokens,
      left: living.size,
      open: scopes.length,
    };
  } finally {
    device.destroy();
  }
}

/** Times of a model on an adapter without timestamps, and the features its device was asked for. */
async function timesWithout({ directory }) {
  const { loadWebgpu } = await import("../../dist/runtime/webgpu/index.js");
  let asked;
  const plain = {
    async requestAdapter(wanted) {
      const adapter = await gpu.requestAdapter(wanted);
      return {
        limits: adapter.limits,
        features: { has: (name) => name !== "timestamp-query" && adapter.features.has(name) },
        requestDevice(descriptor) {
          asked = descriptor.requiredFeatures;
          return adapter.requestDevice(descriptor);
        },
      };
    },
  };
  const model = await loadWebgpu(directory, { gpu: plain });
  try {
    const states = model.generate({ steps: 2 });
    const { done } = await states.next();
    await states.return();
    return { asked, generates: done === false, times: (await model.times()) ?? "none" };
  } finally {
    model.destroy();
  }
}

/** Every state's tokens. `driver`: the loop that moves the state through the host, for comparison. */
async function generate({ directory, options = {}, driver = false }) {
  const { load } = await import(`${directory}/index.js`);
  const model = await load(null, { gpu });
  try {
    const states = driver
      ? (await import("../../dist/runtime/index.js")).generate(model.runner, {
          plan: await model.plan(options.steps),
          batch: model.manifest.batch,
          noise: options.seed,
          ...(options.prompt && { fixed: model.tokenizer.encode(options.prompt, model.runner.length) }),
        })
      : model.generate(options);
    const tokens = [];
    let margins, latents;
    for await (const state of states) {
      tokens.push([...state.tokens]);
      if (state.margins) margins = [...state.margins];
      if (state.latents) latents = [...state.latents];
    }
    const times = await model.times();
    return { tokens, margins, latents, kernels: times?.map(({ kernel }) => kernel) };
  } finally {
    model.destroy();
  }
}

/** Every state's tokens, and what the last one tells, of one generation after the other. */
async function generateEach({ directory, options }) {
  const { load } = await import(`${directory}/index.js`);
  const model = await load(null, { gpu });
  try {
    const all = [];
    for (const each of options) {
      const tokens = [];
      let last;
      for await (last of model.generate(each)) tokens.push([...last.tokens]);
      const { margins, logits } = last;
      all.push({ tokens, margins: margins ? [...margins] : null, logits: logits ? [...logits] : null });
    }
    return all;
  } finally {
    model.destroy();
  }
}

/** Loads and expects a failure: its codes, and the buffers it left behind. `abortAfter` tensors the load is aborted. */
async function loadFailure({ directory, abortAfter }) {
  const { loadWebgpu } = await import("../../dist/runtime/webgpu/index.js");
  const { device, living } = await countedDevice();
  const abort = new AbortController();
  let tensors = 0;
  const progress = ({ tensor }) => {
    if (tensor !== undefined && ++tensors === abortAfter) abort.abort(new Error("enough"));
  };
  try {
    const model = await loadWebgpu(directory, { device, signal: abort.signal, progress });
    const whole = living.size;
    model.destroy();
    return { codes: [], message: "it loaded", left: living.size, whole };
  } catch (error) {
    return { ...failure(error), left: living.size };
  } finally {
    device.destroy();
  }
}

/** What a loaded model answers while it is used wrongly or loses its device. */
async function misuse({ directory }) {
  const { loadWebgpu } = await import("../../dist/runtime/webgpu/index.js");
  const { device, living } = await countedDevice();
  const model = await loadWebgpu(directory, { device });
  const answers = {};
  const first = model.generate();
  await first.next();
  answers.second = await model
    .generate()
    .next()
    .then(() => undefined, failure);
  await first.return();
  const again = model.generate();
  answers.afterwards = await again.next().then(() => "generates", failure);
  await again.return();
  answers.batch = await model.runner.embed(new Int32Array(0), 99).then(() => undefined, failure);
  model.destroy();
  answers.destroyed = await model
    .generate()
    .next()
    .then(() => undefined, failure);
  const lost = await loadWebgpu(directory, { device });
  const running = lost.generate();
  await running.next();
  device.destroy();
  answers.lost = await running.next().then(() => undefined, failure);
  lost.destroy();
  model.destroy();
  answers.destroyed = await model
    .generate()
    .next()
    .then(() => undefined, failure);
  answers.left = living.size;
  return answers;
}

const tasks = { open, generate, generateEach, loadFailure, misuse, twoLoads, timesWithout };
let queue = Promise.resolve();
process.on("message", ({ id, task, payload }) => {
  queue = queue
    .then(() => tasks[task](payload))
    .then(
      (value) => process.send({ id, value: value ?? null }),
      (error) => process.send({ id, error: error.stack ?? error.message }),
    );
});
process.on("disconnect", () => process.exit(0));
