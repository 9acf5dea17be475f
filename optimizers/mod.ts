/**
 * The registry: one line per method. Everything exported here takes part in sweeps and in the contract test.
 * @module
 */
export { adalora } from "./adalora/adalora.ts";
export { altlora } from "./altlora.ts";
export { biases } from "./floors/biases.ts";
export { dora } from "./dora/dora.ts";
export { full } from "./full.ts";
export { galore } from "./galore/galore.ts";
export { hira } from "./hira/hira.ts";
export { ia3 } from "./floors/ia3.ts";
export { loft } from "./loft/loft.ts";
export { lora } from "./lora.ts";
export { loraFa } from "./lora_fa.ts";
export { loraMuon } from "./lora_muon/lora_muon.ts";
export { loraGa } from "./lora_ga.ts";
export { loraGaPro } from "./lora_ga_pro.ts";
export { loraOne } from "./lora_one.ts";
export { loraPlus } from "./lora_plus.ts";
export { loraPro } from "./lora_pro/lora_pro.ts";
export { loraRite } from "./lora_rite/lora_rite.ts";
export { loraSb } from "./lora_xs/lora_sb.ts";
export { loraXs } from "./lora_xs/lora_xs.ts";
export { corda, eva, loraNull, milora, olora } from "./starts/starts.ts";
export { miss } from "./miss/miss.ts";
export { norms } from "./floors/norms.ts";
export { oft } from "./oft/oft.ts";
export { pissa } from "./pissa.ts";
export { relora } from "./relora/relora.ts";
export { randlora } from "./floors/randlora.ts";
export { rslora } from "./rslora.ts";
export { scaledAdamw } from "./scaled_adamw.ts";
export { shira } from "./shira/shira.ts";
export { vera } from "./floors/vera.ts";
