/** @file How many workgroups a kernel takes that gives each lane one element or one vector. */
import { lineOfGroups } from "../../gpu/kernel.ts";

/** Lanes of a workgroup in kernels that take one element or vector a lane. */
const LANES = 64;

/** Workgroups for `count` lanes. */
export function groupsFor(count: number): readonly [number, number] {
  return lineOfGroups(Math.ceil(count / LANES));
}
