"""Hard budgets and rate limits: what an exchange may spend is reserved before it is sent."""
