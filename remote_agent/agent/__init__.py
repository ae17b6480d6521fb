# SPDX-License-Identifier: Apache-2.0
"""The agent on a benched host: executes what is granted, journals it, and serves the journal over a root-only socket."""

VERSION = "0.1.0"
"""Of the agent; every journal names it."""
