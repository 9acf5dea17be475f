/** @file The site's page: takes what is asked for, and shows what the worker tells. */
const $ = (id) => document.getElementById(id);
const form = $("comparison");
/** Milliseconds that the service worker may take before the page goes on without it. */
const PATIENCE = 20_000;
/** Colours of lines, by the order in which methods come: those of a report's charts (Okabe and Ito). */
const COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
/** Milliseconds after the last change of the form before the worker is asked what it would take. */
const PAUSE = 300;

let ready = null;
let linked = null;
let isBusy = false;
let waiting = 0;
let done = null;
/** Lines of this comparison: one for each run. */
let runs = [];

$("adapter").hidden = false;
$("adapter").textContent = "Looking for a GPU…";

/** Whether reports can be shown: a service worker hands them out, and keeps the site for when there is no network. */
const isServed = (async () => {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return false;
  const isIn = new Promise((resolve) =>
    serviceWorker.addEventListener("controllerchange", resolve, { once: true })
  );
  await serviceWorker.register("service_worker.js");
  const late = new Promise((resolve) => setTimeout(resolve, PATIENCE));
  if (!serviceWorker.controller) await Promise.race([isIn, late]);
  return serviceWorker.controller !== null;
})().catch(() => false);
// What the worker loads is kept only if the service worker is there before it.
await isServed;
const worker = new Worker("worker.js", { type: "module" });

