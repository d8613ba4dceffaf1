// dispatch 1 x 1 x 1; x: operand, y_out: result
// y = transpose(pad(reverse(x, axis 1), axis 1))
// over [2, 4, 20], four elements an invocation.

@group(0) @binding(0) var<storage, read> x: array<vec4f>; // [2, 15, 4]
@group(0) @binding(1) var<storage, read_write> y_out: array<vec4f>; // [2, 4, 20]

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3u) {
  let i = group.x * 64u + lane;
  if (i < 40u) {
    let from_ = (i * 4u) % 20u - 2u;
    var padded = f32();
    if (from_ < 15u) {
      let x_at = x[(((i * 4u) / 80u) * 60u + (14u - (from_)) * 4u + ((i * 4u) / 20u) % 4u) / 4u][(((i * 4u) / 80u) * 60u + (14u - (from_)) * 4u + ((i * 4u) / 20u) % 4u) % 4u];
      padded = x_at;
    }
    let from__1 = (i * 4u) % 20u + 1u - 2u;
    var padded_1 = f32();
    if (from__1 < 15u) {
      let x_at = x[(((i * 4u) / 80u) * 60u + (14u - (from__1)) * 4u + ((i * 4u) / 20u) % 4u) / 4u][(((i * 4u) / 80u) * 60u + (14u - (from__1)) * 4u + ((i * 4u) / 20u) % 4u) % 4u];
      padded_1 = x_at;
    }
    let from__2 = (i * 4u) % 20u + 2u - 2u;
    var padded_2 = f32();
    if (from__2 < 15u) {
      let x_at = x[(((i * 4u) / 80u) * 60u + (14u - (from__2)) * 4u + ((i * 4u) / 20u) % 4u) / 4u][(((i * 4u) / 80u) * 60u + (14u - (from__2)) * 4u + ((i * 4u) / 20u) % 4u) % 4u];
      padded_2 = x_at;
    }
    let from__3 = (i * 4u) % 20u + 3u - 2u;
    var padded_3 = f32();
    if (from__3 < 15u) {
      let x_at = x[(((i * 4u) / 80u) * 60u + (14u - (from__3)) * 4u + ((i * 4u) / 20u) % 4u) / 4u][(((i * 4u) / 80u) * 60u + (14u - (from__3)) * 4u + ((i * 4u) / 20u) % 4u) % 4u];
      padded_3 = x_at;
    }
    let transpose_ = vec4f(padded, padded_1, padded_2, padded_3);
    y_out[i] = transpose_;
  }
}
