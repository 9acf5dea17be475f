import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { UserError } from "../errors/user_error.ts";
import type { HubKind } from "../files/hub_place.ts";
import { namesIn } from "../files/write_file.ts";
import { inFolder } from "../tests/support/in_folder.ts";
import {
  COMMIT,
  type MockHub,
  type MockRepository,
  startMockHub,
  TOKEN,
} from "../tests/support/fakes/hub.ts";
import { FILES, testNeeding } from "../tests/support/test_needing.ts";
import { type FetchProgress, fetchRepository } from "./fetch.ts";

const test = testNeeding({ ...FILES, net: ["127.0.0.1"] });

const weights = Uint8Array.from({ length: 300_000 }, (_, i) => i % 251);
const files = { "config.json": '{"model_type":"llama"}', "README.md": "# m", "model.safetensors": weights };

/** Fetches from a mock into a cache, as the command does. */
async function fetchFrom(
  { endpoint }: Pick<MockHub, "endpoint">,
  cache: string,
  { kind = "model", repository = "o/m", revision = null, only = [], token = null, isOffline = false }: {
    kind?: HubKind;
    repository?: string;
    revision?: string | null;
    only?: string[];
    token?: string | null;
    isOffline?: boolean;
  } = {},
) {
  const said: string[] = [], progress: FetchProgress[] = [];
  const fetched = await fetchRepository(
    {
      kind,
      repository,
      revision,
      only,
      cache,
      hub: { endpoint, token: token === null ? null : { text: token, place: "HF_TOKEN" } },
      isOffline,
    },
    {
      say: (sentence) => said.push(sentence),
      onProgress: (one) => progress.push(one),
      patienceMs: 200,
      pauseMs: 1,
    },
  );
  return { ...fetched, said, progress };
}

/** Paths of all files below a folder, sorted. */
async function all(folder: string, prefix = ""): Promise<string[]> {
  const found: string[] = [];
  for (const name of await namesIn(`${folder}/${prefix}`)) {
    const { isDirectory } = await Deno.stat(`${folder}/${prefix}${name}`);
    found.push(...isDirectory ? await all(folder, `${prefix}${name}/`) : [`${prefix}${name}`]);
  }
  return found;
}

async function refusalOf(
  repository: MockRepository | null,
  asked: Parameters<typeof fetchFrom>[2] = {},
  trouble?: Parameters<typeof startMockHub>[1],
): Promise<string> {
  return await inFolder(async (cache) => {
    await using hub = startMockHub(repository ? { "models/o/m": repository } : {}, trouble);
    const { message } = await assertRejects(() => fetchFrom(hub, cache, asked), UserError);
    assertEquals((await all(cache)).filter((path) => path.includes("snapshots")), [], "a part of a commit");
    return message.replaceAll(hub.endpoint, "HUB");
  });
}

test("fetchRepository() lays a model out as Python's cache does, and fetches nothing twice", async () => {
  await inFolder(async (cache) => {
    await using hub = startMockHub({
      "models/o/m": { files, revisions: { v1: COMMIT, "refs/pr/1": COMMIT } },
    });
    const first = await fetchFrom(hub, `${cache}/deep/hub`, { token: TOKEN });
    const { folder, commit, received, progress } = first, root = `${cache}/deep/hub/models--o--m`;
    assertEquals([folder, commit, first.files], [
      `${root}/snapshots/${COMMIT}`,
      COMMIT,
      ["config.json", "model.safetensors"],
    ]);
    assertEquals(await Deno.readFile(`${folder}/model.safetensors`), weights);
    const size = weights.length + files["config.json"].length;
    assertEquals([received, progress.at(-1)], [size, {
      path: "model.safetensors",
      bytes: size,
      total: size,
    }]);
    const [git, sha256] = (await namesIn(`${root}/blobs`)).toSorted((a, b) => a.length - b.length);
    assertEquals([git!.length, sha256!.length], [40, 64]);
    assertEquals(await Deno.readTextFile(`${root}/blobs/${git}`), files["config.json"]);
    // One file on the disk under both names.
    const inodes = [`${root}/blobs/${sha256}`, `${folder}/model.safetensors`].map((path) =>
      Deno.statSync(path).ino
    );
    assertEquals(inodes[0], inodes[1]);
    assertEquals(await Deno.readTextFile(`${root}/refs/main`), COMMIT);
    // The token went to the Hub alone.
    assert(hub.log.some((line) => line.startsWith("cdn")));
    for (const line of hub.log) assertEquals(line.endsWith("token"), !line.startsWith("cdn"), line);

    const before = hub.log.length;
    assertEquals((await fetchFrom(hub, `${cache}/deep/hub`, { revision: "v1" })).received, 0);
    assertEquals((await fetchFrom(hub, `${cache}/deep/hub`, { revision: "refs/pr/1" })).received, 0);
    assertEquals((await fetchFrom(hub, `${cache}/deep/hub`, { revision: COMMIT })).received, 0);
    assert(hub.log.slice(before).every((line) => !line.includes("resolve")), "asked for files again");
    assertEquals(await all(root, "refs/"), ["refs/main", "refs/refs/pr/1", "refs/v1"]);
    // What is not what it is called is fetched anew.
    await Deno.writeTextFile(`${root}/blobs/${git}`, "x".repeat(files["config.json"].length));
    assertEquals((await fetchFrom(hub, `${cache}/deep/hub`)).received, files["config.json"].length);
    assertEquals(await Deno.readTextFile(`${folder}/config.json`), files["config.json"]);
    assertEquals((await all(root)).filter((path) => path.endsWith(".part")), []);
  });
});

