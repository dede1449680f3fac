"""Gatehouse's machinery: the only package that runs. `gateway.app` is its composition root."""
