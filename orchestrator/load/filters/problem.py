# SPDX-License-Identifier: Apache-2.0
"""What every filter, test and lookup refuses with."""

from __future__ import annotations

from jinja2 import TemplateError


class FilterError(TemplateError):
    """One sentence: why a filter, a test or a lookup has no answer."""
