"""The report of a run: one HTML file that a person would rather look at than read."""

from danlu.pipeline.report.data import ReportData
from danlu.pipeline.report.render import render_report

__all__ = ["ReportData", "render_report"]
