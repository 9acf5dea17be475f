import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import fc from "fast-check";
import { fixture } from "../../tests/support/public_files.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";
import { type Checkpoint, CheckpointError, release, take } from "./checkpoint.ts";
import { openSafetensors, parseSafetensors, readSafetensors } from "./read_safetensors.ts";
import { encodeSafetensors, type WritableTensor, writeSafetensors } from "./write_safetensors.ts";

const test = testNeeding(FILES);

/** A file made by hand. `header` is JSON text, or something to be turned into it. */
function file(header: unknown, data: Uint8Array | number = 0): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const elements = typeof data === "number" ? new Uint8Array(data) : data;
  const bytes = new Uint8Array(8 + text.length + elements.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(elements, 8 + text.length);
  return bytes;
}

/** A file of one tensor "x" with the given bits. */
function one(dtype: string, elements: ArrayBufferView<ArrayBuffer>, count: number): Checkpoint {
  const data = new Uint8Array(elements.buffer);
  return parseSafetensors(
    file({ x: { dtype, shape: [count], data_offsets: [0, data.length] } }, data),
    "x.safetensors",
  );
}

function refusal(bytes: Uint8Array): string {
  return assertThrows(
    () => parseSafetensors(bytes, "m.safetensors"),
    CheckpointError,
    'checkpoint "m.safetensors": ',
  )
    .message;
}

const anyTensors: fc.Arbitrary<ReadonlyMap<string, WritableTensor>> = fc.array(
  fc.tuple(
    fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("__proto__", "0", "a.b", "constructor", "\ud800", '"\\'),
    ),
    fc.array(fc.nat(3), { maxLength: 3 }).chain((shape) => {
      const length = shape.reduce((product, size) => product * size, 1);
      return fc.record({
        shape: fc.constant(shape),
        data: fc.float32Array({ minLength: length, maxLength: length }),
      });
    }),
  ),
  { maxLength: 4 },
).map((entries) => new Map(entries.filter(([name]) => name !== "__metadata__")));

const anyMetadata = fc.dictionary(fc.string(), fc.string(), { maxKeys: 3, noNullPrototype: true });

Deno.test("parseSafetensors() gives back what encodeSafetensors() took, for any names, shapes, floats and metadata", () => {
  fc.assert(fc.property(anyTensors, anyMetadata, (tensors, metadata) => {
    const checkpoint = parseSafetensors(encodeSafetensors(tensors, metadata), "any");
    assertEquals(checkpoint.metadata, metadata);
    assert([...checkpoint.tensors.values()].every(({ dtype }) => dtype === "F32"));
    assertEquals<ReadonlyMap<string, WritableTensor>>(
      new Map([...checkpoint.tensors].map(([name, { shape, data }]) => [name, { shape, data }])),
      tensors,
    );
  }));
});

Deno.test("encodeSafetensors() is deterministic, pads the header to 8 bytes and keeps F32 aligned behind odd F16", () => {
  const tensors = new Map<string, WritableTensor>([
    ["half", { shape: [3], data: new Float32Array([1, 2, 3]), dtype: "F16" }],
    ["full", { shape: [1, 1], data: new Float32Array([4]) }],
  ]);
  const bytes = encodeSafetensors(tensors, { format: "pt" });
  assertEquals(bytes, encodeSafetensors(tensors, { format: "pt" }));
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  assertStrictEquals(length % 8, 0);
  assertEquals(JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))), {
    __metadata__: { format: "pt" },
    full: { dtype: "F32", shape: [1, 1], data_offsets: [0, 4] },
    half: { dtype: "F16", shape: [3], data_offsets: [4, 10] },
  });
  const { tensors: read } = parseSafetensors(bytes, "two");
  assertEquals([...read.keys()], ["full", "half"]);
  assertEquals(read.get("half")?.data, new Float32Array([1, 2, 3]));
});

