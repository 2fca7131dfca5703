"""TensorFlow's files without TensorFlow, and TensorFlow in a process of its own."""
