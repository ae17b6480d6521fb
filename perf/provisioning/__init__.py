# SPDX-License-Identifier: Apache-2.0
"""One small state of a host, brought about by several tools: what perf/provision.py runs in turns."""