Deno.test("encodeSafetensors() takes a part of a larger array for what it is", () => {
  const data = new Float32Array([9, 1, 2, 9]).subarray(1, 3);
  const { tensors } = parseSafetensors(encodeSafetensors(new Map([["x", { shape: [2], data }]])), "part");
  assertEquals(tensors.get("x")?.data, new Float32Array([1, 2]));
});

Deno.test("parseSafetensors() reads every F16 and every BF16 exactly, subnormals, infinities and NaN included", () => {
  const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
  const fields = (i: number, exponentBits: number) => {
    const fractionBits = 15 - exponentBits;
    const sign = i >> 15 === 1 ? -1 : 1;
    const exponent = (i >> fractionBits) & (2 ** exponentBits - 1);
    return { sign, exponent, fraction: (i & (2 ** fractionBits - 1)) / 2 ** fractionBits };
  };
  const value = (i: number, exponentBits: number) => {
    const { sign, exponent, fraction } = fields(i, exponentBits);
    const bias = 2 ** (exponentBits - 1) - 1;
    if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
    return exponent === 0
      ? sign * fraction * 2 ** (1 - bias)
      : sign * (1 + fraction) * 2 ** (exponent - bias);
  };
  for (const [dtype, exponentBits] of [["F16", 5], ["BF16", 8]] as const) {
    const { data } = one(dtype, bits, bits.length).tensors.get("x")!;
    for (let i = 0; i < bits.length; i++) {
      assertStrictEquals(data[i], value(i, exponentBits), `${dtype} ${i}`);
    }
  }
});

Deno.test("encodeSafetensors() rounds to the nearest F16, halves to even, at every boundary between two", () => {
  // Positive finite F16 in order; behind the last, where rounding turns into overflow, comes 65536.
  const halves = one("F16", Uint16Array.from({ length: 0x7c00 }, (_, i) => i), 0x7c00).tensors.get("x")!.data;
  const round = (values: readonly number[]) => {
    const tensor = { shape: [values.length], data: new Float32Array(values), dtype: "F16" } as const;
    return parseSafetensors(encodeSafetensors(new Map([["x", tensor]])), "halves").tensors.get("x")!.data;
  };
  const lower = [...halves.subarray(0, -1)];
  const upper = [...halves.subarray(1)];
  // Exact in F32, as are the values next to it: F32 has 13 bits more.
  const middle = lower.map((value, i) => (value + upper[i]!) / 2);
  assertEquals(round(middle), new Float32Array(lower.map((value, i) => i % 2 === 0 ? value : upper[i]!)));
  assertEquals(round(middle.map((value) => value * (1 - 2 ** -20))), new Float32Array(lower));
  assertEquals(round(middle.map((value) => value * (1 + 2 ** -20))), new Float32Array(upper));
  assertEquals(
    round(middle.map((value) => -value * (1 + 2 ** -20))),
    new Float32Array(upper.map((value) => -value)),
  );
  const special = round([-0, Infinity, -Infinity, NaN, 65519.99]);
  assert([-0, Infinity, -Infinity, NaN, 65504].every((value, i) => Object.is(special[i], value)));
});

Deno.test("encodeSafetensors() refuses values beyond F16, shapes that don't fit and the reserved name", () => {
  const validate = (name: string, tensor: WritableTensor, part: string) => {
    assertThrows(() => encodeSafetensors(new Map([[name, tensor]])), CheckpointError, part);
  };
  const data = new Float32Array([0, 65520]);
  validate(
    "w",
    { shape: [2], data, dtype: "F16" },
    'tensor "w" [2]: element 1 is 65520, out of the range of F16',
  );
  validate("w", { shape: [3], data }, 'tensor "w" [3]: it has 2 elements');
  validate("w", { shape: [-1, -2], data }, "whole numbers from 0");
  validate("w", { shape: [0.5, 4], data }, "whole numbers from 0");
  validate("__metadata__", { shape: [2], data }, "reserved");
});

