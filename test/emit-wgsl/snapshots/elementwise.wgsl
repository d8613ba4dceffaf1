// dispatch 1 x 1 x 1; x: operand, shift: operand, mask: operand, y_out: result
// y = where(mask, gelu(x) + shift, x)
// over [2, 5, 24], four elements an invocation.

@group(0) @binding(0) var<storage, read> x: array<vec4f>; // [2, 5, 24]
@group(0) @binding(1) var<storage, read> shift: array<vec4f>; // [2, 1, 24]
@group(0) @binding(2) var<storage, read> mask: array<u32>; // [2, 5, 1]
@group(0) @binding(3) var<storage, read_write> y_out: array<vec4f>; // [2, 5, 24]

fn erf4(x: vec4f) -> vec4f {
  let t = min(abs(x), vec4f(4.0));
  let q = min(x * x, vec4f(1.0));
  let small = x * (vec4f(1.1283792) + q * (vec4f(-0.37612638) + q * (vec4f(0.11283783) + q * (vec4f(-0.02686543) + q * (vec4f(0.0052210316) + q * (vec4f(-0.00084840803) + q * (vec4f(0.00011265959) + q * (vec4f(-0.000009667045)))))))));
  let large = sign(x) * (vec4f(1.0) - exp(vec4f(0.0002610753) + t * (vec4f(-1.1299103) + t * (vec4f(-0.63260126) + t * (vec4f(-0.10900756) + t * (vec4f(0.025474787) + t * (vec4f(-0.004203484) + t * (vec4f(0.00037639614) + t * (vec4f(0.000012150617) + t * (vec4f(-0.000008175013) + t * (vec4f(9.54495e-7) + t * (vec4f(-4.074427e-8)))))))))))));
  return select(large, small, abs(x) < vec4f(1.0));
}

fn gelu4(x: vec4f) -> vec4f {
  return vec4f(0.5) * x * (vec4f(1.0) + erf4(x * vec4f(0.70710677)));
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let i = group.x * 64u + lane;
  if (i < 60u) {
    let x_at = x[i];
    let gelu_ = gelu4(x_at);
    let shift_at = shift[(((i * 4u) / 120u) * 24u + (i * 4u) % 24u) / 4u];
    let add = gelu_ + shift_at;
    let mask_at = mask[((i * 4u) / 120u) * 5u + ((i * 4u) / 24u) % 5u] != 0u;
    let mask_1 = vec4<bool>(mask_at);
    let where_ = select(x_at, add, mask_1);
    y_out[i] = where_;
  }
}
