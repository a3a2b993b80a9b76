// Live mode: an emoji on every face, moving bars, and a ribbon of the last ten seconds.

import { makeBars } from "./bars.js";
import { CAMERA_ENDED, Camera, distance, ease, explainTrouble, followFace } from "./camera.js";
import { announce, element, find, showMessage, svg } from "./dom.js";
import { emojiOf, hueOf, labelOf, mostProbable, percent } from "./emotions.js";
import { addPhotos } from "./photos.js";
import { drawRibbon } from "./ribbon.js";
import { openTab } from "./tabs.js";

const SECONDS = 10;
const SPOKEN_EVERY = 3; // seconds between announcements to screen readers, at least
const LONGEST_GAP = 1; // seconds that a frame stays in the ribbon without a next one
const canvas = find("#live-canvas");
const overlay = find("#live-overlay");
const camera = new Camera(canvas, showFrame, showTrouble, () => {
  stopLive();
  showTrouble(CAMERA_ENDED);
});
let which = { facingMode: "user" };
let cameras = []; // ids
let bars = null;
let followed = null;
let eased = null;
let samples = [];
let lastFrame = null;
let spoken = -SPOKEN_EVERY; // time of the last announcement

function showFrame(response, time, frame) {
  lastFrame = frame;
  followed = followFace(response.faces, followed);
  eased = followed && ease(eased, followed.probabilities);
  samples = [...samples.filter((sample) => sample.time > time - SECONDS - LONGEST_GAP), { time, probabilities: eased }];
  moveEmoji(response);
  drawRibbon(find("#live-ribbon"), samples, { start: time - SECONDS, end: time, longest: LONGEST_GAP });
  showFace(time);
  const recent = samples.filter((sample) => sample.time > time - 3).length / Math.min(3, time || 3);
  const pace = `${recent.toFixed(1)} frames a second, ${Math.round(response.milliseconds)} ms each`;
  find("#live-note").textContent =
    `Sent: ${response.width} × ${response.height} pixels${camera.mirrored ? ", mirrored" : ""}; ${pace}`;
}

function showFace(time) {
  const place = find("#live-reading");
  place.classList.toggle("without-face", !followed);
  if (!followed) return (find("#live-name").textContent = "No face in view");
  const name = mostProbable(eased);
  place.dataset.hue = hueOf(name);
  const title = find("#live-name");
  const words = ` ${name}${followed.uncertain ? "?" : ""}`;
  if (title.lastChild.textContent !== words) {
    title.replaceChildren(element("span", { class: "emoji" }, emojiOf(name)), words);
    if (time - spoken > SPOKEN_EVERY) {
      announce(`${name}, ${percent(eased[name])}`);
      spoken = time;
    }
  }
  if (!bars) find("#live-bars").replaceChildren((bars = makeBars(Object.keys(eased), "Probabilities now")).node);
  bars.update(eased);
}

// Moves each emoji to the nearest face of the new frame, so that it glides instead of jumping.
function moveEmoji({ width, height, faces }) {
  overlay.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const asMask = find("#live-mask").checked;
  const free = [...overlay.children];
  for (const face of faces) {
    const sticker = takeNearest(free, face) ?? overlay.appendChild(makeSticker());
    placeSticker(sticker, face, asMask);
  }
  for (const sticker of free) sticker.remove();
}

function takeNearest(stickers, face) {
  const gap = (sticker) => distance(sticker.face, face);
  const nearest = stickers.reduce((best, sticker) => (!best || gap(sticker) < gap(best) ? sticker : best), null);
  if (!nearest || gap(nearest) > face.box[2]) return null;
  stickers.splice(stickers.indexOf(nearest), 1);
  return nearest;
}

function makeSticker() {
  return svg("g", {}, svg("text", { class: "emoji sticker" }), svg("text", { class: "sticker-words" }));
}

function placeSticker(sticker, face, asMask) {
  const [left, top, width, height] = face.box;
  const [emoji, words] = sticker.children;
  sticker.face = face;
  sticker.dataset.hue = hueOf(face.emotion);
  sticker.classList.toggle("uncertain", face.uncertain);
  const size = (asMask ? 1.35 : 0.55) * width;
  const [x, y] = asMask ? [left + width / 2, top + 0.42 * height] : [left + width, top];
  sticker.style.transform = `translate(${x}px, ${y}px)`;
  emoji.textContent = emojiOf(face.emotion);
  emoji.setAttribute("font-size", size);
  words.textContent = asMask ? "" : labelOf(face);
  words.setAttribute("font-size", Math.max(13, 0.13 * width));
  words.setAttribute("y", 0.62 * size);
}

function showTrouble(problem) {
  showMessage(find("#live-problem"), problem?.title, problem?.detail);
}

async function start() {
  showTrouble(null);
  setControls("starting");
  try {
    await camera.start(which);
    if (!camera.isOn) return;
    setControls("on");
    const devices = await navigator.mediaDevices.enumerateDevices();
    cameras = devices.filter(({ kind }) => kind === "videoinput").map(({ deviceId }) => deviceId);
    find("#live-switch").hidden = cameras.length < 2;
  } catch (error) {
    stopLive();
    const [title, detail] = explainTrouble(error);
    showTrouble({ title, detail });
    announce(`${title}. ${detail}`);
  }
}

export function stopLive() {
  camera.stop();
  overlay.replaceChildren();
  [followed, eased, samples, lastFrame, spoken] = [null, null, [], null, -SPOKEN_EVERY];
  find("#live-ribbon").replaceChildren();
  find("#live-note").textContent = "";
  setControls("off");
}

function setControls(state) {
  find("#live").dataset.camera = state;
  find("#live-start").hidden = state === "on";
  find("#live-start").disabled = state === "starting";
  for (const id of ["#live-stop", "#live-keep", "#live-reading"]) find(id).hidden = state !== "on";
}

// Phones have a front and a back camera; other computers tell cameras apart by their ids.
function otherCamera({ facingMode, deviceId }) {
  if (facingMode) return { facingMode: facingMode === "user" ? "environment" : "user" };
  return { deviceId: { exact: cameras[(cameras.indexOf(deviceId) + 1) % cameras.length] } };
}

function keepMoment() {
  if (!lastFrame) return;
  const file = new File([lastFrame], "moment.jpg", { type: lastFrame.type });
  openTab("photos");
  addPhotos([file]);
}

export function startLive() {
  setControls("off");
  find("#live-start").addEventListener("click", start);
  find("#live-stop").addEventListener("click", stopLive);
  find("#live-keep").addEventListener("click", keepMoment);
  find("#live-mirror").addEventListener("change", ({ target }) => (camera.mirrored = target.checked));
  find("#live-switch").addEventListener("click", () => {
    which = otherCamera(camera.settings);
    if (which.facingMode) find("#live-mirror").checked = camera.mirrored = which.facingMode === "user";
    start();
  });
}
