# SPDX-License-Identifier: Apache-2.0
"""Benchmarks, one module a context. Standard library only: the controller reads the catalogue too."""
