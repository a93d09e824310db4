# __init__.py: the parts of anel-trace.
# SPDX-License-Identifier: MIT
"""Turns the record of a run into text, a trace for Perfetto, a timeline or a sequence diagram."""
