"""Configuration of a real `clickhouse` program, equivalent to what the local server over chDB offers."""

from __future__ import annotations

import hashlib
from pathlib import Path
from xml.sax.saxutils import escape

from devstack.settings import CLICKHOUSE_USER, EXPORT_BUCKET, HOST, NAMED_COLLECTION, Secrets, StackSettings

TEMPLATE = """\
<clickhouse>
    <logger><level>information</level><console>true</console></logger>
    <listen_host>{host}</listen_host>
    <interserver_listen_host>{host}</interserver_listen_host>
    <http_port>{http_port}</http_port>
    <tcp_port>{native_port}</tcp_port>
    <path>{data}/store/</path>
    <tmp_path>{data}/tmp/</tmp_path>
    <user_files_path>{data}/user_files/</user_files_path>
    <format_schema_path>{data}/format_schemas/</format_schema_path>
    <timezone>UTC</timezone>
    <mark_cache_size>268435456</mark_cache_size>
    <max_server_memory_usage>{memory}</max_server_memory_usage>
    <max_concurrent_queries>100</max_concurrent_queries>
    <query_log>
        <database>system</database>
        <table>query_log</table>
        <flush_interval_milliseconds>2000</flush_interval_milliseconds>
        <ttl>event_date + INTERVAL 7 DAY DELETE</ttl>
    </query_log>
    <named_collections>
        <{collection}>
            <url>http://{host}:{s3_port}/{bucket}/</url>
            <access_key_id>{access_key}</access_key_id>
            <secret_access_key>{secret_key}</secret_access_key>
        </{collection}>
    </named_collections>
    <profiles><default/></profiles>
    <quotas><default/></quotas>
    <users>
        <{user}>
            <password_sha256_hex>{password_hash}</password_sha256_hex>
            <networks><ip>127.0.0.1</ip></networks>
            <profile>default</profile>
            <quota>default</quota>
            <access_management>1</access_management>
            <named_collection_control>1</named_collection_control>
        </{user}>
    </users>
    <user_directories><users_xml><path>config.xml</path></users_xml></user_directories>
</clickhouse>
"""


def server_configuration(settings: StackSettings, secrets: Secrets, data: Path) -> str:
    """The whole config.xml, users included. It holds the S3 keys: write it readable by its owner only."""
    return TEMPLATE.format(
        host=HOST,
        http_port=settings.port("clickhouse_http"),
        native_port=settings.port("clickhouse_native"),
        data=escape(str(data)),
        memory=settings.clickhouse_memory_bytes,
        collection=NAMED_COLLECTION,
        s3_port=settings.port("s3"),
        bucket=EXPORT_BUCKET,
        access_key=escape(secrets.s3_access_key),
        secret_key=escape(secrets.s3_secret_key),
        user=CLICKHOUSE_USER,
        password_hash=hashlib.sha256(secrets.clickhouse_password.encode()).hexdigest(),
    )
