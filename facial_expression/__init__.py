"""Facial-expression recognition on FER2013: the pipeline's methods, and the recognizer that puts a network to use."""

import os

# From 1.32 on, ONNX Runtime for Linux writes a device id and an event database below the home directory and connects to
# its maker, unless this is set before its import; this file runs before every module of the package. 1.32 reads the
# first name, newer versions also the second. `disable_telemetry_events()` comes too late.
os.environ["ORT_DISABLE_TELEMETRY"] = os.environ["ORT_TELEMETRY_DISABLED"] = "1"
