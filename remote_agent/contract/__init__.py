# SPDX-License-Identifier: Apache-2.0
"""What controller and host agree on: steps and outcomes, the frames that carry them, the journal's records.

Standard library only: the runner takes this package along to hosts that have nothing but python3.
"""
