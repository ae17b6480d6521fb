# SPDX-License-Identifier: Apache-2.0
"""Applies steps on a host. Standard library only: it arrives as a zip over SSH and leaves with the connection."""