Deno.test("parseSafetensors() converts integers where exact and says which element is not", () => {
  const read = (dtype: string, elements: ArrayBufferView<ArrayBuffer>, count: number) =>
    one(dtype, elements, count).tensors.get("x")!.data;
  assertEquals(read("I64", new BigInt64Array([-5n, 2n ** 24n]), 2), new Float32Array([-5, 2 ** 24]));
  assertEquals(read("I32", new Int32Array([-7, 3]), 2), new Float32Array([-7, 3]));
  assertEquals(read("U8", new Uint8Array([0, 255]), 2), new Float32Array([0, 255]));
  assertEquals(read("BOOL", new Uint8Array([0, 1]), 2), new Float32Array([0, 1]));
  assertEquals(read("F64", new Float64Array([0.1]), 1), new Float32Array([0.1]));
  const inexact = one("I64", new BigInt64Array([1n, 2n ** 24n + 1n]), 2);
  assertThrows(
    () => inexact.tensors.get("x")!.data,
    CheckpointError,
    'tensor "x" of "x.safetensors": element 1 is 16777217',
  );
});

Deno.test("parseSafetensors() lists tensors of types it cannot convert, and refuses only their data", () => {
  const { tensors } = one("F8_E4M3", new Uint8Array(4), 4);
  assertEquals(tensors.get("x")?.shape, [4]);
  assertThrows(() => tensors.get("x")!.data, CheckpointError, "its type F8_E4M3 is not supported");
});

Deno.test("parseSafetensors() gives elements of the caller's own each time, and from bytes that start anywhere in a buffer", () => {
  const plain = encodeSafetensors(new Map([["x", { shape: [2], data: new Float32Array([1, 2]) }]]));
  const shifted = new Uint8Array(plain.length + 3).subarray(3);
  shifted.set(plain);
  const tensor = parseSafetensors(shifted, "shifted").tensors.get("x")!;
  release(tensor.data.fill(3));
  assertEquals(tensor.data, new Float32Array([1, 2]));
});

Deno.test("parseSafetensors() converts large tensors piece by piece, and errors count elements from the tensor's first", () => {
  // Pieces of 4 MiB have 1,048,576 elements of 32 bits.
  const count = 2 ** 20 + 5, whole = Int32Array.from({ length: count }, (_, i) => i - 7);
  assertEquals(one("I32", whole, count).tensors.get("x")!.data, new Float32Array(whole));
  whole[count - 2] = 2 ** 24 + 1;
  assertThrows(
    () => one("I32", whole, count).tensors.get("x")!.data,
    CheckpointError,
    `element ${count - 2} is 16777217, which`,
  );
  const halves = Uint16Array.from({ length: 2 ** 21 + 3 }, (_, i) => i % 0x7f80);
  const wanted = new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
  assertEquals(one("BF16", halves, halves.length).tensors.get("x")!.data, wanted);
});

Deno.test("parseSafetensors() orders tensors as in the file, also where names look like numbers", () => {
  const header =
    '{"b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"7":{"dtype":"U8","shape":[],"data_offsets":[1,2]}}';
  const { tensors } = parseSafetensors(file(header, 2), "order");
  assertEquals([...tensors.keys()], ["b", "7"]);
  assertEquals(tensors.get("7")?.shape, []);
});