test("fetchRepository() goes on where a connection ended, in the same command and in a later one", async () => {
  await inFolder(async (cache) => {
    // Half of it, then a tenth a time, then nothing.
    const cuts = [150_000, 30_000, 30_000, 0, 0, 0, 0, 0];
    await using hub = startMockHub(
      { "models/o/m": { files } },
      (path, nth) => path === "model.safetensors" && nth <= 8 ? { cutAfter: cuts[nth - 1]! } : undefined,
    );
    const { message } = await assertRejects(() => fetchFrom(hub, cache), UserError);
    assertStringIncludes(message, "Cannot fetch model.safetensors of o/m: 210000 of its 300000 bytes came");
    assertStringIncludes(message, "the same command goes on from there");
    assertEquals(await all(cache).then((paths) => paths.some((path) => path.includes("refs"))), false);
    const { folder, received } = await fetchFrom(hub, cache);
    assertEquals(received, 90_000);
    assertEquals(await Deno.readFile(`${folder}/model.safetensors`), weights);
    const ranges = hub.log.filter((line) => line.startsWith("cdn")).map((line) => line.split(" ")[3]);
    const at = (byte: number) => `bytes=${byte}-`;
    assertEquals(ranges, ["-", at(150_000), at(180_000), ...new Array(6).fill(at(210_000))]);
  });
});

test("fetchRepository() takes all of a file from a server without ranges, and gives up one that hangs", async () => {
  await inFolder(async (cache) => {
    await using hub = startMockHub({ "models/o/m": { files } }, (path, nth) => {
      if (path !== "model.safetensors") return undefined;
      return nth === 1 ? { cutAfter: 1000 } : nth === 2 ? { hangs: true, isWhole: true } : { isWhole: true };
    });
    const { folder } = await fetchFrom(hub, cache);
    assertEquals(await Deno.readFile(`${folder}/model.safetensors`), weights);
  });
});

test("fetchRepository() keeps nothing of a file with another hash", async () => {
  await inFolder(async (cache) => {
    await using hub = startMockHub({ "models/o/m": { files } }, (path, nth) => ({
      isWrong: nth === 1 && path === "model.safetensors",
    }));
    const { message } = await assertRejects(() => fetchFrom(hub, cache), UserError);
    assertEquals(
      message,
      "Cannot fetch model.safetensors of o/m: its bytes are not those that the Hub lists, nothing of them is kept",
    );
    assertEquals((await namesIn(`${cache}/models--o--m/blobs`)).length, 1);
    // Zeros that a disk left of an earlier attempt are no part of it.
    const { folder } = await fetchFrom(hub, cache);
    const hash = (await namesIn(`${cache}/models--o--m/blobs`)).find((name) => name.length === 64)!;
    await Deno.remove(`${folder}/model.safetensors`);
    await Deno.rename(
      `${cache}/models--o--m/blobs/${hash}`,
      `${cache}/models--o--m/blobs/${hash}.part`,
    );
    await Deno.writeFile(`${cache}/models--o--m/blobs/${hash}.part`, new Uint8Array(200_000));
    await fetchFrom(hub, cache);
    assertEquals(await Deno.readFile(`${folder}/model.safetensors`), weights);
    assertEquals(await all(cache).then((paths) => paths.filter((path) => path.endsWith(".part"))), []);
  });
});

