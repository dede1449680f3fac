"""The shipped guards, one per module, registered through the entry-point group `gateway.guards`."""
