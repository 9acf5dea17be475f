/** @file The task of data of the user's that a config is about: whatever else it needs to know stands in the config. */
import { plainPath } from "../../files/hub_place.ts";
import type { DataLayout } from "../../tasks/own/layout.ts";
import { ownTask } from "../../tasks/own/task.ts";
import type { Task } from "../../tasks/task.ts";

/** The task of stored data of the user's. */
export function ownTaskOf(
  { id, data, layout }: {
    readonly id: string;
    readonly data?: string | undefined;
    readonly layout: DataLayout;
  },
): Task {
  const title = plainPath(data ?? "").split("/").filter((part) => part !== "").at(-1) ?? id;
  return ownTask({ id, title, layout });
}
