"""Runtimes: what runs the networks that encoders carry, one file each; `registry` names them."""
