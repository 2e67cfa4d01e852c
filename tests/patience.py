"""How long tests wait for what has to come: no verdict may depend on how fast the machine is."""

PATIENCE = 300.0  # seconds
"""So long that only what never comes is missed, on a machine that is busy with other things, too."""
