"""Cases: what a version must answer, checked against a gateway."""
