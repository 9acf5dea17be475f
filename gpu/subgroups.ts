/** @file What a text that uses subgroups begins with, and whether a device takes such texts. */

/** The first lines of such a text. */
export const SUBGROUPS_HEAD = `enable subgroups;
requires subgroup_id;
`;

/** Uses all that such texts use. */
const TRIAL = `${SUBGROUPS_HEAD}
@group(0) @binding(0) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(subgroup_id) subgroup: u32, @builtin(num_subgroups) subgroups: u32) {
  let sum = subgroupAdd(vec4(f32(subgroups)));
  let largest = subgroupMax(sum.x);
  if (subgroupElect()) {
    out[subgroup] = largest;
  }
}
`;

/** Whether the device has subgroups and its compiler takes texts with them: one without the other is known. */
export async function takesSubgroups(device: GPUDevice): Promise<boolean> {
  // Without the feature a compiler need not be asked.
  if (!device.features.has("subgroups" as GPUFeatureName)) return false;
  device.pushErrorScope("validation");
  device.createShaderModule({ label: "subgroups", code: TRIAL });
  return await device.popErrorScope() === null;
}
