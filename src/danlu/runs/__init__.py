"""Where a run lives: workspace, artifacts, lineage, events, database. Without torch."""

from danlu.runs.artifacts import Artifact, ArtifactStore
from danlu.runs.events import EventLog, read_events
from danlu.runs.workspace import Workspace

__all__ = ["Artifact", "ArtifactStore", "EventLog", "Workspace", "read_events"]
