// One picture from the camera, after the browser has asked.

const dialog = document.querySelector("#camera-dialog");
const video = document.querySelector("#camera-video");
const note = document.querySelector("#camera-note");
const take = document.querySelector("#camera-take");
const request = note.textContent;
let onPhoto = () => {};
let openings = 0;

export async function openCamera(callback) {
  onPhoto = callback;
  const opening = ++openings;
  note.textContent = request;
  take.disabled = true;
  dialog.showModal();
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } }, audio: false });
    if (!dialog.open || opening !== openings) return stop(stream); // it was closed while the browser asked
    video.srcObject = stream;
    await video.play();
    take.disabled = false;
    take.focus();
  } catch {
    note.textContent = "The camera cannot be used: there is none, or the browser was told not to share it.";
  }
}

function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function takePicture() {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((photo) => onPhoto(photo), "image/jpeg", 0.92);
  dialog.close();
}

take.addEventListener("click", takePicture);
document.querySelector("#camera-cancel").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  stop(video.srcObject);
  video.srcObject = null;
});
