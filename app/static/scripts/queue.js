// The queue of photos: each is shrunk, sent and kept with its result, one at a time.
//
// A photo is { file, name, isSample, state, progress, problem, degrees, wholePicture, maxFaces, picture, response, faces,
// selected }. Its state is waiting, sending, done, failed or canceled; `faces` are those of the response, upright and
// from left to right.

import { Problem, loadSettings, recognizePatiently } from "./api.js";
import { preparePicture, turnFaces, turnPicture } from "./picture.js";

const UNREADABLE = [415, 422]; // statuses for a file that the server cannot decode
let photos = [];
let working = null; // the photo being sent
let transfer = null; // its AbortController
let onChange = () => {};

export const allPhotos = () => photos;
export const isPending = ({ state }) => state === "waiting" || state === "sending";

// `listener` gets each photo that has changed.
export function watchQueue(listener) {
  onChange = listener;
}

// Adds files and returns their photos. Samples make room for them.
export function enqueue(files, isSample) {
  removeSamples();
  const options = { degrees: 0, wholePicture: false, maxFaces: null };
  const added = files.map((file) => ({
    file,
    name: file.name || "photo",
    isSample,
    state: "waiting",
    progress: 0,
    ...options,
    picture: null,
    faces: [],
    selected: 0,
  }));
  photos.push(...added);
  work();
  return added;
}

// Sends a photo again with other options.
export function resend(photo, changes = {}) {
  if (photo === working) transfer.abort();
  Object.assign(photo, changes, { state: "waiting", progress: 0, problem: null });
  onChange(photo);
  work(photo);
}

export function cancel(which) {
  for (const photo of which) {
    if (photo === working) transfer.abort();
    else if (photo.state === "waiting") {
      photo.state = "canceled";
      onChange(photo);
    }
  }
}

function removeSamples() {
  const samples = photos.filter(({ isSample }) => isSample);
  cancel(samples);
  for (const { picture } of samples) if (picture?.url) URL.revokeObjectURL(picture.url);
  photos = photos.filter(({ isSample }) => !isSample);
}

async function work(preferred = null) {
  if (working) return;
  working = preferred ?? photos.find(({ state }) => state === "waiting") ?? null;
  if (!working) return;
  const photo = working;
  transfer = new AbortController();
  Object.assign(photo, { state: "sending", progress: 0 });
  onChange(photo);
  try {
    await process(photo, transfer.signal);
    photo.state = "done";
  } catch (error) {
    if (error.name !== "AbortError") Object.assign(photo, { state: "failed", problem: asProblem(error) });
    else if (photo.state === "sending") photo.state = "canceled"; // otherwise it waits to be sent again
  } finally {
    working = null;
    onChange(photo);
    work();
  }
}

function asProblem(error) {
  if (error instanceof Problem) return error;
  return new Problem({ title: "This photo cannot be sent", detail: `${error.message}.`.replace("..", ".") });
}

async function process(photo, signal) {
  const { max_bytes: maxBytes } = await loadSettings();
  const { degrees, wholePicture, maxFaces } = photo;
  await prepare(photo, { maxBytes, degrees });
  onChange(photo);
  const onProgress = (progress) => {
    photo.progress = progress;
    onChange(photo, true);
  };
  const send = () => recognizePatiently(photo.picture.blob, { wholePicture, maxFaces, signal, onProgress });
  const response = await send().catch(async (error) => {
    if (!UNREADABLE.includes(error.status) || !photo.picture.url) throw error;
    await prepare(photo, { maxBytes, degrees, reencode: true }); // the browser can draw what the server cannot read
    return send();
  });
  signal.throwIfAborted();
  await keepResult(photo, response, signal);
}

async function prepare(photo, options) {
  if (photo.picture?.url) URL.revokeObjectURL(photo.picture.url);
  photo.faces = [];
  photo.picture = await preparePicture(photo.file, options);
}

async function keepResult(photo, response, signal) {
  const { turn, width, height } = response;
  if (!photo.picture.url)
    Object.assign(photo.picture, turn % 180 ? { width: height, height: width } : { width, height });
  else if (turn) photo.picture = await turnPicture(photo.picture, turn);
  signal.throwIfAborted();
  photo.degrees = (photo.degrees + turn) % 360;
  const upright = turnFaces(response);
  const fromLeft = upright.map((_, index) => index).sort((one, other) => center(upright[one]) - center(upright[other]));
  photo.faces = fromLeft.map((index) => upright[index]);
  photo.response = { ...response, faces: fromLeft.map((index) => response.faces[index]) };
  photo.selected = Math.min(photo.selected, Math.max(0, photo.faces.length - 1));
}

const center = ({ box: [left, , width] }) => left + width / 2;
