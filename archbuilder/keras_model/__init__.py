"""A network as a Keras model. All of it needs TensorFlow, which is loaded first, without its notices."""

from archbuilder.machine.loading import load_tensorflow

load_tensorflow()
