# SPDX-License-Identifier: MIT
"""What tests/guest/run is made of."""
