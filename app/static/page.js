// The page: takes a photo from wherever it comes, has it recognized, and shows the answer.

import { openCamera } from "./camera.js";
import { shrinkIfNeeded } from "./shrink.js";
import { describeModel, showBusy, showFaces, showProblem } from "./result.js";

const drop = document.querySelector("#drop");
const file = document.querySelector("#file");
let settings = fetchJson("/api/settings");
let current = new AbortController();

async function fetchJson(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

// What the server allows; asked for again if it could not be reached before.
function loadSettings() {
  return (settings = settings.catch(() => fetchJson("/api/settings")));
}

async function recognize(photo) {
  current.abort();
  const { signal } = (current = new AbortController());
  const preview = await showBusy(photo);
  try {
    const { emotions, ...limits } = await loadSettings();
    const form = new FormData();
    form.append("image", await shrinkIfNeeded(photo, limits));
    const response = await fetch("/api/recognize", { method: "POST", body: form, signal });
    const answer = await response.json();
    if (signal.aborted) return;
    if (response.ok) showFaces(preview, answer, emotions);
    else showProblem(answer.title, answer.detail);
  } catch (error) {
    if (!signal.aborted) showUnreachable();
  }
}

function showUnreachable() {
  showProblem("No answer", "The server could not be reached. Is the connection up?");
}

async function recognizeSample(path) {
  const response = await fetch(path).catch(() => null);
  if (!response?.ok) return showUnreachable();
  await recognize(await response.blob());
}

function firstFile(transfer) {
  return [...(transfer?.files ?? [])][0];
}

drop.addEventListener("click", () => file.click());
file.addEventListener("change", () => {
  if (file.files.length) recognize(file.files[0]);
  file.value = ""; // so that the same file can be chosen again
});

for (const type of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(type, (event) => {
    event.preventDefault();
    document.body.classList.toggle("dragging", type === "dragover");
  });
}
document.addEventListener("drop", (event) => {
  const photo = firstFile(event.dataTransfer);
  if (photo) recognize(photo);
});
document.addEventListener("paste", (event) => {
  const photo = firstFile(event.clipboardData);
  if (photo) recognize(photo);
});

for (const sample of document.querySelectorAll("[data-sample]")) {
  sample.addEventListener("click", () => recognizeSample(sample.dataset.sample));
}
document.querySelector("#camera").addEventListener("click", () => openCamera(recognize));

Promise.all([fetchJson("/api/model"), loadSettings()]).then(
  ([card, { emotions }]) => describeModel(card, emotions),
  () => {}, // the page says by itself that the figures could not be loaded
);