test("Two that fetch the same at once take each byte once", async () => {
  await inFolder(async (cache) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    await using hub = startMockHub({ "models/o/m": { files } }, (path) => ({
      ...(path === "model.safetensors" && { before: promise }),
    }));
    const first = fetchFrom(hub, cache);
    while (!hub.log.some((line) => line.startsWith("cdn"))) await new Promise((done) => setTimeout(done, 5));
    const second = fetchFrom(hub, cache);
    // The listing and the small file come to the second one too.
    while (hub.log.length < 9) await new Promise((done) => setTimeout(done, 5));
    resolve();
    const both = await Promise.all([first, second]);
    assertEquals(both.map(({ received }) => received).sort((a, b) => a - b)[0], 0);
    assertEquals(both.flatMap(({ said }) => said).length <= 1, true);
    assertEquals(hub.log.filter((line) => line.startsWith("cdn")).length, 1);
    assertEquals(await Deno.readFile(`${both[1].folder}/model.safetensors`), weights);
    assertEquals(await all(cache).then((paths) => paths.filter((path) => path.endsWith(".part"))), []);
  });
});

test("fetchRepository() says what is missing, closed, gated or unsound in one sentence", async () => {
  assertEquals(
    await refusalOf(null),
    "Cannot fetch o/m: HUB has no model of that name, or it is private and HF_TOKEN is not set; data sets are fetched by --data o/m",
  );
  assertEquals(
    await refusalOf({ files, isPrivate: true }, { token: "hf_wrong" }),
    "Cannot fetch o/m: HUB has no model of that name, or it is private and the token in HF_TOKEN does not open it; data sets are fetched by --data o/m",
  );
  assertEquals(
    await refusalOf({ files, isGated: true }, { token: "hf_wrong" }),
    "Cannot fetch o/m: it is gated: accept its terms at HUB/o/m, and the token in HF_TOKEN must belong to somebody who did",
  );
  assertEquals(await refusalOf({ files }, { revision: "v9" }), 'Cannot fetch o/m: it has no revision "v9"');
  assertEquals(
    await refusalOf({ files, isGated: true }),
    "Cannot fetch o/m: it is gated: accept its terms at HUB/o/m, and set HF_TOKEN to a token of yours",
  );
  assertEquals(
    await refusalOf({ files: { "config.json": "{}", "pytorch_model.bin": "x" } }),
    "Cannot fetch o/m: its weights are in pytorch_model.bin, and only safetensors are read; many repositories have them in a revision of their own, as in ./run fetch o/m@refs/pr/1",
  );
  assertEquals(
    await refusalOf({ files: { "README.md": "#" } }),
    "Cannot fetch o/m: it has neither model.safetensors nor model.safetensors.index.json; it has README.md",
  );
  assertEquals(
    await refusalOf({ files: { "../../x": "#", ...files } }),
    'Cannot fetch o/m: what HUB lists has an unsound entry, "../../x"',
  );
  assertEquals(
    await refusalOf({ files: { "config.json": "{}", "model.safetensors.index.json": "[]" } }),
    "Cannot fetch o/m: its model.safetensors.index.json does not name a file for each tensor",
  );
  assertEquals(
    await refusalOf({
      files: { "model.safetensors.index.json": '{"weight_map":{"a":"model-00001-of-00001.safetensors"}}' },
    }),
    'Cannot fetch o/m: its model.safetensors.index.json names "model-00001-of-00001.safetensors", which is not there',
  );
  assertEquals(
    await refusalOf({ files }, {}, () => ({ status: 429 })),
    "Cannot fetch o/m: HUB has too many questions of yours just now, try again later",
  );
});

