# SPDX-License-Identifier: Apache-2.0
"""The names of preflight checks that both sides read: the agent makes them, the controller acts on them."""

UNSUPPORTED = "unsupported"
"""A combination that this host cannot run, for a known reason: it is skipped there, and the run goes on with the others."""
