// Shrinks photos that exceed the server's limits before they are uploaded.

const QUALITY = 0.92;
const MARGIN = 0.95; // for rounding

export async function shrinkIfNeeded(photo, { max_bytes: maxBytes, max_pixels: maxPixels }) {
  const bitmap = await createImageBitmap(photo).catch(() => null);
  if (!bitmap) return photo; // let the server report the problem
  const pixels = bitmap.width * bitmap.height;
  if (photo.size <= maxBytes && pixels <= maxPixels) return photo;
  // At this quality, a JPEG takes about half a byte per pixel; assume a whole byte to be safe.
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
