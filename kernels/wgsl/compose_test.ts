import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { compose, composeKernel, wgsl } from "./compose.ts";
import { defineQuadKernel, quadKernel } from "./quads.ts";
import { defineRowKernel } from "./rows.ts";

Deno.test("compose() fills #use lines with snippets, indented as the lines are, and sets declarations apart", () => {
  const text = wgsl`
    #use one
    #use sum f32 LANES
    fn main() {
      if (true) {
        #use body
      }
    }
  `;
  const snippets = {
    one: "fn one() {\n}",
    sum: (type: string, lanes: string) => `fn sum() -> ${type} {\n  return ${type}(${lanes});\n}`,
    body: "one();\n\nsum();",
  };
  assertEquals(
    compose("k", text, { snippets }),
    `fn one() {
}

fn sum() -> f32 {
  return f32(LANES);
}

fn main() {
  if (true) {
    one();

    sum();
  }
}`,
  );
});

Deno.test("compose() replaces a pattern wherever it stands, by the text as it is", () => {
  const replacements = [["f32", "$&"], ["u32", "i32"]] as const;
  assertEquals(compose("k", "a: f32, b: f32, c: u32", { replacements }), "a: $&, b: $&, c: i32");
});

Deno.test("compose() refuses by the kernel's name what names no snippet, has too many words or matches nothing", () => {
  const refusals: [text: string, how: Parameters<typeof compose>[2], message: string][] = [
    [
      "#use row_summ f32\n",
      { snippets: { row_sum: (type: string) => type } },
      'Cannot compose kernel "norm": "#use row_summ f32" names no snippet, known are row_sum',
    ],
    // What every object has is no snippet.
    [
      "#use constructor\n",
      { snippets: { a: "" } },
      'Cannot compose kernel "norm": "#use constructor" names no snippet, known are a',
    ],
    [
      "  #use a f32\n",
      { snippets: { a: "x" } },
      'Cannot compose kernel "norm": "#use a f32" has 1 words behind the name, 0 are needed',
    ],
    [
      "#use a\n",
      { snippets: { a: (type: string) => type } },
      'Cannot compose kernel "norm": "#use a" has 0 words behind the name, 1 are needed',
    ],
    [
      "x: array<f32>;",
      { replacements: [["x: array<f32>", "x: array<u32>"], ["y: array<f32>", "y: array<u32>"]] },
      'Cannot compose kernel "norm": its text has no "y: array<f32>" to replace by "y: array<u32>"',
    ],
  ];
  for (const [text, how, message] of refusals) {
    assertThrows(() => compose("norm", text, how), Error, message);
  }
});

const spec = { name: "k", buffers: { x: "read_write" }, uniforms: {}, constants: {} } as const;

Deno.test("composeKernel() keeps the spec beside its text", () => {
  const kernel = composeKernel({ ...spec, source: "#use a" }, { snippets: { a: "b" } });
  assertEquals(kernel.spec, { ...spec, source: "b" });
});

Deno.test("composeKernel() makes the same kernel for subgroups where a snippet reads otherwise there, and no other", () => {
  const snippets = { a: { lanes: "old", subgroups: "new" }, b: "both" };
  const lane = "@builtin(local_invocation_index) lane: u32";
  const head = "enable subgroups;\nrequires subgroup_id;\n\n";
  const variables = "var<private> subgroup: u32;\nvar<private> subgroups: u32;\n";
  const set = "  subgroup = subgroup_id;\n  subgroups = num_subgroups;\n";
  const text = (use: string, given: string) =>
    `#use b\n@compute @workgroup_size(64)\nfn main(${given}) {\n  #use ${use}\n}\n`;
  assertEquals(composeKernel({ ...spec, source: text("b", lane) }, { snippets }).inSubgroups, undefined);
  for (
    const [given, wanted] of [
      [lane, `${lane}, @builtin(subgroup_id) subgroup_id: u32, @builtin(num_subgroups) num_subgroups: u32`],
      [
        `\n  ${lane},\n`,
        `\n  ${lane},\n  @builtin(subgroup_id) subgroup_id: u32,\n  @builtin(num_subgroups) num_subgroups: u32,\n`,
      ],
    ] as const
  ) {
    const made = composeKernel({ ...spec, source: text("a", given) }, { snippets });
    assertEquals(made.spec, {
      ...spec,
      source: `both\n@compute @workgroup_size(64)\nfn main(${given}) {\n  old\n}\n`,
    });
    assertEquals(made.inSubgroups!.spec, {
      ...{ ...spec, name: "k_in_subgroups" },
      source:
        `${head}both\n${variables}\n@compute @workgroup_size(64)\nfn main(${wanted}) {\n${set}  new\n}\n`,
    });
  }
  assertThrows(
    () => composeKernel({ ...spec, source: text("a", "") }, { snippets }),
    Error,
    'Cannot compose kernel "k_in_subgroups": the last that its main gets is no lane',
  );
});

Deno.test("defineRowKernel() makes twins that read one element or a vector, and refuses a text without #use value", () => {
  const { single, fourfold } = defineRowKernel({ ...spec, source: "#use value\n#use total\n" });
  assertStringIncludes(single.spec.source, "alias Value = f32;");
  assertStringIncludes(fourfold.spec.source, "alias Value = vec4<f32>;");
  assertStringIncludes(fourfold.spec.source, "return (v.x + v.y) + (v.z + v.w);");
  assertThrows(
    () => defineRowKernel({ ...spec, source: "#use is_finite\n" }),
    Error,
    'Cannot make a twin of kernel "k" for vectors: its text has no "#use value"',
  );
});

Deno.test("quadKernel() makes one twin for each choice of buffers, and refuses a buffer that the text has not", () => {
  const source = "var<storage, read_write> x: array<f32>;\n#use load x\n#use store x\n";
  const kernels = defineQuadKernel({ ...spec, source });
  const elements = quadKernel(kernels, []).spec.source, vectors = quadKernel(kernels, ["x"]).spec.source;
  assertEquals(quadKernel(kernels, ["x"]), quadKernel(kernels, ["x"]));
  assertStringIncludes(elements, "x: array<f32>;");
  assertStringIncludes(elements, "values[k] = x[at + k];");
  assertStringIncludes(vectors, "x: array<vec4<f32>>;");
  assertStringIncludes(vectors, "return x[at / 4u];");
  assertStringIncludes(vectors, "x[at / 4u] = values;");
  assertThrows(() => quadKernel(kernels, ["y"]), Error, 'kernel "k": its text has no "> y: array<f32>"');
});

Deno.test("wgsl takes its own indentation away and gives pieces that of their line", () => {
  const loop = wgsl`
    for (;;) {
      ${["a();", "b();\nc();"]}
    }
  `;
  assertEquals(
    wgsl`
      fn f${1}() {
        ${loop}
        ${false}
        let x = ${"y"} + ${2}u;
      }
    `,
    "fn f1() {\n  for (;;) {\n    a();\n    b();\n    c();\n  }\n  let x = y + 2u;\n}",
  );
});

Deno.test("wgsl leaves out the line of a piece that is nothing, and one of two empty lines that then meet", () => {
  assertEquals(
    wgsl`
      a

      ${null}

      ${[]}

      b
    `,
    "a\n\nb",
  );
});

Deno.test("wgsl refuses a piece within a line that is not one line", () => {
  assertThrows(() => wgsl`let x = ${["a", "b"]};`, Error, 'Cannot put ["a","b"] into "let x = …;"');
  assertThrows(() => wgsl`let x = ${"a\nb"};`, Error, "one line is needed");
  assertThrows(() => wgsl`let x = ${false};`, Error, "one line is needed");
});
