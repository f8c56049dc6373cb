"""One file per paper; `build_method` makes a method by name."""

from swiftreid.methods.catalogue import CONFIGS, METHODS, build_method, learns_attributes
from swiftreid.methods.method import Method, NetworkConfig

__all__ = ["CONFIGS", "METHODS", "Method", "NetworkConfig", "build_method", "learns_attributes"]
