import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../errors/user_error.ts";
import { type Cache, fetchedFolders, findFetched, withFetched } from "./fetched.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";
const [model, data] = ["/cache/models--o--m", "/cache/datasets--o--d"] as [string, string];
const cache: Cache = {
  cache: () => "/cache",
  isThere: (path) =>
    ["o/here", "/own", `${model}/snapshots/${commit}`, `${data}/snapshots/${commit}/en/a.csv`].includes(path),
  commitIn: (folder, revision) =>
    [model, data].includes(folder) && ["main", "v1", commit].includes(revision) ? commit : null,
};

Deno.test("withFetched() puts this machine's places for names of the Hub, and for places of another machine", () => {
  const at = (path: string, hub?: string) => withFetched({ model: { path, hub } }, cache).model!.path;
  const snapshot = `${model}/snapshots/${commit}`;
  for (const path of ["o/m", "o/m@v1", `o/m@${commit}`, snapshot]) assertEquals(at(path), snapshot);
  // What lies here comes first; what is no name stays, and is refused where it is opened.
  for (const path of ["o/here", "/own", "/gone", "./o/m"]) assertEquals(at(path), path);
  const elsewhere = `/home/other/.cache/huggingface/hub/models--o--m/snapshots/${commit}`;
  assertEquals(at(elsewhere, `o/m@${commit}`), snapshot);
  const whole = { seed: 3, task: { id: "t", data: "/x/en/a.csv", hub: `o/d/en/a.csv@${commit}` } };
  assertEquals(withFetched(whole, cache), {
    seed: 3,
    task: { ...whole.task, data: `${data}/snapshots/${commit}/en/a.csv` },
  });
  const adapted = { model: { id: "m", adapter: { path: "o/m@v1", fingerprint: "f" } } };
  assertEquals(withFetched<typeof adapted>(adapted, cache).model, {
    id: "m",
    adapter: { path: snapshot, fingerprint: "f" },
  });
  const shipped = { model: { id: "vit-tiny" } };
  assertEquals(withFetched<object>(shipped, cache), shipped);
});

Deno.test("withFetched() says how to get what a run took from the Hub and is not here", () => {
  const other = "f".repeat(40);
  const { message } = assertThrows(
    () => withFetched({ model: { path: "/x", hub: `o/m@${other}` } }, cache),
    UserError,
  );
  assertEquals(
    message,
    `Cannot find o/m@${other}: neither is it here, nor was it fetched from the Hub (./run fetch o/m@${other} would)`,
  );
  assertThrows(
    () => withFetched({ task: { data: "/x", hub: `o/d/fr@${commit}` } }, cache),
    UserError,
    `has no "fr" (./run fetch --data o/d@${commit} brings`,
  );
  const nowhere = { ...cache, cache: () => null };
  assertThrows(() => findFetched("o/m", "model", nowhere), UserError, "./run fetch o/m would");
});

Deno.test("fetchedFolders() finds what a sweep's file or a stored run takes of the cache, and nothing in what is neither", () => {
  const sweep = {
    tasks: [
      { task: { id: "a", data: "o/d/en/a.csv" }, model: { id: "m", path: "o/m@v1" } },
      { task: { id: "b", data: "/own" }, model: { id: "n", adapter: { path: "o/m" } } },
      { task: { id: "c" } },
    ],
  };
  assertEquals(fetchedFolders(JSON.stringify(sweep), cache), [data, model]);
  const run = { config: { task: { id: "a" }, model: { id: "m", path: "/gone", hub: `o/m@${commit}` } } };
  assertEquals(fetchedFolders(JSON.stringify(run), cache), [model]);
  for (
    const text of [
      ...["", "{", "null", "3", "[]", '"o/m"', '{"tasks":3}', '{"tasks":[null,3,[]]}', '{"config":null}'],
      ...['{"tasks":[{"task":{"data":3},"model":{"path":[],"adapter":3}}]}', '{"config":{"model":null}}'],
    ]
  ) {
    assertEquals(fetchedFolders(text, cache), [], text);
  }
});
