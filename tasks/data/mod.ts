/** @file The registry of data sets: which kind of task takes which, and how each is recognised. One line a set. */
export { cola, mnli, mrpc, qnli, rte, sst2 } from "./glue.ts";
export { gsm8k } from "./gsm8k.ts";
export { metaMath } from "./meta_math.ts";
export { codeFeedback } from "./code_feedback.ts";
export { humanEval } from "./human_eval.ts";
export { alpaca, wizardLm } from "./instructions.ts";
export { mtBench } from "./mt_bench_questions.ts";
export { idx } from "./idx.ts";
export { imageCsv, optdigits } from "./image_csv.ts";
export { imageFolder } from "./image_folder.ts";
export { imageParquet } from "./image_parquet.ts";
