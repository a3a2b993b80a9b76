// The camera: a preview, and the same pixels sent to the server a few times a second.

import { Problem, UNREACHABLE, recognize } from "./api.js";
import { pause } from "./dom.js";
import { toBlob } from "./picture.js";

export const FRAMES_PER_SECOND = 5;
const LONGEST_SIDE = 640;
const QUALITY = 0.8;
const FACES = 10;

const TROUBLES = {
  NotAllowedError: [
    "The camera is not allowed",
    "Allow it in the address bar or in the settings of the browser, then start again.",
  ],
  NotFoundError: ["No camera found", "Connect one, then start again."],
  NotReadableError: ["The camera is in use", "Close the other program or page that uses it, then start again."],
};

export const CAMERA_ENDED = { title: "The camera stopped", detail: "Connect or allow it, then start again." };

export function explainTrouble(error) {
  if (error instanceof Problem) return [error.title, error.detail];
  return TROUBLES[error.name] ?? ["The camera does not start", error.message];
}

// Draws what the camera sees on a canvas, mirrored if wanted, and has each frame of that canvas recognized.
// `onFrame` gets the response, the seconds since the start and the frame sent; `onTrouble` a Problem, or null once it
// is over.
export class Camera {
  mirrored = true;
  #video = Object.assign(document.createElement("video"), { muted: true, playsInline: true });
  #stream = null;
  #started = 0;

  // `onEnd` is called when the camera is unplugged or no longer allowed.
  constructor(canvas, onFrame, onTrouble, onEnd) {
    Object.assign(this, { canvas, onFrame, onTrouble, onEnd });
  }

  get isOn() {
    return this.#stream !== null;
  }

  // What the browser says of the camera in use, such as deviceId and, on phones, facingMode.
  get settings() {
    return this.#stream?.getVideoTracks()[0].getSettings() ?? {};
  }

  // Rejects with a Problem or with an error of getUserMedia; see explainTrouble.
  async start(which = { facingMode: "user" }) {
    this.stop();
    const started = ++this.#started;
    if (!navigator.mediaDevices) throw new Problem(overPlainHttp());
    const video = { ...which, width: { ideal: 1280 }, height: { ideal: 960 } };
    const stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
    if (started !== this.#started) return stopTracks(stream); // stopped or started again during the permission prompt
    this.#stream = stream;
    stream.getVideoTracks()[0].addEventListener("ended", () => started === this.#started && this.onEnd());
    this.#video.srcObject = stream;
    await this.#video.play().catch((error) => {
      if (started === this.#started) throw error; // otherwise it was stopped meanwhile
    });
    if (started !== this.#started) return;
    this.#draw(started);
    this.#recognizeFrames(started);
  }

  stop() {
    this.#started++;
    stopTracks(this.#stream);
    this.#stream = null;
    this.#video.srcObject = null;
  }

  #draw(started) {
    if (started !== this.#started) return;
    const { videoWidth, videoHeight } = this.#video;
    const scale = Math.min(1, LONGEST_SIDE / Math.max(videoWidth, videoHeight));
    const [width, height] = [Math.round(scale * videoWidth), Math.round(scale * videoHeight)];
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    const context = this.canvas.getContext("2d");
    context.setTransform(this.mirrored ? -1 : 1, 0, 0, 1, this.mirrored ? width : 0, 0);
    context.drawImage(this.#video, 0, 0, width, height);
    requestAnimationFrame(() => this.#draw(started));
  }

  async #recognizeFrames(started) {
    const start = performance.now();
    while (started === this.#started) {
      const earliest = performance.now() + 1000 / FRAMES_PER_SECOND;
      if (!document.hidden) await this.#recognizeFrame(started, start);
      await pause(earliest - performance.now());
    }
  }

  async #recognizeFrame(started, start) {
    const time = (performance.now() - start) / 1000;
    const frame = await toBlob(this.canvas, "image/jpeg", QUALITY);
    try {
      const response = await recognize(frame, { maxFaces: FACES });
      if (started !== this.#started) return;
      this.onTrouble(null);
      this.onFrame(response, time, frame);
    } catch (error) {
      if (started !== this.#started) return;
      this.onTrouble(error instanceof Problem ? error : new Problem(UNREACHABLE));
      await pause(1000 * Math.min(error.retryAfter ?? 1, 5));
    }
  }
}

function stopTracks(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function overPlainHttp() {
  const title = "This page cannot use the camera";
  if (window.isSecureContext) return { title, detail: "This browser has no access to cameras. Try another one." };
  const detail =
    `Browsers allow the camera only over HTTPS or on the same computer, but this page came over plain HTTP from ` +
    `${location.host}. Photos and videos work.`;
  return { title, detail };
}

// The face to follow: the one closest to the previous one, or the largest.
export function followFace(faces, previous) {
  if (!faces.length) return null;
  const score = previous ? (face) => -distance(face, previous) : ({ box }) => box[2];
  return faces.reduce((best, face) => (score(face) > score(best) ? face : best));
}

export function distance({ box: one }, { box: other }) {
  return Math.hypot(one[0] + one[2] / 2 - other[0] - other[2] / 2, one[1] + one[3] / 2 - other[1] - other[3] / 2);
}

// Probabilities that follow the newest ones with some inertia, so that a single odd frame does not count.
export function ease(previous, newest, weight = 0.5) {
  if (!previous) return newest;
  return Object.fromEntries(
    Object.entries(newest).map(([name, value]) => [name, (1 - weight) * (previous[name] ?? 0) + weight * value]),
  );
}
