"use strict";
// Shows one pair at a time. Texts are only ever set as text. Verdicts are kept in this browser, under the sample's
// identity and the annotator's name, and leave it only as the file that the annotator downloads.
const data = JSON.parse(document.getElementById("data").textContent);
const element = (id) => document.getElementById(id);
const WORDS = new Map([[true, "relevant"], [false, "not relevant"], [null, "unsure"]]);
const key = (pair) => JSON.stringify([pair.query_id, pair.passage_id]);

let verdicts = new Map(); // pair -> {relevant, at}
let skipped = new Set();
let seen = [];
let place = null;

const given = (pair) => (verdicts.get(key(pair))?.at ?? null) !== null; // on this page
const annotator = () => element("annotator").value.trim();
const store = (name) => `curate ${data.identity} ${name}`;

function read() {
  verdicts = new Map();
  if (annotator() === data.annotator)
    for (const [query, passage, relevant] of data.verdicts)
      verdicts.set(JSON.stringify([query, passage]), { relevant, at: null });
  try {
    const kept = JSON.parse(localStorage.getItem(store(annotator())) ?? "[]");
    for (const [pair, verdict] of kept) verdicts.set(pair, verdict);
  } catch { element("warning").hidden = false; }
}

function keep() {
  try {
    localStorage.setItem(store(annotator()), JSON.stringify([...verdicts]));
    localStorage.setItem(store(""), annotator());
  } catch { element("warning").hidden = false; }
}

// The next pair without a verdict, from the start again after the end; skipped ones come last.
function after(start) {
  const left = [];
  for (let step = 1; step <= data.pairs.length; step++) {
    const other = (start + step) % data.pairs.length;
    if (!verdicts.has(key(data.pairs[other]))) left.push(other);
  }
  return left.find((other) => !skipped.has(other)) ?? left[0] ?? null;
}

function goOn() {
  seen.push(place);
  place = after(place);
  show();
}

function judge(relevant) {
  if (place === null || !annotator()) return;
  verdicts.set(key(data.pairs[place]), { relevant, at: new Date().toISOString().slice(0, 19) + "+00:00" });
  skipped.delete(place);
  keep();
  goOn();
}

function skip() {
  if (place === null) return;
  skipped.add(place);
  goOn();
}

function back() {
  if (!seen.length) return;
  place = seen.pop();
  show();
}

function show() {
  const pair = place === null ? null : data.pairs[place];
  const named = annotator() !== "";
  const judged = data.pairs.filter((one) => verdicts.has(key(one))).length;
  element("progress").max = data.pairs.length;
  element("progress").value = judged;
  element("count").textContent = `${judged} of ${data.pairs.length} pairs judged`;
  const same = pair ? data.pairs.filter((one) => one.query_id === pair.query_id) : [];
  element("query").textContent = pair ? pair.query : "All pairs are judged. Download the verdicts and send the file back.";
  element("query-label").textContent = pair ? "Query" : "Done";
  element("title").textContent = pair ? pair.title : "";
  element("passage").textContent = pair ? pair.passage : "";
  element("passage").parentElement.hidden = !pair;
  element("passage-label").textContent = `Passage ${same.indexOf(pair) + 1} of ${same.length} of this query`;
  const known = pair && verdicts.get(key(pair));
  element("verdict").textContent = named ? (known ? `Your verdict so far: ${WORDS.get(known.relevant)}` : "")
    : "Give your name first: it stands beside each verdict.";
  element("verdict").classList.toggle("asks", !named);
  for (const id of ["yes", "no", "unsure"]) element(id).disabled = !pair || !named;
  element("skip").disabled = !pair;
  element("back").disabled = !seen.length;
  element("download").disabled = !data.pairs.some(given) || !named;
  window.scrollTo(0, 0);
}

function download() {
  // Verdicts that the page began with are loaded already, and may have been replaced since.
  const lines = data.pairs.filter(given).map((pair) => {
    const { relevant, at } = verdicts.get(key(pair));
    return JSON.stringify({
      query_id: pair.query_id, passage_id: pair.passage_id, relevant,
      annotator: annotator(), sample_id: data.sample, judged_at: at,
    });
  });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "application/x-ndjson" }));
  link.download = `${data.sample}-${annotator().replace(/[^A-Za-z0-9._-]+/g, "_")}.jsonl`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function begin() {
  read();
  skipped = new Set();
  seen = [];
  place = after(-1);
  show();
}

const ACTIONS = { yes: () => judge(true), no: () => judge(false), unsure: () => judge(null), skip, back, download };
for (const [id, action] of Object.entries(ACTIONS)) element(id).addEventListener("click", action);
const KEYS = Object.fromEntries([...document.querySelectorAll("[data-key]")].map((one) => [one.dataset.key, one]));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.target.tagName === "INPUT") return;
  KEYS[event.key.toLowerCase()]?.click();
});
element("annotator").addEventListener("change", begin);
element("annotator").addEventListener("keydown", (event) => { if (event.key === "Enter") event.target.blur(); });
let name = data.annotator;
try { name ||= localStorage.getItem(store("")) ?? ""; } catch { element("warning").hidden = false; }
element("annotator").value = name;
begin();
if (!name) element("annotator").focus();
