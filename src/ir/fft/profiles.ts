// What the cost model knows of a machine: rates and limits as data. `cpu` was fitted on 138 timings of ONNX
// Runtime 1.30's CPU provider on one core with AVX-512 (predicted/measured 0.82 / 0.99 / 1.14 at the 5th,
// 50th and 95th percentile); every GPU row is a prediction from data sheets, not a measurement.

/** Largest working set, in bytes, for which the rate holds. */
interface Bandwidth {
  readonly upTo: number;
  readonly bytesPerSecond: number;
}

export interface Profile {
  readonly name: string;
  /** How products are rounded; storage is 2 bytes for f16, else 4. */
  readonly precision: "f32" | "tf32" | "f16";
  readonly flopsPerSecond: number;
  readonly bandwidth: readonly Bandwidth[];
  /** Seconds to dispatch one op. */
  readonly dispatch: number;
  /** Whether arithmetic and memory traffic of one op add up or hide each other. */
  readonly overlap: "sum" | "max";
  /** Rows and columns that are not multiples of this run `unaligned` times slower. */
  readonly alignment: number;
  readonly unaligned: number;
  /** Factors considered for orders >= 2, and the longest order-1 transform. */
  readonly factors: { readonly least: number; readonly most: number; readonly alone: number };
  readonly orders: number;
  /**
   * Lines as [B, L, D] or, transposed on the way in and out, as [L, B, D]. CUDA's MatMul takes one strided
   * batch only when both operands have the same batch axes; otherwise it copies pointer arrays to the device
   * in every run.
   */
  readonly layout: "batch_first" | "sequence_first";
  /** Numbers of channel blocks to try, so that the working set of one block stays in cache. */
  readonly blocks: readonly number[];
  /**
   * Products per second of a depthwise convolution, and of Toeplitz products with one or with many filters.
   */
  readonly depthwise: number;
  readonly toeplitz: { readonly one: number; readonly many: number };
}

const MB = 1e6;

/**
 * ONNX Runtime's CPU provider on a core with AVX-512 and 1 MB of cache. More threads share both arithmetic
 * and memory at 95 % efficiency.
 */
export function cpuProfile(threads = 1): Profile {
  const known = cpuProfiles.get(threads) ?? makeCpuProfile(threads === 1 ? "cpu" : `cpu-${threads}`, threads);
  cpuProfiles.set(threads, known);
  return known;
}

/** One object per number of threads: plans are remembered by profile. */
const cpuProfiles = new Map<number, Profile>();

/** `share` of the fitted core's arithmetic and memory; more than one core loses 5 %. */
function makeCpuProfile(name: string, share: number): Profile {
  const speed = share > 1 ? 0.95 * share : share;
  const rate = (upTo: number, gigabytes: number) => ({ upTo, bytesPerSecond: gigabytes * 1e9 * speed });
  return {
    name,
    precision: "f32",
    flopsPerSecond: 197e9 * speed,
    bandwidth: [rate(1.5 * MB, 53), rate(12 * MB, 47), rate(50 * MB, 23), rate(Number.POSITIVE_INFINITY, 20)],
    dispatch: 2.8e-6 / Math.min(speed, 1),
    overlap: "sum",
    alignment: 1,
    unaligned: 1,
    factors: { least: 4, most: 64, alone: 64 },
    orders: 4,
    layout: "batch_first",
    blocks: [1, 2, 4, 8, 16],
    depthwise: 14e9 * speed,
    toeplitz: { one: 200e9 * speed, many: 140e9 * speed },
  };
}

/**
 * A CUDA device from its peak rates: tensor cores reach about 35 % on products this narrow, plain f32 units
 * about 60-70 %, memory about 80 %.
 */
function cudaProfile(name: string, precision: Profile["precision"], flops: number, bytes: number): Profile {
  return {
    name,
    precision,
    flopsPerSecond: flops,
    bandwidth: [{ upTo: Number.POSITIVE_INFINITY, bytesPerSecond: bytes }],
    dispatch: 3e-6,
    overlap: "max",
    alignment: precision === "f16" ? 8 : precision === "tf32" ? 4 : 1,
    unaligned: 4,
    factors: { least: 4, most: 256, alone: 256 },
    orders: 3,
    layout: "sequence_first",
    blocks: [1],
    depthwise: flops / 50,
    toeplitz: { one: flops, many: flops / 2 },
  };
}

/** Profiles by name. WGSL has its own fused kernel and no row here. */
export const profiles: Readonly<Record<string, Profile>> = Object.fromEntries(
  [
    cpuProfile(),
    cpuProfile(2),
    cpuProfile(4),
    cpuProfile(8),
    // A busy core with AVX2 and 512 KB of cache: 22 chains took 1.8 to 2.3 times the fitted core's time.
    makeCpuProfile("cpu-avx2", 0.51),
    cudaProfile("h100-f16", "f16", 0.35 * 989e12, 2.7e12),
    cudaProfile("h100-tf32", "tf32", 0.35 * 494e12, 2.7e12),
    cudaProfile("h100-f32", "f32", 0.6 * 67e12, 2.7e12),
    cudaProfile("a100-f16", "f16", 0.35 * 312e12, 1.5e12),
    cudaProfile("a100-tf32", "tf32", 0.35 * 156e12, 1.5e12),
    cudaProfile("a100-f32", "f32", 0.7 * 19.5e12, 1.5e12),
    cudaProfile("rtx4090-f32", "f32", 0.6 * 82.6e12, 0.86e12),
  ].map((profile) => [profile.name, profile]),
);