Deno.test("parseSafetensors() refuses each kind of broken file with a sentence that tells what is wrong", () => {
  const entry = (shape: unknown, offsets: unknown, dtype: unknown = "U8") => ({
    dtype,
    shape,
    data_offsets: offsets,
  });
  const length = (claimed: bigint, followed: number) => {
    const bytes = new Uint8Array(8 + followed);
    new DataView(bytes.buffer).setBigUint64(0, claimed, true);
    return bytes;
  };
  const cases: [string, Uint8Array, string][] = [
    ["empty", new Uint8Array(0), "the file is empty"],
    ["shorter than the length", new Uint8Array(7), "ends after 7 bytes, within the header's length"],
    ["length beyond the file", length(100n, 99), "claims 100 bytes, but only 99 follow"],
    ["length beyond the limit", length(16_777_217n, 9), "claims 16777217 bytes, at most 16777216"],
    ["length beyond 2^53", length(2n ** 64n - 1n, 9), "at most 16777216"],
    ["no header", length(0n, 0), "begins with {"],
    ["not UTF-8", file("{}").with(9, 0xff), "begins with {"],
    ["space before {", file(" {}"), "begins with {"],
    ["a list", file("[]"), "begins with {"],
    ["half a header", file('{"a":'), "not valid JSON"],
    ["more behind the header", file("{}{}"), "not valid JSON"],
    ["entry is no object", file({ a: 1 }), 'tensor "a" is not described by an object'],
    ["entry is a list", file({ a: [] }), 'tensor "a" is not described by an object'],
    [
      "no dtype",
      file({ a: { shape: [1], data_offsets: [0, 1] } }, 1),
      'tensor "a" has the type undefined, known are',
    ],
    ["unknown dtype", file({ a: entry([1], [0, 1], "F31") }, 1), 'has the type "F31", known are BOOL'],
    ["dtype from the prototype", file({ a: entry([1], [0, 1], "toString") }, 1), 'has the type "toString"'],
    ["unknown field", file({ a: { ...entry([1], [0, 1]), scale: 1 } }, 1), 'has a field "scale"'],
    ["no shape", file({ a: entry(undefined, [0, 1]) }, 1), "has the shape undefined"],
    ["negative size", file({ a: entry([-1], [0, 1]) }, 1), "has the shape [-1]"],
    ["two negative sizes", file({ a: entry([-1, -1], [0, 1]) }, 1), "has the shape [-1,-1]"],
    ["fractional size", file({ a: entry([0.5, 2], [0, 1]) }, 1), "has the shape [0.5,2]"],
    ["size as text", file({ a: entry(["1"], [0, 1]) }, 1), 'has the shape ["1"]'],
    [
      "size beyond 2^53",
      file('{"a":{"dtype":"U8","shape":[9007199254740993],"data_offsets":[0,1]}}', 1),
      "the shape",
    ],
    ["size as 1e0", file('{"a":{"dtype":"U8","shape":[1e0],"data_offsets":[0,1]}}', 1), "has the number 1e0"],
    ["size as 1.0", file('{"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}}', 1), "has the number 1.0"],
    ["offset as -0", file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[-0,1]}}', 1), "has the number -0"],
    ["one offset", file({ a: entry([1], [0]) }, 1), "has the data offsets [0]"],
    ["negative offset", file({ a: entry([1], [-1, 0]) }, 1), "has the data offsets [-1,0]"],
    ["offsets swapped", file({ a: entry([1], [1, 0]) }, 1), "from byte 1 to 0"],
    [
      "offset beyond the file",
      file({ a: entry([2], [0, 2]) }, 1),
      "from byte 0 to 2, but the file has 1 bytes",
    ],
    ["size does not match", file({ a: entry([3], [0, 2]) }, 2), "has 2 bytes of data, but U8 [3] takes 3"],
    ["huge shape", file({ a: entry([2 ** 50, 2 ** 50], [0, 1]) }, 1), "has 1 bytes of data"],
    ["half a byte", file({ a: entry([1], [0, 1], "F4") }, 1), "takes 0.5"],
    ["overlap", file({ a: entry([2], [0, 2]), b: entry([2], [1, 3]) }, 3), 'tensor "b" overlaps'],
    ["same data twice", file({ a: entry([2], [0, 2]), b: entry([2], [0, 2]) }, 2), 'tensor "b" overlaps'],
    [
      "hole at the start",
      file({ a: entry([1], [1, 2]) }, 2),
      '1 bytes before tensor "a" belong to no tensor',
    ],
    ["hole between", file({ a: entry([1], [0, 1]), b: entry([1], [3, 4]) }, 4), '2 bytes before tensor "b"'],
    ["bytes left over", file({ a: entry([1], [0, 1]) }, 3), "its last 2 bytes belong to no tensor"],
    ["metadata is no object", file({ __metadata__: "pt" }), "__metadata__ holds something other"],
    ["metadata is null", file({ __metadata__: null }), "__metadata__ holds something other"],
    ["metadata with a number", file({ __metadata__: { step: 3 } }), "__metadata__ holds something other"],
    [
      "a tensor twice",
      file(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
        2,
      ),
      'has the key "a" twice',
    ],
    [
      "a field twice",
      file('{"a":{"dtype":"U8","shape":[2],"shape" :[1],"data_offsets":[0,1]}}', 1),
      '"shape" twice',
    ],
    ["nested without end", file(`{"a":${"[".repeat(1e5)}`), "its header is nested more than 100 levels deep"],
    [
      "a shape without end",
      file({ a: entry(Array(1e5).fill(1), [0, 2]) }, 2),
      `but U8 [${"1,".repeat(40)}…] takes 1`,
    ],
    ["a name without end", file({ ["a".repeat(1e5)]: 3 }), `tensor "${"a".repeat(159)}… is not described`],
    ["a name of two lines", file({ "a\n\u001b[2J": 3 }), 'tensor "a\\n\\u001b[2J" is not described'],
    [
      "a field __proto__",
      file('{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"__proto__":1}}', 1),
      'field "__proto__"',
    ],
    ["metadata twice", file('{"__metadata__":{},"__metadata__":{}}'), '"__metadata__" twice'],
  ];
  for (const [name, bytes, part] of cases) assertStringIncludes(refusal(bytes), part, name);
});

