import { assertEquals } from "@std/assert";
import { describeStatus, jobsOf, type Note, rowsOf } from "./status.ts";

const QUEUE = [
  "12|1|RUNNING|1:05|None|n1|/o/slurm/workers.sh",
  "12|10|PENDING|0:00|BeginTime||/o/slurm/workers.sh",
  "13|N/A|PENDING|0:00|Dependency||/o/slurm/report.sh",
  "14|1|RUNNING|9:00|None|n2|/other/slurm/workers.sh",
  "15|N/A|RUNNING|9:00|None|n2|/my|file.sh",
  "",
].join("\n");

const notes = new Map<string, Note>([
  ["7_1", { worker: "n1-5", end: "done: nothing is left for it" }],
  ["12_1", { worker: "n1-99", end: null }],
  ["12_2", { worker: "n2-8", end: "stopped by TERM: its run is kept" }],
  ["12_3", { worker: "-", end: null }],
]);

Deno.test("jobsOf() joins Slurm's queue, what elements noted and what their processes are at, of this folder alone", () => {
  const jobs = jobsOf("/o", rowsOf(QUEUE), notes, new Map([["n1-99", "digits, lora r8, step 40"]]));
  assertEquals(jobs.map(({ id, state, says, log }) => [id, state, says, log.replace("/o/slurm/logs/", "")]), [
    ["12_1", "running", "on n1 for 1:05, at digits, lora r8, step 40", "12_1.log"],
    ["12_2", "ended", "stopped by TERM: its run is kept", "12_2.log"],
    ["12_3", "gone", "it said nothing at its end: killed, or its node failed", "12_3.log"],
    ["12_10", "pending", "BeginTime", "12_10.log"],
    ["13", "pending", "Dependency", "13.log"],
  ]);
  assertEquals(describeStatus({ sweep: "paper", stored: 3, total: 8, jobs }, "/o", 50), [
    "paper: 3 of 8 runs are stored",
    "  12_1       running  on n1 for 1:05, at digits, …",
    "  12_2       ended    stopped by TERM: its run is…",
    "  12_3       gone     it said nothing at its end:…",
    "  12_10      pending  BeginTime",
    "  13 report  pending  Dependency",
    "Logs: /o/slurm/logs",
  ]);
});

Deno.test("describeStatus() says so where no job is left, and none has begun", () => {
  const jobs = jobsOf("/o", rowsOf(""), new Map(), new Map());
  assertEquals(describeStatus({ sweep: "paper", stored: 0, total: 8, jobs }, "/o", 80), [
    "paper: 0 of 8 runs are stored",
    "  no job is in the queue, and none has begun",
  ]);
});
