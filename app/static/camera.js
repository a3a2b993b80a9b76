// Takes a photo with the camera.

const dialog = document.querySelector("#camera-dialog");
const video = document.querySelector("#camera-video");
const note = document.querySelector("#camera-note");
const take = document.querySelector("#camera-take");
const permissionNote = note.textContent;
let onPhoto = () => {};
let openings = 0;

export async function openCamera(callback) {
  onPhoto = callback;
  const opening = ++openings;
  note.textContent = permissionNote;
  take.disabled = true;
  dialog.showModal();
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 } }, audio: false });
    if (!dialog.open || opening !== openings) return stop(stream); // closed during the permission prompt
    video.srcObject = stream;
    await video.play();
    take.disabled = false;
    take.focus();
  } catch {
    note.textContent = "The camera is unavailable. Check that one is connected and that this page may use it.";
  }
}

function stop(stream) {
  for (const track of stream?.getTracks() ?? []) track.stop();
}

function takePhoto() {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((photo) => onPhoto(photo), "image/jpeg", 0.92);
  dialog.close();
}

take.addEventListener("click", takePhoto);
document.querySelector("#camera-cancel").addEventListener("click", () => dialog.close());
dialog.addEventListener("close", () => {
  stop(video.srcObject);
  video.srcObject = null;
});
