"""A fake GitHub for tests: GraphQL with GitHub's schema, REST with GitHub's OpenAPI, rate limits and faults."""

from fake_github.app import FakeGitHub
from fake_github.world import World

__all__ = ["FakeGitHub", "World"]
