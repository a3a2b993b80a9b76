// Video: sampled in the browser; a few frames a second are sent as photos, and a timeline shows them.

import { Problem, recognizePatiently } from "./api.js";
import { makeBars } from "./bars.js";
import { followFace } from "./camera.js";
import { announce, find, showMessage } from "./dom.js";
import { inOrder, mostProbable, summarize } from "./emotions.js";
import { toBlob } from "./picture.js";
import { drawRibbon, findStretches } from "./ribbon.js";
import { saveCsv, saveJson, withoutExtension } from "./save.js";
import { makeMarks } from "./stage.js";

const SHORTEST_STEP = 0.5; // seconds between samples
const MOST_SAMPLES = 120;
const LONGEST_SIDE = 1280;
const DAMAGED = { title: "The video is damaged", detail: "The browser cannot read it to its end." };
const video = find("#video-player");
const canvas = document.createElement("canvas");
let name = "video";
let step = SHORTEST_STEP;
let samples = [];
let transfer = new AbortController();
let bars = null;

export async function openVideo(file) {
  transfer.abort();
  transfer = new AbortController();
  const { signal } = transfer;
  [samples, bars, name] = [[], null, file.name || "video"];
  showMessage(find("#video-problem"));
  for (const id of ["#video-marks", "#video-bars", "#video-ribbon"]) find(id).replaceChildren();
  find("#video-result").hidden = false;
  try {
    await load(file);
    await sample(signal);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof Problem)) throw error;
    showMessage(find("#video-problem"), error.title, error.detail);
  } finally {
    if (!signal.aborted || signal === transfer.signal) setBusy(false);
  }
}

async function load(file) {
  if (video.src) URL.revokeObjectURL(video.src);
  video.src = URL.createObjectURL(file);
  const loaded = await once("loadeddata", "error");
  if (loaded === "error" || !video.videoWidth) {
    find("#video-result").hidden = true;
    throw new Problem({
      title: "This video cannot be played",
      detail: "Browsers play MP4 (H.264) and WebM. Convert it, then try again.",
    });
  }
  if (!Number.isFinite(video.duration)) {
    video.currentTime = 1e9; // a recording without a length: the browser learns it at the end
    await once("seeked");
  }
}

function once(...types) {
  return new Promise((resolve) => {
    const done = ({ type }) => {
      for (const other of types) video.removeEventListener(other, done);
      resolve(type);
    };
    for (const type of types) video.addEventListener(type, done);
  });
}

async function sample(signal) {
  step = Math.max(SHORTEST_STEP, video.duration / MOST_SAMPLES);
  const count = Math.max(1, Math.floor(video.duration / step));
  setBusy(true);
  let followed = null;
  for (let index = 0; index < count; index++) {
    const time = (index + 0.5) * step;
    await seek(Math.min(time, video.duration), signal);
    const frame = await grab();
    const response = await recognizePatiently(frame, { signal });
    signal.throwIfAborted();
    followed = followFace(response.faces, followed);
    samples.push({ time: index * step, at: time, response, probabilities: followed?.probabilities ?? null });
    find("#video-progress").value = (index + 1) / count;
    find("#video-progress-text").textContent = `${index + 1} of ${count} frames`;
    drawTimeline();
    showSample(samples.length - 1);
  }
  announce(describeVideo());
}

async function seek(time, signal) {
  const canceled = new Promise((resolve) => signal.addEventListener("abort", () => resolve("abort"), { once: true }));
  const ended = Promise.race([once("seeked", "error"), canceled]);
  video.currentTime = time;
  if ((await ended) === "error") throw new Problem(DAMAGED);
  signal.throwIfAborted();
}

function grab() {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(video.videoWidth, video.videoHeight));
  canvas.width = Math.round(scale * video.videoWidth);
  canvas.height = Math.round(scale * video.videoHeight);
  canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
  return toBlob(canvas, "image/jpeg", 0.85);
}

function drawTimeline() {
  const end = Math.max(step, video.duration);
  drawRibbon(find("#video-ribbon"), samples, { start: 0, end, longest: step, shortestStretch: end / 16 });
  const slider = find("#video-slider");
  slider.max = Math.max(0, samples.length - 1);
  find("#video-title").textContent = describeVideo();
}

// "happy 2.5 s, neutral 1.0 s"
function describeVideo() {
  const stretches = findStretches(samples.map((sample) => ({ ...sample, until: sample.time + step })));
  if (!stretches.length) return "No face found so far";
  const lengths = new Map();
  for (const { name, from, until } of stretches) lengths.set(name, (lengths.get(name) ?? 0) + until - from);
  const parts = [...lengths]
    .sort(([, one], [, other]) => other - one)
    .map(([emotion, seconds]) => `${emotion} ${seconds.toFixed(1)} s`);
  return parts.join(", ");
}

function showSample(index) {
  const { response, at, probabilities } = samples[index];
  find("#video-marks").replaceChildren(...makeMarks(response.faces, response));
  const slider = find("#video-slider");
  slider.value = index;
  const words = `${at.toFixed(1)} s: ${summarize(response.faces)}`;
  slider.setAttribute("aria-valuetext", words);
  find("#video-moment").textContent = words;
  find("#video-bars").hidden = !probabilities;
  if (!probabilities) return;
  if (!bars)
    find("#video-bars").replaceChildren(
      (bars = makeBars(Object.keys(probabilities), "Probabilities at this moment")).node,
    );
  bars.update(probabilities);
}

async function chooseMoment() {
  const index = Number(find("#video-slider").value);
  if (!samples[index]) return;
  showSample(index);
  if (find("#video-busy").hidden) video.currentTime = samples[index].at;
}

function setBusy(isBusy) {
  find("#video-busy").hidden = !isBusy;
  find("#video-slider").disabled = isBusy;
  for (const id of ["#video-json", "#video-csv"]) find(id).disabled = isBusy || !samples.length;
}

function rows() {
  const names = inOrder(new Set(samples.flatMap(({ probabilities }) => Object.keys(probabilities ?? {}))));
  const faces = samples.map(({ at, response, probabilities }) => {
    const shares = names.map((emotion) => probabilities?.[emotion] ?? "");
    return [at.toFixed(2), response.faces.length, probabilities ? mostProbable(probabilities) : "", ...shares];
  });
  return [["seconds", "faces", "emotion", ...names], ...faces];
}

export function stopVideo() {
  transfer.abort();
}

export function startVideo() {
  const chooser = find("#video-file");
  find("#video-choose").addEventListener("click", () => chooser.click());
  chooser.addEventListener("change", () => {
    if (chooser.files.length) openVideo(chooser.files[0]);
    chooser.value = "";
  });
  find("#video-cancel").addEventListener("click", stopVideo);
  find("#video-slider").addEventListener("input", chooseMoment);
  find("#video-json").addEventListener("click", () => {
    saveJson(
      samples.map(({ at, response }) => ({ seconds: at, ...response })),
      withoutExtension(name),
    );
  });
  find("#video-csv").addEventListener("click", () => saveCsv(rows(), withoutExtension(name)));
}
