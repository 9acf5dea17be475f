/** @file The thread of `live_report.ts`: builds the report of the output folder that it is named after, once. */
import { shipped } from "../../training/shipped.ts";
import { makeReport } from "../report/write.ts";
import type { Built } from "./live_report.ts";

/** What a worker has that a window, against whose types this is checked, has not. */
interface WorkerScope {
  readonly name: string;
  postMessage(message: Built): void;
}

const scope = globalThis as unknown as WorkerScope;
try {
  scope.postMessage({ files: (await makeReport(scope.name, shipped)).files });
} catch (error) {
  scope.postMessage({ error: error instanceof Error ? error.message : String(error) });
}
