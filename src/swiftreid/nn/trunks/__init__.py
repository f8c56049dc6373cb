"""Trunks: convolutional networks before any head, one family a file, with the names of the public ImageNet files."""

from swiftreid.nn.trunks.catalogue import TRUNKS, make_trunk
from swiftreid.nn.trunks.trunk import Trunk
from swiftreid.nn.trunks.weights import load_weights

__all__ = ["TRUNKS", "Trunk", "load_weights", "make_trunk"]