test("fetchRepository() takes the shards that an index names, adapters, and OpenCLIP's files", async () => {
  await inFolder(async (cache) => {
    const shard = (n: number) => `model-0000${n}-of-00002.safetensors`;
    const index = JSON.stringify({ weight_map: { a: shard(1), b: shard(2), c: shard(1) } });
    const shards = {
      [shard(1)]: weights,
      [shard(2)]: weights.slice(1),
      "other.safetensors": weights.slice(2),
    };
    await using hub = startMockHub({
      "models/o/shards": { files: { "config.json": "{}", "model.safetensors.index.json": index, ...shards } },
      "models/o/adapter": { files: { "adapter_config.json": "{}", "adapter_model.safetensors": weights } },
      "models/o/clip": {
        files: { "open_clip_config.json": "{}", "open_clip_model.safetensors": weights, "a.bin": "x" },
      },
    });
    const of = async (repository: string) => (await fetchFrom(hub, cache, { repository })).files;
    assertEquals(await of("o/shards"), [
      "config.json",
      shard(1),
      shard(2),
      "model.safetensors.index.json",
    ]);
    assertEquals(await of("o/adapter"), ["adapter_config.json", "adapter_model.safetensors"]);
    assertEquals(await of("o/clip"), ["open_clip_config.json", "open_clip_model.safetensors"]);
  });
});

test("fetchRepository() takes a data set's rows and images, all or those of a pattern", async () => {
  await inFolder(async (cache) => {
    const data = {
      "sst2/train-00000-of-00001.parquet": "PAR1",
      "mnli/a.csv": "a,b\n",
      "x/0.png": "png",
      "dataset_infos.json": "{}",
      "make.py": "print()",
    };
    await using hub = startMockHub({ "datasets/o/d": { files: data } });
    const asked = { kind: "data set" as const, repository: "o/d" };
    const { files, folder } = await fetchFrom(hub, cache, { ...asked, only: ["sst2/*", "mnli/*"] });
    assertEquals(files, ["mnli/a.csv", "sst2/train-00000-of-00001.parquet"]);
    assertEquals(folder, `${cache}/datasets--o--d/snapshots/${COMMIT}`);
    assertEquals((await fetchFrom(hub, cache, asked)).files, [
      "mnli/a.csv",
      "sst2/train-00000-of-00001.parquet",
      "x/0.png",
    ]);
    const { message } = await assertRejects(
      () => fetchFrom(hub, cache, { ...asked, only: ["sst3/*"] }),
      UserError,
    );
    assertStringIncludes(message, 'none of its 5 files is like "sst3/*"; it has sst2/train');
  });
});

test("fetchRepository() without an answer takes what the cache has, and says so", async () => {
  await inFolder(async (cache) => {
    const hub = startMockHub({ "models/o/m": { files } });
    const { folder } = await fetchFrom(hub, cache);
    await hub[Symbol.asyncDispose]();
    for (const revision of [null, COMMIT]) {
      const again = await fetchFrom(hub, cache, { revision });
      assertEquals([again.folder, again.commit, again.received], [folder, COMMIT, 0]);
      assertStringIncludes(again.offline!, `Cannot fetch o/m: ${hub.endpoint} does not answer`);
    }
    const { message } = await assertRejects(() => fetchFrom(hub, cache, { revision: "v1" }), UserError);
    assertStringIncludes(message, "does not answer");
    await using broken = startMockHub({ "models/o/m": { files } }, () => ({ status: 503 }));
    await assertRejects(() => fetchFrom(broken, `${cache}/other`), UserError, "(status 503)");
  });
});

test("fetchRepository() does not ask where it is told so: the cache stands, or there is nothing", async () => {
  await inFolder(async (cache) => {
    await using hub = startMockHub({ "models/o/m": { files } });
    const first = await fetchFrom(hub, cache), before = hub.log.length;
    const again = await fetchFrom(hub, cache, { isOffline: true });
    assertEquals([again.commit, again.offline], [first.commit, "Cannot ask for o/m: HF_HUB_OFFLINE is set"]);
    const nothing = () => fetchFrom(hub, `${cache}/other`, { isOffline: true });
    assertStringIncludes((await assertRejects(nothing, UserError)).message, "HF_HUB_OFFLINE is set");
    assertEquals(hub.log.length, before);
  });
});

test("fetchRepository() changes no file that others have where the cache is in the way", async () => {
  await inFolder(async (cache) => {
    await using hub = startMockHub({ "models/o/m": { files } });
    await Deno.writeTextFile(`${cache}/models--o--m`, "a file");
    const { message } = await assertRejects(() => fetchFrom(hub, cache), UserError);
    assertStringIncludes(
      message,
      `Cannot write to the output folder "${cache}/models--o--m/blobs": a part of its path`,
    );
    assertEquals(await Deno.readTextFile(`${cache}/models--o--m`), "a file");
  });
});
