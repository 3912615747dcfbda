"""Time as a value: units and, for the shell alone, the machine's clock."""
