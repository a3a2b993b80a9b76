"""The web application: photos in, expressions out. It knows HTTP and pictures; faces are the recognizer's business."""
