"""A GitHub for tests: GraphQL over GitHub's own schema, REST after GitHub's own OpenAPI, its limits and faults."""

from fake_github.app import FakeGitHub
from fake_github.world import World

__all__ = ["FakeGitHub", "World"]
