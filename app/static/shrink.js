// Photos that are larger than the server accepts are made smaller before they leave the browser.

const QUALITY = 0.92;
const MARGIN = 0.95; // what rounding may cost

export async function shrinkIfNeeded(photo, { max_bytes: maxBytes, max_pixels: maxPixels }) {
  const bitmap = await createImageBitmap(photo).catch(() => null);
  if (!bitmap) return photo; // the server says what is wrong with it
  const pixels = bitmap.width * bitmap.height;
  if (photo.size <= maxBytes && pixels <= maxPixels) return photo;
  // A JPEG of a photo takes about half a byte per pixel at this quality; a whole byte is on the safe side.
  const scale = Math.min(1, MARGIN * Math.sqrt(Math.min(maxPixels, maxBytes) / pixels));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.floor(scale * bitmap.width));
  canvas.height = Math.max(1, Math.floor(scale * bitmap.height));
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob((smaller) => resolve(smaller ?? photo), "image/jpeg", QUALITY));
}
