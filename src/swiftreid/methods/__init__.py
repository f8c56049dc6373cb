"""One file per paper; `build_method` makes a method by name."""

from swiftreid.methods.catalogue import METHODS, build_method, learns_attributes, method_config
from swiftreid.methods.method import Method, NetworkConfig

__all__ = ["METHODS", "Method", "NetworkConfig", "build_method", "learns_attributes", "method_config"]
