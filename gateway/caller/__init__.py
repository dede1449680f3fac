"""Callers: keys, roles, tenants, apps."""