const tell = {
  ready(found) {
    ready = found;
    const { adapter, lack, browser, commit } = found;
    $("made").textContent = `Commit ${commit.slice(0, 12)}, ${browser}.`;
    showBegun(found.begun);
    if (lack !== null) {
      $("adapter").textContent = "Nothing can be trained here";
      showProblem(lack);
      return;
    }
    $("adapter").textContent = `${adapter.name}${
      adapter.isSoftware ? ", which is the processor: everything works and takes long" : ""
    }; tensors up to ${megabytes(adapter.mostBufferBytes)}${adapter.hasHalf ? ", 16-bit floats" : ""}`;
    fillForm();
    readAddress();
  },
  outlook({ name, command, question, takes, runs, stored, peakBytes }) {
    const parts = [];
    if (runs > 0) parts.push(`${runs} runs, ${stored} of them made already`);
    else if (stored > 0) parts.push(`${stored} runs are made already`);
    if (peakBytes > 0) parts.push(`at most ${megabytes(peakBytes)} on the GPU`);
    const [first = "", ...rest] = parts.join(", ");
    const line = [first.toUpperCase() + rest.join(""), ...takes].filter((part) => part !== "").join(". ");
    if (linked !== null) {
      $("linked-question").textContent = question;
      $("linked-outlook").textContent = line;
    } else {
      $("outlook").replaceChildren(line ? `${line}. ` : "");
      if (command) $("outlook").append("The same on the command line: ", code(command));
    }
    $("start").disabled = $("linked-start").disabled = isBusy;
    $("outlook").dataset.name = name;
  },
  refused({ sentence }) {
    $(linked === null ? "outlook" : "linked-outlook").textContent = sentence;
    $("start").disabled = $("linked-start").disabled = true;
  },
  begun({ name }) {
    done = { name };
  },
  stage({ what }) {
    $("stage").textContent = what;
  },
  count({ done, total }) {
    $("share").max = Math.max(1, total);
    $("share").value = done;
    $("counts").textContent = `${done} of ${total} runs`;
  },
  run({ id, name, method, seed, steps }) {
    $("stage").textContent = name;
    runs.push({ id, method, seed, steps, train: [], discrepancy: [] });
    draw();
  },
  progress({ phase, step, toGo, trainLoss, discrepancy }) {
    const now = runs.at(-1);
    if (!now) return;
    now.train.push(...trainLoss);
    now.discrepancy.push(...discrepancy);
    const words = phase === "training" ? `step ${step} of ${now.steps}` : phase;
    $("counts").textContent = `${$("share").value} of ${$("share").max} runs, ${words}${
      toGo === null ? "" : `, about ${duration(toGo)} to go`
    }`;
    draw();
  },
  finished() {},
  said({ sentence }) {
    $("said").append(item(sentence));
  },
  done({ name, answer, caveats, page, more }) {
    setBusy(false);
    $("work-title").textContent = page === null ? "Stopped: it goes on where it was" : "What was watched";
    $("stage").textContent = "";
    if (page === null) return;
    // Of what was made before, nothing was watched.
    $("work").hidden = runs.length === 0;
    $("share").value = $("share").max;
    $("counts").textContent = "";
    done = { name };
    $("sentences").replaceChildren(...answer.map((sentence) => {
      const line = document.createElement("p");
      line.textContent = sentence;
      return line;
    }));
    $("caveats").replaceChildren(...caveats.slice(0, 4).map(item));
    showReport(page);
    $("more").hidden = more === null;
    if (more) {
      $("more").textContent = `Go on, for ${more.minutes} ${
        more.minutes === 1 ? "minute" : "minutes"
      } in all`;
    }
    $("more").onclick = () => start(more.comparison);
    $("answer").hidden = false;
    $("answer").scrollIntoView({ block: "nearest" });
  },
  failed({ sentence }) {
    setBusy(false);
    showProblem(sentence);
  },
  file({ name, blob }) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${name}.zip`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  },
  begunList: ({ begun }) => showBegun(begun),
};

worker.addEventListener("message", ({ data }) => tell[data.type](data));
worker.addEventListener("error", (event) => {
  event.preventDefault();
  showProblem(
    `The program did not start: reload this page, or open it in a newer browser (${
      event.message ?? "it did not load"
    }).`,
  );
  $("adapter").textContent = "Not ready";
});

/** A report is a page of its own, which the service worker takes from the private files. */
async function showReport(page) {
  $("report").hidden = !(await isServed);
  $("report").href = page;
}

function fillForm() {
  form.elements.task.replaceChildren(
    ...ready.tasks.map(({ id, title }) => new Option(title, id, id === "digits", id === "digits")),
  );
  $("methods").replaceChildren(...ready.methods.map(({ id, title }) => {
    const label = document.createElement("label"), box = document.createElement("input");
    Object.assign(box, { type: "checkbox", name: "method", value: id });
    box.checked = id === "lora" || id === "lora-pro";
    label.append(box, ` ${title}`);
    return label;
  }));
}

/** What the form asks for; null where it is not whole. */
function asked() {
  const fields = new FormData(form), methods = fields.getAll("method");
  if (!form.checkValidity() || methods.length < 2) return null;
  const steps = fields.get("steps");
  const common = {
    ...{ tasks: [fields.get("task")], methods, rank: Number(fields.get("rank")) },
    ...(steps && { steps: Number(steps) }),
  };
  if (fields.get("kind") === "settle") {
    const within = Number(fields.get("within")), budget = `${fields.get("minutes")}m`;
    const atLeast = fields.get("at-least"), against = fields.get("against");
    return {
      kind: "settle",
      ...common,
      within,
      budget,
      against,
      ...(atLeast && { atLeast: Number(atLeast) }),
    };
  }
  return { kind: "bench", ...common, seeds: Number(fields.get("seeds")) };
}

/** The methods that are chosen, of which one is what the others are compared with. */
function offerAgainst(wished = form.elements.against.value) {
  const methods = new FormData(form).getAll("method");
  const chosen = [wished, "lora", methods[0]].find((id) => methods.includes(id));
  form.elements.against.replaceChildren(
    ...methods.map((id) => new Option(titleOf(id), id, id === chosen, id === chosen)),
  );
}

function titleOf(method) {
  return ready.methods.find(({ id }) => id === method)?.title ?? method;
}

function look() {
  offerAgainst();
  const kind = new FormData(form).get("kind");
  for (const field of form.querySelectorAll("[data-for]")) {
    // What is not asked for is not held to its range either.
    field.hidden = field.control.disabled = field.dataset.for !== kind;
  }
  clearTimeout(waiting);
  const comparison = linked ?? asked();
  if (comparison === null) return tell.refused({ sentence: "Two methods are needed, and numbers in range." });
  waiting = setTimeout(() => worker.postMessage({ type: "look", comparison }), PAUSE);
}

function start(comparison) {
  if (isBusy || comparison === null) return;
  runs = [];
  $("problem").hidden = $("answer").hidden = true;
  $("said").replaceChildren();
  $("work").hidden = false;
  $("work-title").textContent = "At work";
  setBusy(true);
  worker.postMessage({ type: "start", comparison });
}

function setBusy(busy) {
  isBusy = busy;
  $("start").disabled = $("linked-start").disabled = busy;
  $("stop").hidden = !busy;
  $("stop").disabled = false;
  for (const button of $("begun-list").querySelectorAll("button")) button.disabled = busy;
}

form.addEventListener("input", look);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  start(asked());
});
$("linked-start").addEventListener("click", () => start(linked));
$("stop").addEventListener("click", () => {
  $("stop").disabled = true;
  $("stage").textContent = "Stopping once the run is kept";
  worker.postMessage({ type: "stop" });
});
$("download").addEventListener("click", () => worker.postMessage({ type: "download", name: done.name }));
addEventListener("hashchange", readAddress);

/** What the address asks for: the runs of a report's link, or a filled form. */
function readAddress() {
  if (ready === null || ready.lack !== null) return;
  const fields = new URLSearchParams(location.hash.slice(1));
  const kind = ["question", "runs"].find((name) => fields.has(name));
  linked = kind ? { kind, [kind]: fields.get(kind) } : null;
  form.hidden = linked !== null;
  $("linked").hidden = linked === null;
  for (const name of ["task", "rank", "seeds", "steps", "within", "minutes", "at-least"]) {
    if (fields.has(name)) form.elements[name].value = fields.get(name);
  }
  const methods = fields.get("methods")?.split(",");
  if (methods) { for (const box of form.elements.method) box.checked = methods.includes(box.value); }
  offerAgainst(fields.get("against") ?? undefined);
  if (fields.has("kind")) form.elements.kind.value = fields.get("kind");
  look();
}

function showBegun(begun) {
  $("begun").hidden = begun.length === 0;
  $("begun-list").replaceChildren(...begun.map(({ name, comparison, title, stored, isDone }) => {
    const line = document.createElement("li"), words = document.createElement("span");
    words.textContent = `${title}${title.endsWith("?") ? "" : ":"} ${stored} runs${
      isDone ? "" : ", not finished"
    }`;
    const on = button(isDone ? "Show" : "Go on", () => start(comparison));
    const save = button("Download", () => worker.postMessage({ type: "download", name }));
    const drop = button("Forget", () => worker.postMessage({ type: "forget", name }));
    line.append(words, on, save, drop);
    return line;
  }));
  setBusy(isBusy);
}

/** Lines of all runs, the newest on top. */
function draw() {
  drawLines($("losses"), runs.map(({ train }) => train.map(([step, value]) => [step, value])), []);
  drawLines(
    $("discrepancies"),
    runs.map(({ discrepancy }) => discrepancy.map(([step, error]) => [step, error])),
    runs.map(({ discrepancy }) =>
      discrepancy.flatMap(([step, , bound]) => bound === null ? [] : [[step, bound]])
    ),
  );
  // Of a question's runs nobody measures it.
  $("discrepancies").closest("figure").hidden = runs.every(({ discrepancy }) => discrepancy.length === 0);
  const methods = [...new Set(runs.map(({ method }) => method))];
  $("legend").replaceChildren(...methods.map((method, i) => {
    const line = document.createElement("li");
    const sample = element("svg", { viewBox: "0 0 22 10" });
    sample.append(element("line", { x1: 0, x2: 22, y1: 5, y2: 5, stroke: colour(i), "stroke-width": 3 }));
    line.append(sample, titleOf(method));
    return line;
  }));
}

function drawLines(svg, lines, bounds) {
  const points = [...lines, ...bounds].flat().filter(([, value]) => Number.isFinite(value));
  const [left, right, top, bottom] = [44, 552, 8, 232];
  if (points.length === 0) return svg.replaceChildren();
  const steps = points.map(([step]) => step), values = points.map(([, value]) => value);
  const [first, last] = [Math.min(...steps), Math.max(...steps, Math.min(...steps) + 1)];
  const low = Math.min(0, ...values), high = Math.max(...values, low + 1e-6);
  const x = (step) => left + (right - left) * (step - first) / (last - first);
  const y = (value) => bottom - (bottom - top) * (value - low) / (high - low);
  const methods = [...new Set(runs.map(({ method }) => method))];
  const line = (kind) => (all, i) =>
    element("polyline", {
      points: all.map(([step, value]) => `${x(step).toFixed(1)},${y(value).toFixed(1)}`).join(" "),
      stroke: colour(methods.indexOf(runs[i].method)),
      class: `${kind} ${i < lines.length - 1 ? "old" : ""}`,
    });
  svg.replaceChildren(
    ...[low, (low + high) / 2, high].flatMap((value) => [
      element("line", { class: "axis", x1: left, x2: right, y1: y(value), y2: y(value) }),
      text(left - 6, y(value) + 4, value.toPrecision(2), "end"),
    ]),
    text(left, bottom + 20, `step ${first}`, "start"),
    text(right, bottom + 20, `step ${last}`, "end"),
    ...bounds.map(line("bound")),
    ...lines.map(line("line")),
  );
}

function colour(i) {
  return COLOURS[i % COLOURS.length];
}

function element(name, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function text(x, y, words, anchor) {
  const made = element("text", { x, y, "text-anchor": anchor });
  made.textContent = words;
  return made;
}

function item(sentence) {
  const line = document.createElement("li");
  line.textContent = sentence;
  return line;
}

function button(words, act) {
  const made = document.createElement("button");
  Object.assign(made, { type: "button", textContent: words, onclick: act });
  return made;
}

function code(words) {
  const made = document.createElement("code");
  made.textContent = words;
  return made;
}

function megabytes(bytes) {
  return bytes >= 2 ** 30 ? `${(bytes / 2 ** 30).toFixed(1)} GiB` : `${Math.ceil(bytes / 2 ** 20)} MiB`;
}

function duration(ms) {
  const seconds = Math.round(ms / 1000);
  return seconds < 90 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

function showProblem(sentence) {
  $("problem").textContent = sentence;
  $("problem").hidden = false;
}
