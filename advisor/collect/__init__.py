"""Collect facts from git histories, GitHub, package indexes and other sources: one file per source."""
