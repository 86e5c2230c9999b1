"""What the bus says, loop by loop: signals and restraints, within the time a loop may take."""
