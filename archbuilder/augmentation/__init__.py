"""What is done to images at random. All of it needs TensorFlow, which is loaded first, without its notices."""

from archbuilder.machine.loading import load_tensorflow

load_tensorflow()
