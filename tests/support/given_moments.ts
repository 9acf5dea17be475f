/** @file Input moments that a test gives. */
import type { Gpu } from "../../gpu/gpu.ts";
import type { TargetModule } from "../../models/model.ts";
import type { Setup } from "../../optimizers/optimizer.ts";
import { identity, type Matrix, toFloat32 } from "../reference/matrix.ts";

/** `Setup.inputMoments` that gives each target module what is given for it; where nothing is, those of white inputs. */
export function givenMoments(
  gpu: Gpu,
  targetModules: readonly TargetModule[],
  given: readonly Matrix[] = targetModules.map((targetModule) => identity(targetModule.in)),
): Setup["inputMoments"] {
  return async function* () {
    for (const [i, targetModule] of targetModules.entries()) {
      using _ = gpu.scope("given moments");
      const { rows, columns } = given[i]!;
      const moments = gpu.upload(
        toFloat32(given[i]!),
        "f32",
        [rows, columns],
        `${targetModule.name} moments`,
      );
      await gpu.flush();
      yield { targetModule, moments };
    }
  };
}