Deno.test("parseSafetensors() takes an escaped quote, a colon in a text and equal keys of different tensors as they are", () => {
  const header = JSON.stringify({
    __metadata__: { 'a":1,"a': 'b":2', "dtype": "-5: 1e3" },
    'x"y': { dtype: "U8", shape: [0, 5], data_offsets: [0, 0] },
    "x\\": { dtype: "U8", shape: [1], data_offsets: [0, 1] },
  });
  assertEquals([...parseSafetensors(file(`${header}   \n`, 1), "escapes").tensors.keys()], ['x"y', "x\\"]);
});

Deno.test("parseSafetensors() says what a file of another kind looks like", () => {
  const text = (start: string) =>
    Uint8Array.from(start.padEnd(600, "\x01"), (character) => character.charCodeAt(0));
  const cases: [string, string][] = [
    ["\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "a PNG image"],
    ["PK\x03\x04\x00\x00\x08\x08\x00\x00", "a zip archive, as torch.save writes"],
    ["\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19", "a Python pickle"],
    ["\x80\x04\x95\x1a\x00\x00\x00\x00\x00\x00\x00", "a Python pickle"],
    ["\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03", "a gzip archive"],
    ["GGUF\x03\x00\x00\x00\x01", "a GGUF file"],
    ["\x93NUMPY\x01\x00v\x00", "a NumPy array"],
    ["version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"],
    ['{\n  "metadata": {"total_size": 1}', "JSON text"],
    ["<!DOCTYPE html>", "an HTML or XML page"],
  ];
  for (const [start, format] of cases) {
    assertStringIncludes(refusal(text(start)), `it is no safetensors file, it looks like ${format}`);
  }
  assertStringIncludes(refusal(text("\x89PNG").subarray(0, 5)), "a PNG image");
});

Deno.test("parseSafetensors() doesn't take a truncated safetensors file for the pickle its length looks like", () => {
  // 0x0280 bytes of header: a pickle begins with 80 02.
  assertStringIncludes(
    refusal(file("{".padEnd(0x280), 0).subarray(0, 300)),
    "claims 640 bytes, but only 292 follow",
  );
});

Deno.test("parseSafetensors() refuses every truncation", () => {
  fc.assert(
    fc.property(
      anyTensors,
      anyMetadata,
      fc.double({ min: 0, max: 1, noNaN: true }),
      (tensors, metadata, part) => {
        const bytes = encodeSafetensors(tensors, metadata);
        refusal(bytes.subarray(0, Math.min(bytes.length - 1, Math.floor(part * bytes.length))));
      },
    ),
  );
});

Deno.test("parseSafetensors() with one byte of the header changed refuses, or reads the same tensors", () => {
  // The format has no checksum: names, metadata and a type's letter (F32, I32) are all that may differ.
  const read = ({ tensors }: Checkpoint) =>
    [...tensors.values()].map(({ shape, dtype, data }) => ({
      shape,
      bits: dtype === "F32" ? [...data] : undefined,
    }));
  const hurt = (bytes: Uint8Array<ArrayBuffer>, at: number, value: number) => {
    const before = read(parseSafetensors(bytes, "whole"));
    let after: ReturnType<typeof read>;
    try {
      after = read(parseSafetensors(bytes.with(at, value), "hurt"));
    } catch (error) {
      assert(error instanceof CheckpointError, String(error));
      return;
    }
    assertStrictEquals(after.length, before.length);
    for (const [i, { shape, bits }] of after.entries()) {
      if (bits === undefined) continue;
      assertEquals(bits, before[i]!.bits);
      // [0, 2] and [0, 3] both hold nothing.
      if (bits.length > 0) assertEquals(shape, before[i]!.shape);
    }
  };
  fc.assert(
    fc.property(anyTensors, anyMetadata, fc.nat(), fc.nat(255), (tensors, metadata, at, value) => {
      const bytes = encodeSafetensors(tensors, metadata);
      hurt(bytes, at % (8 + Number(new DataView(bytes.buffer).getBigUint64(0, true))), value);
    }),
    { numRuns: 500 },
  );
  // One small file whole: every byte, every value.
  const bytes = encodeSafetensors(new Map([["w", { shape: [2], data: new Float32Array([1, 2]) }]]), {
    a: "b",
  });
  for (let at = 0; at < bytes.length - 8; at++) {
    for (let value = 0; value < 256; value++) hurt(bytes, at, value);
  }
});

Deno.test("parseSafetensors() takes any bytes at all without any other error", () => {
  const header = fc.oneof(fc.json(), fc.string({ unit: "binary" }), fc.constant("[".repeat(1e5)));
  fc.assert(fc.property(fc.oneof(fc.uint8Array(), header.map((text) => file(text))), (bytes) => {
    try {
      parseSafetensors(bytes, "any");
    } catch (error) {
      assert(error instanceof CheckpointError, String(error));
    }
  }));
});

test("writeSafetensors() writes what readSafetensors() reads, replaces an old file and leaves nothing else", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/model.safetensors`;
    await Deno.writeTextFile(path, "old");
    await writeSafetensors(path, new Map([["w", { shape: [1, 2], data: new Float32Array([1, NaN]) }]]), {
      step: "3",
    });
    const checkpoint = await readSafetensors(path);
    assertEquals(checkpoint.name, path);
    assertEquals(checkpoint.metadata, { step: "3" });
    assertEquals(take(checkpoint, "w", [1, 2]), new Float32Array([1, NaN]));
    assertEquals((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name), [
      "model.safetensors",
    ]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("readSafetensors() and writeSafetensors() name the path that is missing or a directory", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const missing = `${folder}/none.safetensors`;
    await assertRejects(
      () => readSafetensors(missing),
      CheckpointError,
      `"${missing}": there is no such file`,
    );
    await assertRejects(() => readSafetensors(folder), CheckpointError, `"${folder}": it is a folder`);
    await assertRejects(
      () => writeSafetensors(folder, new Map()),
      CheckpointError,
      `"${folder}": it is a folder`,
    );
    const deep = `${folder}/none/x.safetensors`;
    await assertRejects(
      () => writeSafetensors(deep, new Map()),
      CheckpointError,
      `"${deep}": there is no such file`,
    );
    assertEquals(await Array.fromAsync(Deno.readDir(folder)), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("openSafetensors() gives what readSafetensors() gives, for any tensors, and refuses the same files by the same sentences", async () => {
  const folder = await Deno.makeTempDir(), path = `${folder}/model.safetensors`;
  const outcome = async (read: (path: string) => Promise<Checkpoint>) => {
    try {
      const { name, metadata, tensors } = await read(path);
      const all = [...tensors].map(([tensor, { shape, dtype, data }]) => ({ tensor, shape, dtype, data }));
      return { name, metadata, all };
    } catch (error) {
      assert(error instanceof CheckpointError);
      return error.message;
    }
  };
  const agree = async (bytes: Uint8Array) => {
    await Deno.writeFile(path, bytes);
    const [read, opened] = [await outcome(readSafetensors), await outcome(openSafetensors)];
    assertEquals(opened, read);
    return read;
  };
  try {
    await fc.assert(
      fc.asyncProperty(anyTensors, async (tensors) => {
        assert(typeof await agree(encodeSafetensors(tensors)) === "object");
      }),
      { numRuns: 30 },
    );
    const whole = encodeSafetensors(new Map([["w", { shape: [3], data: Float32Array.of(1, NaN, -0) }]]));
    for (let length = 0; length < whole.length; length++) {
      assert(typeof await agree(whole.subarray(0, length)) === "string", String(length));
    }
    for (
      const text of [
        "{}",
        "version https://git-lfs.github.com/spec/v1",
        "PK\x03\x04",
        "<html><body>no</body></html>",
      ]
    ) {
      assert(typeof await agree(new TextEncoder().encode(text.padEnd(200))) === "string", text);
    }
    await Deno.remove(path);
    assertEquals(await outcome(openSafetensors), await outcome(readSafetensors));
    await Deno.mkdir(path);
    assertEquals(await outcome(openSafetensors), await outcome(readSafetensors));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("openSafetensors() keeps no elements, closes the file, and names one that is cut short afterwards", async () => {
  const folder = await Deno.makeTempDir(), path = `${folder}/model.safetensors`;
  try {
    const data = Float32Array.from({ length: 100 }, (_, i) => i);
    await writeSafetensors(path, new Map([["a", { shape: [100], data }], ["b", { shape: [100], data }]]));
    const { tensors } = await openSafetensors(path);
    const first = tensors.get("b")!.data;
    assertEquals(first, data);
    first.fill(0);
    assertEquals(tensors.get("b")!.data, data);
    await Deno.truncate(path, (await Deno.stat(path)).size - 8);
    assertEquals(tensors.get("a")!.data, data);
    assertThrows(
      () => tensors.get("b")!.data,
      CheckpointError,
      `Cannot read checkpoint "${path}": it now ends after`,
    );
    await Deno.remove(path);
    assertThrows(() => tensors.get("a")!.data, CheckpointError, `Cannot read checkpoint "${path}": `);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

test("readSafetensors() reads the checkpoints that Hugging Face's transformers wrote", async () => {
  const folder = fixture("hf");
  for await (const { name } of Deno.readDir(folder)) {
    const { metadata, tensors } = await readSafetensors(`${folder}/${name}/model.safetensors`);
    assertEquals(metadata, { format: "pt" });
    assert(tensors.size > 10);
    for (const { shape, data } of tensors.values()) {
      assertStrictEquals(data.length, shape.reduce((product, size) => product * size, 1));
      assert(
        data.every(Number.isFinite) && (data.length < 64 || data.some((value) => value !== data[0])),
        name,
      );
    }
    await readSafetensors(`${folder}/${name}/reference_arrays.safetensors`);
  }
});
