import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import {
  type CheckpointKey,
  decodeCheckpoint,
  encodeCheckpoint,
  type SavedState,
} from "./checkpoint_file.ts";
import { Checkpoints, removeCheckpoints } from "./checkpoints.ts";
import { codeFingerprint } from "./code.ts";
import { fromExactJson, toExactJson } from "./exact_json.ts";
import { FILES, testNeeding } from "../../tests/support/test_needing.ts";

const test = testNeeding(FILES);

const key: CheckpointKey = {
  run: "0123456789abcdef",
  code: "c0de",
  deno: "2.9.6",
  adapter: "llvmpipe (vulkan)",
  tuning: "0",
};

function stateAt(step: number): SavedState {
  return {
    step,
    host: { loss: [0.1, NaN, -0, Infinity], answers: [Int32Array.of(1, -2)], deep: [{ é: null }] },
    buffers: [
      { place: 3, label: "factors A", words: Uint32Array.of(1, 2, 0xffffffff) },
      { place: 11, label: 'odd "name"', words: Uint32Array.of(step) },
    ],
  };
}

async function bytesOf(state: SavedState, of = key): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Blob(await encodeCheckpoint(of, state)).arrayBuffer());
}

async function inFolder(
  work: (folder: string, said: string[], open: (of?: CheckpointKey) => Checkpoints) => Promise<void>,
) {
  const folder = await Deno.makeTempDir(), said: string[] = [];
  const place = {
    folder: `${folder}/checkpoints`,
    everyMs: 0,
    say: (sentence: string) => said.push(sentence),
  };
  try {
    await work(folder, said, (of = key) => new Checkpoints(place, of));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const fits = () => null;

Deno.test("exact JSON gives every number back as it was", () => {
  fc.assert(fc.property(fc.jsonValue({ noUnicodeString: false }), (value) => {
    assertEquals(fromExactJson(toExactJson(value)), JSON.parse(JSON.stringify(value)));
  }));
  for (const value of [NaN, Infinity, -Infinity, -0, 0, 0.1, 2 ** -1074]) {
    assert(Object.is(fromExactJson(toExactJson(value)), value), `${value}`);
  }
  assertEquals(fromExactJson(toExactJson([Int32Array.of(2, -1)])), [Int32Array.of(2, -1)]);
});

Deno.test("a checkpoint gives back what was saved, as safetensors that others read", async () => {
  const state = stateAt(40), bytes = await bytesOf(state);
  assertEquals(await decodeCheckpoint(bytes, key), state);
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  assertEquals(length % 8, 0);
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  assertEquals(header["3 factors A"], { dtype: "U32", shape: [3], data_offsets: [0, 12] });
});

Deno.test("a checkpoint that is cut short or has a flipped bit is refused, wherever that is", async () => {
  const bytes = await bytesOf(stateAt(40));
  for (let end = 0; end < bytes.length; end++) {
    await assertRejects(() => decodeCheckpoint(bytes.slice(0, end), key), Error, "damaged", `${end} bytes`);
  }
  for (let bit = 0; bit < 8 * bytes.length; bit++) {
    const flipped = bytes.slice();
    flipped[bit >> 3]! ^= 1 << (bit & 7);
    await assertRejects(() => decodeCheckpoint(flipped, key), Error, "damaged", `bit ${bit}`);
  }
});

Deno.test("a checkpoint of other code, Deno, adapter, tuning or run is refused by what differs", async () => {
  const bytes = await bytesOf(stateAt(40));
  const others: [Partial<CheckpointKey>, string][] = [
    [{ code: "other" }, "code"],
    [{ deno: "2.9.7" }, "Deno 2.9.6, this is 2.9.7"],
    [{ adapter: "NVIDIA H100 (vulkan)" }, "llvmpipe (vulkan), this is NVIDIA H100 (vulkan)"],
    [{ tuning: "1" }, "./run autotune"],
    [{ run: "f".repeat(16) }, "run 0123456789abcdef"],
  ];
  for (const [change, reason] of others) {
    await assertRejects(() => decodeCheckpoint(bytes, { ...key, ...change }), Error, reason);
  }
});

test("Checkpoints keeps two; where the newest is damaged the one before it serves, where both are the run starts again", async () => {
  await inFolder(async (folder, said, open) => {
    const checkpoints = open(), path = `${folder}/checkpoints/${key.run}`;
    assertEquals(await checkpoints.load(fits), null);
    for (const step of [2, 10, 100]) await checkpoints.save(stateAt(step));
    assertEquals([...Deno.readDirSync(path)].map(({ name }) => name).sort(), [
      "10.safetensors",
      "100.safetensors",
    ]);
    assertEquals((await open().load(fits))?.step, 100);
    assertEquals(said, []);
    await Deno.truncate(`${path}/100.safetensors`, 90);
    assertEquals((await open().load(fits))?.step, 10);
    assertEquals(said, [
      `Cannot go on from ${path}/100.safetensors: it is damaged: it has no header, or ends within it; the one before it is tried`,
    ]);
    said.length = 0;
    assertEquals(await open().load(({ step }) => step === 10 ? "it does not fit" : null), null);
    assertEquals(
      said.at(-1),
      `Cannot go on from ${path}/10.safetensors: it does not fit; the run starts again`,
    );
    // What could not be used stays until another is saved.
    const again = open({ ...key, code: "other" });
    assertEquals(await again.load(fits), null);
    assertEquals([...Deno.readDirSync(path)].length, 2);
    await again.save(stateAt(3));
    assertEquals([...Deno.readDirSync(path)].map(({ name }) => name), ["3.safetensors"]);
    await removeCheckpoints(`${folder}/checkpoints`, key.run);
    await removeCheckpoints(`${folder}/checkpoints`, key.run);
    assertEquals([...Deno.readDirSync(folder)].length, 0);
  });
});

test("Checkpoints that can't be written are told of once, and the run goes on", async () => {
  await inFolder(async (folder, said, open) => {
    await Deno.writeTextFile(`${folder}/checkpoints`, "in the way");
    const checkpoints = open();
    await checkpoints.save(stateAt(1));
    await checkpoints.save(stateAt(2));
    assertEquals(said.length, 1);
    assert(/^Cannot write .*checkpoints.*the run goes on/.test(said[0]!), said[0]);
  });
});

Deno.test("codeFingerprint() is a hash that stays while the process lives", async () => {
  const found = await codeFingerprint();
  assertEquals(found.length, 64);
  assertEquals(await codeFingerprint(), found);
});
