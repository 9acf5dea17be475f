/** @file What the commands work with. */
import type { Screen } from "./display.ts";
import type { Style } from "./terminal.ts";
import type { Progress } from "../../training/loop/progress.ts";
import type { RunDeps } from "../sweep/runner.ts";
import type { TuneProgress } from "../performance/autotune.ts";
import type { Tuning } from "../performance/tuning.ts";
import type { Pretrained, PretrainOptions } from "../../training/pretrain.ts";
import type { CheckedPromise, CheckSettings } from "../../contract/check_entries.ts";
import type { AdapterCheck } from "../../contract/adapter/kernel_tests.ts";
import type { Path } from "../../gpu/gpu.ts";
import type { CheckedAdapter } from "../../training/checked_adapter.ts";
import type { DoneRun } from "../../training/export/model_card.ts";
import type { ExportedRun, ExportRequest } from "../../training/export/export_run.ts";
import type { AdapterLook } from "../../training/export/look_at_adapter.ts";
import type { ComparedRun } from "../../training/export/open_look.ts";
import type { Fetched, FetchRequest, FetchWatching } from "../../hub/fetch.ts";
import type { HubToken } from "../../hub/look_up.ts";
import type { Cache } from "../../files/fetched.ts";
import type { Registries } from "../../training/configuration.ts";

/** What the commands work with: real ones below, made-up ones in tests. */
export interface CommandDeps {
  registries(): Promise<Registries>;
  /**
   * @param say takes a sentence for people
   * @param registries `registries()` with what files brought
   */
  runDeps(say: (sentence: string) => void, registries: Registries): Promise<RunDeps<AsyncDisposable>>;
  pretrain(
    model: string,
    registries: Registries,
    options: PretrainOptions & { readonly onProgress: (progress: Progress) => void },
  ): Promise<Pretrained>;
  /** Holds what a file brings to what it has to promise. */
  check(file: string, settings: CheckSettings): AsyncIterable<CheckedPromise>;
  /**
   * Holds this machine's adapter to what a comparison needs, and stores what is found, but where another path of kernels than
   * its own is tried.
   */
  checkAdapter(
    onCheck: (check: AdapterCheck) => void,
    path: Path | undefined,
  ): Promise<{ readonly path: string | null; readonly found: CheckedAdapter }>;
  /** Writes what a stored run trained for other programs. */
  export(run: DoneRun, registries: Registries, request: ExportRequest): Promise<ExportedRun>;
  /** Looks at an adapter beside its base model, the project's own where no folder is named. */
  look(
    folder: string,
    model: string | undefined,
    compared: ComparedRun | null,
    registries: Registries,
  ): Promise<AdapterLook>;
  /** Brings a model or a data set from the Hub. */
  fetch(request: FetchRequest, watching: FetchWatching): Promise<Fetched>;
  /** The user's token for the Hub; null where there is none. @throws {UserError} for what is no token */
  token(): Promise<HubToken | null>;
  /** The Hub's cache, for what sweeps' files and stored runs name of it; null where nothing is looked for there. */
  readonly cache: Cache | null;
  /** A variable of the environment. */
  variable(name: string): string | undefined;
  /** Measures matrix products and stores the choices. */
  autotune(
    onProgress: (progress: TuneProgress) => void,
  ): Promise<{ readonly path: string; readonly tuning: Tuning }>;
  /** Shows a sweep at work. */
  display(to: "stdout" | "stderr"): Screen;
  /** How what is printed is marked, and in how many columns. */
  readonly style: Style;
  readonly columns: number;
  /** Writes a line to stdout. */
  print(line: string): void;
  /** Writes a line to stderr. */
  complain(line: string): void;
}
