"""Encoders and cross-encoders: the settings in their files, and their forward passes."""

import os

# This must be set before torch is loaded. A thread that waits for the others then sleeps. By default it spins and
# takes the core from the very thread that it waits for: beside other work, training took ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
