"""Training: data, augmentation, the loop, run folders. The modules load TensorFlow; the package alone does not."""
