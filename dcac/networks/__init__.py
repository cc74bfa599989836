"""Networks to embed pictures with, whoever trained them: trained runs, timm folders, ONNX files, exported programs."""
