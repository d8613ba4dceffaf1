// Names in WGSL: readable ones from the IR's hints, never a keyword, a type or a function that the code may call.

const taken = new Set(
  (
    "alias break case const const_assert continue continuing default diagnostic discard else enable false fn for if " +
    "let loop override requires return struct switch true var while array atomic bool f16 f32 i32 u32 ptr sampler " +
    "vec2 vec3 vec4 vec2f vec3f vec4f vec2h vec4h vec2u vec4u vec2i vec4i mat2x2f mat4x4f function private workgroup " +
    "uniform storage read write read_write abs acos all any asin atan atan2 ceil clamp cos cross degrees determinant " +
    "distance dot exp exp2 floor fma fract frexp ldexp length log log2 max min mix modf normalize pow quantize " +
    "radians reflect refract round saturate select sign sin sinh smoothstep sqrt step tan tanh transpose trunc " +
    "bitcast inverseSqrt main lane local group id active as async attribute auto await become cast catch class " +
    "common compile concept constant_array delete demote do dynamic_cast enum explicit export extends extern external " +
    "fallthrough filter final friend from get goto groupshared handle highp impl implements import in inline input " +
    "instanceof interface layout lowp match mediump meta mod module move mut mutable namespace new nil noexcept " +
    "nointerpolation null of operator package partition pass patch pixelfragment precise precision premerge priv " +
    "protected pub public readonly ref regardless register resource restrict self set shared sizeof smooth snorm " +
    "static std subroutine super target template this throw trait try type typedef typename union unless unorm " +
    "unsafe unsized use using varying virtual volatile wgsl where with writeonly yield " +
    // Helpers (functions.ts).
    "sigmoid softplus tanh_safe erf gelu gelu_tanh sine cosine quadrant complex_product"
  ).split(" "),
);

/** A WGSL identifier as near to `hint` as the language allows. */
export function identifier(hint: string): string {
  const word = hint.replace(/\W+/g, "_").replace(/^_+|_+$/g, "") || "t";
  const started = /^\d/.test(word) ? `t${word}` : word;
  return taken.has(started) ? `${started}_` : started;
}
