// Photos: shows the filmstrip and the result of one photo, and what can be done with it.

import { announce, element, find, showMessage } from "./dom.js";
import { percent, summarize } from "./emotions.js";
import { drawFilmstrip } from "./filmstrip.js";
import { allPhotos, cancel, enqueue, isPending, resend, watchQueue } from "./queue.js";
import { announcement, describe, drawDetail, drawSummary, drawTiles, selectTile } from "./reading.js";
import { annotate, download, faceRows, saveCsv, saveJson, withoutExtension } from "./save.js";
import { writeSnippets } from "./snippets.js";
import { drawStage, selectOnStage } from "./stage.js";

const MOST_FACES = 100; // that the server accepts as a limit
const TURN = 30; // degrees
const panel = find("#photos");
const stage = find("#stage");
const tiles = find("#tiles");
let current = null;

export const hasPhotos = () => allPhotos().length > 0;

export function addPhotos(files, { isSample = false } = {}) {
  if (files.length) show(enqueue(files, isSample)[0]);
}

function show(photo) {
  current = photo;
  drawFilmstrip(allPhotos(), current, show);
  drawCurrent();
}

function update(photo, isOnlyProgress = false) {
  if (isOnlyProgress) return photo === current && drawProgress();
  drawFilmstrip(allPhotos(), current, show);
  if (photo !== current) return;
  drawCurrent();
  if (photo.state === "done" && photo.faces.length) announce(announcement(photo.faces));
}

function drawCurrent() {
  const { state, picture, faces, wholePicture, maxFaces } = current;
  const isBusy = isPending(current);
  panel.classList.toggle("busy", isBusy);
  find("#busy").hidden = !isBusy;
  drawProgress();
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
  drawMessage();
  writeSnippets({ wholePicture, maxFaces });
  if (faces.length) select(current.selected);
}

function drawProgress() {
  const { progress } = current;
  find("#progress").value = progress;
  find("#progress-text").textContent = progress < 1 ? `Sending ${percent(progress)}` : "Looking for faces…";
}

function titleOf({ state, faces, wholePicture }) {
  if (state === "failed") return "No result";
  if (state === "canceled") return "Canceled";
  if (state !== "done") return "Looking for faces…";
  return wholePicture ? `The whole picture: ${faces[0].emotion}` : summarize(faces);
}

function timeOf({ response: { width, height, milliseconds }, picture }) {
  const kilobytes = Math.ceil(picture.blob.size / 1000);
  return `${width} × ${height} sent · ${kilobytes} kB · ${Math.round(milliseconds)} ms`;
}

function drawMoreFaces() {
  const found = current.response?.faces_found ?? 0;
  const more = find("#more-faces");
  more.hidden = current.state !== "done" || found <= current.faces.length || current.maxFaces === MOST_FACES;
  more.textContent = `Show all ${found} faces`;
}

function drawMessage() {
  const place = find("#problem");
  const message = messageFor(current);
  if (!message) return showMessage(place);
  if (current.problem?.status === 401) find("#key-form").hidden = false; // the key was wrong
  const { title, detail, action, changes } = message;
  const onclick = () => resend(current, changes);
  showMessage(place, title, detail, element("button", { type: "button", class: "quiet", onclick }, action));
  announce(`${title}. ${detail}`);
}

function messageFor({ state, problem, faces, wholePicture }) {
  if (state === "failed") return { title: problem.title, detail: problem.detail, action: "Try again" };
  if (state === "canceled") return { title: "Canceled", detail: "Nothing more is sent.", action: "Send it again" };
  if (state === "done" && wholePicture) {
    return {
      title: "Taken as one face",
      detail: "The network saw the whole picture, without a search for faces.",
      action: "Search for faces instead",
      changes: { wholePicture: false },
    };
  }
  if (state !== "done" || faces.length) return null;
  return {
    title: "No face found",
    detail: "Is it tilted? Turn the photo until the face is upright. Is it one close face? Then skip the search.",
    action: "The whole picture is one face",
    changes: { wholePicture: true },
  };
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
  if (!step || count < 2 || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  select((current.selected + step + count) % count);
  if (stage.contains(event.target)) announce(describe(current.faces[current.selected]));
  if (tiles.contains(event.target)) tiles.querySelectorAll(".tile")[current.selected].focus();
}

// The photos with a result as { name, response }; faces come in the order of the page.
function results() {
  return allPhotos()
    .filter(({ state }) => state === "done")
    .map(({ name, response }) => ({ name, response }));
}

function fileName() {
  return allPhotos().length > 1 ? "photos" : withoutExtension(current.name);
}

async function savePicture() {
  download(await annotate(current), `${withoutExtension(current.name)}-expressions.png`);
}

export function startPhotos() {
  watchQueue(update);
  stage.addEventListener("keydown", selectWithKeys);
  tiles.addEventListener("keydown", selectWithKeys);
  const turn = (step) => resend(current, { degrees: (current.degrees + step + 360) % 360, wholePicture: false });
  find("#turn-left").addEventListener("click", () => turn(-TURN));
  find("#turn-right").addEventListener("click", () => turn(TURN));
  find("#cancel").addEventListener("click", () => cancel([current]));
  find("#cancel-all").addEventListener("click", () => cancel(allPhotos()));
  find("#more-faces").addEventListener("click", () => resend(current, { maxFaces: MOST_FACES }));
  find("#save-picture").addEventListener("click", savePicture);
  find("#save-json").addEventListener("click", () => saveJson(results(), fileName()));
  find("#save-csv").addEventListener("click", () => saveCsv(faceRows(results()), fileName()));
  find("#print").addEventListener("click", () => print());
}
