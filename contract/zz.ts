import { openGpu } from "../gpu/mod.ts";
import { shipped } from "../training/shipped.ts";
import { checkAdapter } from "./adapter/check_adapter.ts";
await using gpu = await openGpu();
console.log(gpu.info.adapter, gpu.info.software);
for await (const c of checkAdapter(gpu, shipped)) {
  console.log(Math.round(performance.now()), c.error === null ? "ok" : "FAIL", c.name, c.error ?? "");
}
