"""Servers that we call, one kind a module; `ls` shows the matrix of kinds."""
