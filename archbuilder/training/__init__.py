"""Training: data, augmentation, the loop, run folders. Its modules load TensorFlow; this package by itself does not."""

import os

# TensorFlow's own notes about the machine are not for whoever reads our output; its warnings and errors stay.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "1")
