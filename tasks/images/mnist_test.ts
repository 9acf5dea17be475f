import { assert, assertEquals, assertStrictEquals } from "@std/assert";
import { type Digit, loadDigits } from "./mnist.ts";

Deno.test("loadDigits() puts each of the 10,000 digits into one pool", async () => {
  const { pretraining, fineTuning } = await loadDigits();
  const pools = [pretraining, fineTuning].flatMap(({ train, validation, test }) => [train, validation, test]);
  assertEquals(pools.map((pool) => pool.length), [4500, 250, 250, 3500, 500, 1000]);
  const all = pools.flat();
  assertEquals(new Set(all.map(({ index }) => index)).size, 10000);
  assertEquals(new Set(all.map(({ ink }) => ink.join())).size, 10000);
});

Deno.test("loadDigits() balances the classes of every pool's beginning", async () => {
  const { pretraining, fineTuning } = await loadDigits();
  const counts = (digits: readonly Digit[]) => {
    const count = Array<number>(10).fill(0);
    for (const { label } of digits) count[label]! += 1;
    return count;
  };
  assertEquals(counts(fineTuning.test), Array(10).fill(100));
  assertEquals(counts(fineTuning.validation), Array(10).fill(50));
  assertEquals(counts(fineTuning.train.slice(0, 1000)), Array(10).fill(100));
  assertEquals(counts(pretraining.train), Array(10).fill(450));
});

Deno.test("loadDigits() reads ink that differs between classes as digits do", async () => {
  const { train } = (await loadDigits()).pretraining;
  const middle = (label: number) => {
    const some = train.filter((digit) => digit.label === label).slice(0, 50);
    return some.reduce((sum, { ink }) => sum + ink[14 * 28 + 14]! / some.length, 0);
  };
  // A zero is hollow and a one is not.
  assert(middle(0) < 40 && middle(1) > 150, `middles are ${middle(0)} and ${middle(1)}`);
});

Deno.test("loadDigits() reads the files once", async () => {
  assertStrictEquals(await loadDigits(), await loadDigits());
});
