// Requests to the server. All addresses are relative, so that the page also works below a prefix.

import { pause } from "./dom.js";
import { setEmotions } from "./emotions.js";

export const RECOGNIZE = "api/v1/recognize";
const ATTEMPTS = 4;
const LONGEST_WAIT = 10; // seconds
let apiKey = "";

export class Problem extends Error {
  constructor({ title = "Unexpected answer", detail = "Try again later.", status = 0, type = "" }, retryAfter = null) {
    super(title);
    Object.assign(this, { title, detail, status, type, retryAfter });
  }
}

export const UNREACHABLE = { title: "Server unreachable", detail: "Check your connection and try again.", status: 0 };

export function setApiKey(key) {
  apiKey = key;
}

export async function fetchJson(path) {
  const response = await fetch(path).catch(() => null);
  if (!response) throw new Problem(UNREACHABLE);
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(body);
  return body;
}

let settings = null;

// The server's limits and emotions; requested again if the previous request failed.
export function loadSettings() {
  settings ??= fetchJson("api/v1/settings").then(
    (loaded) => {
      setEmotions(loaded.emotions);
      return loaded;
    },
    (error) => {
      settings = null;
      throw error;
    },
  );
  return settings;
}

export function recognizeAddress({ wholePicture, maxFaces } = {}) {
  const query = new URLSearchParams();
  if (wholePicture) query.set("whole_picture", "true");
  if (maxFaces) query.set("max_faces", maxFaces);
  const text = query.toString(); // older browsers lack `query.size`
  return text ? `${RECOGNIZE}?${text}` : RECOGNIZE;
}

// Sends a picture and returns the response's body; `onProgress` gets the share of the bytes sent, from 0 to 1.
// Rejects with a Problem, or with an AbortError once the signal is aborted.
export function recognize(picture, { wholePicture, maxFaces, signal, onProgress = () => {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not report the progress of an upload
    const abort = () => request.abort();
    request.open("POST", recognizeAddress({ wholePicture, maxFaces }));
    request.responseType = "json";
    if (apiKey) request.setRequestHeader("X-API-Key", apiKey);
    request.upload.onprogress = ({ loaded, total }) => onProgress(total ? loaded / total : 0);
    request.onload = () => {
      const { status, response } = request;
      if (status === 200 && response) resolve(response);
      else reject(new Problem({ status, ...response }, Number(request.getResponseHeader("Retry-After")) || null));
    };
    request.onerror = () => reject(new Problem(UNREACHABLE));
    request.onabort = () => reject(new DOMException("Canceled", "AbortError"));
    request.onloadend = () => signal?.removeEventListener("abort", abort);
    if (signal?.aborted) return reject(new DOMException("Canceled", "AbortError"));
    signal?.addEventListener("abort", abort);
    const form = new FormData();
    form.append("image", picture, "photo");
    request.send(form);
  });
}

// Like recognize, but waits and tries again while the server is busy.
export async function recognizePatiently(picture, options) {
  for (let attempt = 1; ; attempt++) {
    try {
      return await recognize(picture, options);
    } catch (error) {
      const isBusy = error instanceof Problem && (error.status === 503 || error.status === 429);
      if (!isBusy || attempt === ATTEMPTS) throw error;
      await pause(1000 * Math.min(error.retryAfter ?? attempt, LONGEST_WAIT), options?.signal);
    }
  }
}
