"""Models of Keras 3, translated into networks of torch layers."""
