# SPDX-License-Identifier: Apache-2.0
"""The CRI client: calls with deadlines, one error, and pods whose requests are built before they are timed."""
