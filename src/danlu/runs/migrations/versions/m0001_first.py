"""Runs, their artifacts, model versions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the first tables."""
    op.create_table(
        "runs",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("name", sa.String, nullable=False, index=True),
        sa.Column("status", sa.String, nullable=False),
        sa.Column("command", sa.String, nullable=False),
        sa.Column("started", sa.String, nullable=False),
        sa.Column("finished", sa.String),
        sa.Column("folder", sa.String, nullable=False),
        sa.Column("error", sa.String),
    )
    op.create_table(
        "run_artifacts",
        sa.Column("run_id", sa.String, sa.ForeignKey("runs.id"), primary_key=True),
        sa.Column("stage", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("key", sa.String, nullable=False, index=True),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("status", sa.String, nullable=False),
    )
    op.create_table(
        "model_versions",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("run_id", sa.String, sa.ForeignKey("runs.id"), nullable=False),
        sa.Column("export_key", sa.String, nullable=False),
        sa.Column("path", sa.String, nullable=False),
        sa.Column("created", sa.String, nullable=False),
        sa.Column("scores", sa.JSON, nullable=False),
        sa.UniqueConstraint("name", "export_key"),
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("model_versions", "run_artifacts", "runs"):
        op.drop_table(table)
