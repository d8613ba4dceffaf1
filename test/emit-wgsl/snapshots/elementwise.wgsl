// dispatch 1 x 1 x 1; x: operand, shift: operand, mask: operand, y: result
// gelu, add, where over [2, 5, 24], four elements an invocation.
//   gelu: none: y = x/2 (1 + erf(x/sqrt 2)); tanh: y = x/2 (1 + tanh(sqrt(2/pi)(x + 0.044715 x^3)))
//   add: y = a + b; operands broadcast
//   where: y = a where condition, else b; operands broadcast

@group(0) @binding(0) var<storage, read> x: array<vec4f>;
@group(0) @binding(1) var<storage, read> shift: array<vec4f>;
@group(0) @binding(2) var<storage, read> mask: array<u32>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4f>;

fn erf4(x: vec4f) -> vec4f {
  let t = min(abs(x), vec4f(4.0));
  let q = min(x * x, vec4f(1.0));
  let small = x * (vec4f(1.128379225730896) + q * (vec4f(-0.37612637877464294) + q * (vec4f(0.11283782869577408) + q * (vec4f(-0.026865430176258087) + q * (vec4f(0.005221031606197357) + q * (vec4f(-0.0008484080317430198) + q * (vec4f(0.00011265958892181516) + q * (vec4f(-0.000009667044650996104)))))))));
  let large = sign(x) * (vec4f(1.0) - exp(vec4f(0.0002610752999316901) + t * (vec4f(-1.1299103498458862) + t * (vec4f(-0.632601261138916) + t * (vec4f(-0.10900755971670151) + t * (vec4f(0.02547478675842285) + t * (vec4f(-0.0042034839279949665) + t * (vec4f(0.000376396143110469) + t * (vec4f(0.00001215061729453737) + t * (vec4f(-0.000008175013135769404) + t * (vec4f(9.544950216877623e-7) + t * (vec4f(-4.0744268403614115e-8)))))))))))));
  return select(large, small, abs(x) < vec4f(1.0));
}

fn gelu4(x: vec4f) -> vec4f {
  return vec4f(0.5) * x * (vec4f(1.0) + erf4(x * vec4f(0.7071067690849304)));
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
    y[i] = where_;
  }
}
