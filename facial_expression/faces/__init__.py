"""Face detection, landmarks and crops."""
