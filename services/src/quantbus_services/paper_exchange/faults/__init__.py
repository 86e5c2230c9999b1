"""What goes wrong at exchanges, on request: a catalogue, deterministic rules, and the layer that does it.

Every fault is a frozen entry of the catalogue. A rule switches one on and says which requests or bars it takes, the
same ones for the same seed. The layer stands around the whole exchange and does what happens on the wire.
"""
