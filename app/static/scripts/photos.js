// Photos: a queue that is sent one photo at a time, a filmstrip, and the result for the one on display.

import { Problem, loadSettings, recognizePatiently } from "./api.js";
import { announce, element, find, showMessage } from "./dom.js";
import { emojiOf, hueOf, percent, countEmotions, summarize } from "./emotions.js";
import { preparePicture, turnFaces, turnPicture } from "./picture.js";
import { announcement, drawDetail, drawSummary, drawTiles, selectTile } from "./reading.js";
import { annotate, download, faceRows, saveCsv, saveJson, withoutExtension } from "./save.js";
import { writeSnippets } from "./snippets.js";
import { drawStage, selectOnStage } from "./stage.js";

const MOST_FACES = 100; // that the server accepts as a limit
const TURN = 30; // degrees
const UNREADABLE = [415, 422]; // statuses for a file that the server cannot decode
const panel = find("#photos");
const stage = find("#stage");
const tiles = find("#tiles");
let photos = [];
let current = null;
let working = null; // the photo being sent
let transfer = null; // its AbortController

export const hasPhotos = () => photos.length > 0;

// Adds files to the queue. Samples on display make room for them.
export function addPhotos(files, { isSample = false } = {}) {
  if (!files.length) return;
  removeSamples();
  const added = files.map((file) => ({
    file,
    name: file.name || "photo",
    isSample,
    state: "waiting",
    degrees: 0,
    wholePicture: false,
    maxFaces: null,
    picture: null,
    faces: [],
    selected: 0,
  }));
  photos.push(...added);
  show(added[0]);
  work();
}

async function work() {
  if (working) return;
  working = (current?.state === "waiting" && current) || photos.find((photo) => photo.state === "waiting");
  if (!working) return;
  const photo = working;
  transfer = new AbortController();
  photo.state = "sending";
  photo.progress = 0;
  refresh(photo);
  try {
    await process(photo, transfer.signal);
    photo.state = "done";
  } catch (error) {
    if (error.name === "AbortError") photo.state = photo.state === "sending" ? "canceled" : photo.state; // or sent again
    else if (error instanceof Problem) Object.assign(photo, { state: "failed", problem: error });
    else throw error;
  } finally {
    working = null;
    refresh(photo);
    if (photo === current && photo.state === "done") announce(announcement(photo.faces));
    work();
  }
}

async function process(photo, signal) {
  const { max_bytes: maxBytes } = await loadSettings();
  const { degrees, wholePicture, maxFaces } = photo;
  await prepare(photo, { maxBytes, degrees });
  if (photo === current) refresh(photo);
  const onProgress = (progress) => showProgress(photo, progress);
  const send = () => recognizePatiently(photo.picture.blob, { wholePicture, maxFaces, signal, onProgress });
  photo.response = await send().catch(async (error) => {
    if (!UNREADABLE.includes(error.status) || !photo.picture.url) throw error;
    await prepare(photo, { maxBytes, degrees, reencode: true }); // the browser can draw what the server cannot read
    return send();
  });
  signal.throwIfAborted();
  const turn = photo.response.turn ?? 0;
  if (turn && photo.picture.url) photo.picture = await turnPicture(photo.picture, turn);
  photo.degrees = (degrees + turn) % 360;
  if (!photo.picture.url) photo.picture = { ...photo.picture, ...turnedSize(photo.response) };
  const upright = turnFaces(photo.response);
  const fromLeft = upright.map((_, index) => index).sort((one, other) => center(upright[one]) - center(upright[other]));
  photo.faces = fromLeft.map((index) => upright[index]);
  photo.response.faces = fromLeft.map((index) => photo.response.faces[index]);
  photo.selected = Math.min(photo.selected, Math.max(0, photo.faces.length - 1));
}

async function prepare(photo, options) {
  if (photo.picture?.url) URL.revokeObjectURL(photo.picture.url);
  photo.faces = [];
  photo.picture = await preparePicture(photo.file, options);
}

