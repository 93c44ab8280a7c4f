"""The first schema"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('connector',
    sa.Column('name', sa.String(length=128), nullable=False),
    sa.Column('engine', sa.String(length=255), nullable=False),
    sa.Column('info', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('name')
    )
    op.create_table('job',
    sa.Column('job_id', sa.String(length=32), nullable=False),
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('party_id', sa.String(length=32), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('user_id', sa.String(length=255), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('tag', sa.String(length=255), nullable=False),
    sa.Column('dsl', sa.JSON(), nullable=False),
    sa.Column('runtime_conf', sa.JSON(), nullable=False),
    sa.Column('runtime_conf_on_party', sa.JSON(), nullable=False),
    sa.Column('train_runtime_conf', sa.JSON(), nullable=False),
    sa.Column('roles', sa.JSON(), nullable=False),
    sa.Column('initiator_role', sa.String(length=16), nullable=False),
    sa.Column('initiator_party_id', sa.String(length=32), nullable=False),
    sa.Column('is_initiator', sa.Boolean(), nullable=False),
    sa.Column('status', sa.String(length=16), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('warning', sa.Text(), nullable=False),
    sa.Column('user', sa.JSON(), nullable=False),
    sa.Column('progress', sa.Integer(), nullable=False),
    sa.Column('ready_signal', sa.Boolean(), nullable=False),
    sa.Column('ready_time', sa.BigInteger(), nullable=True),
    sa.Column('cancel_signal', sa.Boolean(), nullable=False),
    sa.Column('cancel_time', sa.BigInteger(), nullable=True),
    sa.Column('queued_time', sa.BigInteger(), nullable=True),
    sa.Column('stop_status', sa.String(length=16), nullable=False),
    sa.Column('rerun_signal', sa.Boolean(), nullable=False),
    sa.Column('end_scheduling_updates', sa.Integer(), nullable=False),
    sa.Column('engine_name', sa.String(length=255), nullable=True),
    sa.Column('engine_type', sa.String(length=255), nullable=True),
    sa.Column('cores', sa.Integer(), nullable=False),
    sa.Column('need_cores', sa.Integer(), nullable=False),
    sa.Column('parallelism', sa.Integer(), nullable=False),
    sa.Column('memory', sa.Integer(), nullable=False),
    sa.Column('remaining_cores', sa.Integer(), nullable=False),
    sa.Column('remaining_memory', sa.Integer(), nullable=False),
    sa.Column('resource_in_use', sa.Boolean(), nullable=False),
    sa.Column('apply_resource_time', sa.BigInteger(), nullable=True),
    sa.Column('return_resource_time', sa.BigInteger(), nullable=True),
    sa.Column('inheritance_info', sa.JSON(), nullable=False),
    sa.Column('inheritance_status', sa.String(length=255), nullable=False),
    sa.Column('job_token', sa.String(length=64), nullable=False),
    sa.Column('start_time', sa.BigInteger(), nullable=True),
    sa.Column('end_time', sa.BigInteger(), nullable=True),
    sa.Column('elapsed', sa.BigInteger(), nullable=True),
    sa.Column('create_time', sa.BigInteger(), nullable=False),
    sa.Column('update_time', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('job_id', 'role', 'party_id')
    )
    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.create_index('job_by_status', ['status'], unique=False)
        batch_op.create_index('job_by_time', ['create_time'], unique=False)

    op.create_table('metric',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('job_id', sa.String(length=32), nullable=False),
    sa.Column('component_name', sa.String(length=128), nullable=False),
    sa.Column('task_version', sa.Integer(), nullable=False),
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('party_id', sa.String(length=32), nullable=False),
    sa.Column('namespace', sa.String(length=255), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('metric_type', sa.String(length=255), nullable=False),
    sa.Column('points', sa.JSON(), nullable=False),
    sa.Column('meta', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('metric', schema=None) as batch_op:
        batch_op.create_index('metric_by_task', ['job_id', 'component_name', 'role', 'party_id'], unique=False)

    op.create_table('model',
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('party_id', sa.String(length=32), nullable=False),
    sa.Column('model_id', sa.String(length=255), nullable=False),
    sa.Column('model_version', sa.String(length=64), nullable=False),
    sa.Column('job_id', sa.String(length=32), nullable=False),
    sa.Column('roles', sa.JSON(), nullable=False),
    sa.Column('initiator_role', sa.String(length=16), nullable=False),
    sa.Column('initiator_party_id', sa.String(length=32), nullable=False),
    sa.Column('runtime_conf', sa.JSON(), nullable=False),
    sa.Column('train_dsl', sa.JSON(), nullable=False),
    sa.Column('train_runtime_conf', sa.JSON(), nullable=False),
    sa.Column('runtime_conf_on_party', sa.JSON(), nullable=False),
    sa.Column('inference_dsl', sa.JSON(), nullable=False),
    sa.Column('fate_version', sa.String(length=255), nullable=False),
    sa.Column('parent', sa.Boolean(), nullable=True),
    sa.Column('parent_info', sa.JSON(), nullable=False),
    sa.Column('loaded_times', sa.Integer(), nullable=False),
    sa.Column('imported', sa.Integer(), nullable=False),
    sa.Column('size', sa.BigInteger(), nullable=False),
    sa.Column('archive_sha256', sa.String(length=255), nullable=False),
    sa.Column('archive_from_ip', sa.String(length=255), nullable=False),
    sa.Column('create_time', sa.BigInteger(), nullable=False),
    sa.Column('update_time', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('role', 'party_id', 'model_id', 'model_version')
    )
    op.create_table('model_service',
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('party_id', sa.String(length=32), nullable=False),
    sa.Column('service_id', sa.String(length=255), nullable=False),
    sa.Column('model_id', sa.String(length=255), nullable=False),
    sa.Column('model_version', sa.String(length=64), nullable=False),
    sa.Column('servings', sa.JSON(), nullable=False),
    sa.Column('update_time', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('role', 'party_id', 'service_id')
    )
    op.create_table('model_tag',
    sa.Column('job_id', sa.String(length=32), nullable=False),
    sa.Column('tag_name', sa.String(length=128), nullable=False),
    sa.PrimaryKeyConstraint('job_id', 'tag_name')
    )
    op.create_table('output',
    sa.Column('job_id', sa.String(length=32), nullable=False),
    sa.Column('component_name', sa.String(length=128), nullable=False),
    sa.Column('task_version', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('party_id', sa.String(length=32), nullable=False),
    sa.Column('kind', sa.String(length=8), nullable=False),
    sa.Column('name', sa.String(length=64), nullable=False),
    sa.Column('task_id', sa.String(length=255), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('table_namespace', sa.String(length=255), nullable=False),
    sa.Column('table_name', sa.String(length=255), nullable=False),
    sa.Column('path', sa.Text(), nullable=False),
    sa.Column('cache_key', sa.String(length=255), nullable=False),
    sa.Column('info', sa.JSON(), nullable=False),
    sa.Column('create_time', sa.BigInteger(), nullable=False),
    sa.Column('update_time', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('job_id', 'component_name', 'task_version', 'role', 'party_id', 'kind', 'name')
    )
    op.create_table('summary',
    sa.Column('job_id', sa.String(length=32), nullable=False),
    sa.Column('component_name', sa.String(length=128), nullable=False),
    sa.Column('task_version', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('party_id', sa.String(length=32), nullable=False),
    sa.Column('values', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('job_id', 'component_name', 'task_version', 'role', 'party_id')
    )
    op.create_table('table_meta',
    sa.Column('namespace', sa.String(length=128), nullable=False),
    sa.Column('name', sa.String(length=128), nullable=False),
    sa.Column('engine', sa.String(length=255), nullable=False),
    sa.Column('address', sa.JSON(), nullable=False),
    sa.Column('partitions', sa.Integer(), nullable=False),
    sa.Column('count', sa.BigInteger(), nullable=True),
    sa.Column('schema', sa.JSON(), nullable=False),
    sa.Column('preview', sa.JSON(), nullable=False),
    sa.Column('id_delimiter', sa.String(length=16), nullable=False),
    sa.Column('have_head', sa.Boolean(), nullable=False),
    sa.Column('extend_sid', sa.Boolean(), nullable=False),
    sa.Column('auto_increasing_sid', sa.Boolean(), nullable=False),
    sa.Column('origin', sa.String(length=255), nullable=False),
    sa.Column('disable', sa.Boolean(), nullable=False),
    sa.Column('description', sa.Text(), nullable=False),
    sa.Column('parent_namespace', sa.String(length=255), nullable=False),
    sa.Column('parent_name', sa.String(length=255), nullable=False),
    sa.Column('create_time', sa.BigInteger(), nullable=False),
    sa.Column('update_time', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('namespace', 'name')
    )
    op.create_table('table_use',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('namespace', sa.String(length=255), nullable=False),
    sa.Column('name', sa.String(length=255), nullable=False),
    sa.Column('job_id', sa.String(length=32), nullable=False),
    sa.PrimaryKeyConstraint('id')
    )
    with op.batch_alter_table('table_use', schema=None) as batch_op:
        batch_op.create_index('table_use_by_table', ['namespace', 'name'], unique=False)

    op.create_table('tag',
    sa.Column('name', sa.String(length=128), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('create_time', sa.BigInteger(), nullable=False),
    sa.Column('update_time', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('name')
    )
    op.create_table('task',
    sa.Column('job_id', sa.String(length=32), nullable=False),
    sa.Column('component_name', sa.String(length=128), nullable=False),
    sa.Column('task_version', sa.Integer(), autoincrement=False, nullable=False),
    sa.Column('role', sa.String(length=16), nullable=False),
    sa.Column('party_id', sa.String(length=32), nullable=False),
    sa.Column('task_id', sa.String(length=255), nullable=False),
    sa.Column('component_module', sa.String(length=128), nullable=False),
    sa.Column('position', sa.Integer(), nullable=False),
    sa.Column('party_position', sa.Integer(), nullable=False),
    sa.Column('plan', sa.JSON(), nullable=False),
    sa.Column('interrupted', sa.Boolean(), nullable=False),
    sa.Column('retry_at', sa.BigInteger(), nullable=False),
    sa.Column('initiator_role', sa.String(length=16), nullable=False),
    sa.Column('initiator_party_id', sa.String(length=32), nullable=False),
    sa.Column('federated_mode', sa.String(length=16), nullable=False),
    sa.Column('federated_status_collect_type', sa.String(length=8), nullable=False),
    sa.Column('status', sa.String(length=16), nullable=False),
    sa.Column('party_status', sa.String(length=16), nullable=False),
    sa.Column('run_on_this_party', sa.Boolean(), nullable=False),
    sa.Column('auto_retries', sa.Integer(), nullable=False),
    sa.Column('auto_retry_delay', sa.Integer(), nullable=False),
    sa.Column('worker_id', sa.String(length=255), nullable=True),
    sa.Column('cmd', sa.JSON(), nullable=True),
    sa.Column('run_ip', sa.String(length=255), nullable=True),
    sa.Column('run_port', sa.Integer(), nullable=True),
    sa.Column('run_pid', sa.Integer(), nullable=True),
    sa.Column('provider_info', sa.JSON(), nullable=False),
    sa.Column('component_parameters', sa.JSON(), nullable=False),
    sa.Column('engine_conf', sa.JSON(), nullable=False),
    sa.Column('kill_status', sa.Boolean(), nullable=False),
    sa.Column('error_report', sa.Text(), nullable=False),
    sa.Column('progress', sa.Integer(), nullable=False),
    sa.Column('cpu_seconds', sa.Double(), nullable=True),
    sa.Column('peak_memory', sa.BigInteger(), nullable=True),
    sa.Column('task_token', sa.String(length=64), nullable=False),
    sa.Column('events_read', sa.BigInteger(), nullable=False),
    sa.Column('elapsed', sa.BigInteger(), nullable=True),
    sa.Column('start_time', sa.BigInteger(), nullable=True),
    sa.Column('end_time', sa.BigInteger(), nullable=True),
    sa.Column('create_time', sa.BigInteger(), nullable=False),
    sa.Column('update_time', sa.BigInteger(), nullable=False),
    sa.PrimaryKeyConstraint('job_id', 'component_name', 'task_version', 'role', 'party_id')
    )
    with op.batch_alter_table('task', schema=None) as batch_op:
        batch_op.create_index('task_by_status', ['status'], unique=False)



def downgrade() -> None:
    with op.batch_alter_table('task', schema=None) as batch_op:
        batch_op.drop_index('task_by_status')

    op.drop_table('task')
    op.drop_table('tag')
    with op.batch_alter_table('table_use', schema=None) as batch_op:
        batch_op.drop_index('table_use_by_table')

    op.drop_table('table_use')
    op.drop_table('table_meta')
    op.drop_table('summary')
    op.drop_table('output')
    op.drop_table('model_tag')
    op.drop_table('model_service')
    op.drop_table('model')
    with op.batch_alter_table('metric', schema=None) as batch_op:
        batch_op.drop_index('metric_by_task')

    op.drop_table('metric')
    with op.batch_alter_table('job', schema=None) as batch_op:
        batch_op.drop_index('job_by_time')
        batch_op.drop_index('job_by_status')

    op.drop_table('job')
    op.drop_table('connector')
