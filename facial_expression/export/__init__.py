"""Export for serving: ONNX files, quantization and the model card."""