const turnedSize = ({ width, height, turn = 0 }) => (turn % 180 ? { width: height, height: width } : { width, height });
const center = ({ box: [left, , width] }) => left + width / 2;

// Sends a photo again with other options.
function again(photo, changes) {
  if (photo === working) transfer.abort();
  Object.assign(photo, changes, { state: "waiting", problem: null });
  refresh(photo);
  work();
}

function showProgress(photo, progress) {
  photo.progress = progress;
  if (photo !== current) return;
  find("#progress").value = progress;
  find("#progress-text").textContent = progress < 1 ? `Sending ${percent(progress)}` : "Looking for faces…";
}

function show(photo) {
  current = photo;
  refresh(photo);
}

function refresh(photo) {
  drawFilmstrip();
  if (photo === current) drawCurrent();
}

function drawCurrent() {
  const { state, picture, faces, problem, wholePicture } = current;
  const isBusy = state === "waiting" || state === "sending";
  panel.classList.toggle("busy", isBusy);
  find("#busy").hidden = !isBusy;
  if (isBusy) showProgress(current, current.progress ?? 0);
  find("#result-title").textContent = titleOf(current);
  stage.replaceChildren();
  if (picture) drawStage(stage, current, select);
  drawSummary(find("#summary"), faces);
  drawTiles(tiles, faces, select);
  find("#detail").hidden = !faces.length;
  for (const button of find("#keep").querySelectorAll("button")) button.disabled = state !== "done";
  find("#save-picture").disabled = !faces.length || !picture?.url;
  find("#tools").hidden = !picture?.url;
  find("#time").textContent = state === "done" ? timeOf(current) : "";
  drawMoreFaces();
  drawProblem(state, problem, faces);
  writeSnippets({ wholePicture, maxFaces: current.maxFaces });
  if (faces.length) select(current.selected);
}

function titleOf({ state, faces, wholePicture }) {
  if (state === "failed") return "No result";
  if (state === "canceled") return "Canceled";
  if (state !== "done") return "Looking for faces…";
  return wholePicture ? `The whole picture: ${faces[0]?.emotion ?? "no face"}` : summarize(faces);
}

function timeOf({ response: { width, height, milliseconds }, picture }) {
  return [`${width} × ${height} sent`, `${Math.ceil(picture.blob.size / 1000)} kB`, `${Math.round(milliseconds)} ms`].join(" · ");
}

function drawMoreFaces() {
  const found = current.response?.faces_found ?? 0;
  const more = find("#more-faces");
  more.hidden = current.state !== "done" || found <= current.faces.length || current.maxFaces === MOST_FACES;
  more.textContent = `Show all ${found} faces`;
}

function drawProblem(state, problem, faces) {
  const place = find("#problem");
  const button = (text, onclick) => element("button", { type: "button", class: "quiet", onclick }, text);
  if (state === "failed") {
    const retry = button("Try again", () => again(current, {}));
    showMessage(place, problem.title, problem.detail, retry);
  } else if (state === "canceled") {
    showMessage(place, "Canceled", "Nothing more is sent.", button("Send it again", () => again(current, {})));
  } else if (state === "done" && !faces.length) {
    const advice = "Is it tilted? Turn the photo until the face is upright. Is it one close face? Then skip the search.";
    const whole = button("The whole picture is one face", () => again(current, { wholePicture: true }));
    showMessage(place, "No face found", advice, whole);
  } else showMessage(place);
  if (state === "done" && current.wholePicture) {
    const search = button("Search for faces instead", () => again(current, { wholePicture: false }));
    showMessage(place, "Taken as one face", "The network saw the whole picture, without a search for faces.", search);
  }
  if (!place.hidden) announce(place.textContent);
}

function select(index) {
  current.selected = index;
  selectOnStage(stage, current, index);
  selectTile(tiles, index);
  drawDetail(find("#detail"), current.faces, index, current.wholePicture);
}

