"""Writes down what the browser does, and judges nothing."""
