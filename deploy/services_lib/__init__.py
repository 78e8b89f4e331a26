"""The parts of `deploy/services`. Standard library only: it must run before any environment of the project exists."""
