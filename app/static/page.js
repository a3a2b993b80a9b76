// Accepts photos from all sources, sends them to the server and shows the result.

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

// The server's limits; requested again if the previous request failed.
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
    const body = await response.json();
    if (signal.aborted) return;
    if (response.ok) showFaces(preview, body, emotions);
    else showProblem(body.title, body.detail);
  } catch (error) {
    if (!signal.aborted) showUnreachable();
  }
}

function showUnreachable() {
  showProblem("Server unreachable", "Check your connection and try again.");
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
  file.value = ""; // allows the same file to be selected again
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
  () => {}, // the page keeps its message that the figures could not be loaded
);