function selectWithKeys(event) {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const count = current?.faces.length ?? 0;
  if (!step || count < 2) return;
  event.preventDefault();
  select((current.selected + step + count) % count);
  if (tiles.contains(event.target)) tiles.querySelectorAll(".tile")[current.selected].focus();
}

function drawFilmstrip() {
  const strip = find("#filmstrip");
  strip.parentElement.hidden = photos.length < 2;
  if (strip.parentElement.hidden) return strip.replaceChildren();
  const focused = [...strip.querySelectorAll("button")].indexOf(document.activeElement);
  strip.replaceChildren(...photos.map((photo) => element("li", {}, makeFrame(photo))));
  strip.querySelectorAll("button")[focused]?.focus();
  const left = photos.filter(({ state }) => state === "waiting" || state === "sending").length;
  find("#queue-text").textContent = left ? `${photos.length - left} of ${photos.length} done` : `${photos.length} photos`;
  find("#cancel-all").hidden = !left;
}

function makeFrame(photo) {
  const [badge, words, hue] = badgeOf(photo);
  const frame = element(
    "button",
    { type: "button", class: "frame", "aria-label": `${photo.name}: ${words}`, "data-hue": hue, title: photo.name },
    photo.picture?.url ? element("img", { src: photo.picture.url, alt: "", decoding: "async" }) : "",
    element("span", { class: "badge", "aria-hidden": "true" }, badge),
  );
  frame.setAttribute("aria-current", photo === current);
  frame.classList.toggle("sending", photo.state === "sending");
  frame.addEventListener("click", () => show(photo));
  return frame;
}

function badgeOf({ state, faces }) {
  if (state === "waiting") return ["⏳", "waiting"];
  if (state === "sending") return ["⏳", "being sent"];
  if (state === "failed") return ["⚠️", "no result"];
  if (state === "canceled") return ["✖️", "canceled"];
  if (!faces.length) return ["🤷", "no face found"];
  const [[name]] = countEmotions(faces);
  return [emojiOf(name) + (faces.length > 1 ? faces.length : ""), summarize(faces), hueOf(name)];
}

function cancel(which) {
  for (const photo of which) {
    if (photo === working) transfer.abort();
    else if (photo.state === "waiting") {
      photo.state = "canceled";
      refresh(photo);
    }
  }
}

function removeSamples() {
  const samples = photos.filter(({ isSample }) => isSample);
  cancel(samples);
  for (const { picture } of samples) if (picture?.url) URL.revokeObjectURL(picture.url);
  photos = photos.filter(({ isSample }) => !isSample);
}

// The photos with a result as { name, response }; faces come in the order and with the numbers of the page.
function results() {
  return photos.filter(({ state }) => state === "done").map(({ name, response }) => ({ name, response }));
}

const fileName = () => (photos.length > 1 ? "photos" : withoutExtension(current.name));

export function startPhotos() {
  stage.addEventListener("keydown", selectWithKeys);
  tiles.addEventListener("keydown", selectWithKeys);
  const turn = (step) => again(current, { degrees: (current.degrees + step + 360) % 360, wholePicture: false });
  find("#turn-left").addEventListener("click", () => turn(-TURN));
  find("#turn-right").addEventListener("click", () => turn(TURN));
  find("#cancel").addEventListener("click", () => cancel([current]));
  find("#cancel-all").addEventListener("click", () => cancel(photos));
  find("#more-faces").addEventListener("click", () => again(current, { maxFaces: MOST_FACES }));
  find("#save-picture").addEventListener("click", async () => {
    download(await annotate(current), `${withoutExtension(current.name)}-expressions.png`);
  });
  find("#save-json").addEventListener("click", () => saveJson(results(), fileName()));
  find("#save-csv").addEventListener("click", () => saveCsv(faceRows(results()), fileName()));
  find("#print").addEventListener("click", () => print());
}
