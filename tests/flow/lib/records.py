"""Access records. The names of the log's keys stand here and nowhere else."""
import json

KEYS = {
    "time": "time", "request_id": "request_id", "client": "client", "method": "method", "host": "host",
    "target": "target", "protocol": "protocol",
    "tls_version": "tls_version", "tls_cipher": "tls_cipher", "tls_name": "tls_name", "status": "status", "cause": "cause", "detail": "detail",
    "limit": "limit", "limit_status": "limit_status",
    "site": "site", "route": "route", "upstream": "upstream", "endpoint": "endpoint",
    "bytes_in": "bytes_in", "bytes_out": "bytes_out", "attempts": "attempts", "reused": "reused",
    "tunneled": "tunneled",
    "queue_us": "queue_us", "connect_us": "connect_us", "first_byte_us": "first_byte_us", "upload_us": "upload_us", "total_us": "total_us",
    "referer": "referer", "user_agent": "user_agent",
}
NO_FAULT = "ok"


class Record:
    """One line of the JSON access log: record.cause, record.status, ... None when the line does not have it."""

    def __init__(self, line):
        self.values = json.loads(line)

    def __getattr__(self, name):
        return self.values.get(KEYS[name])

    def __repr__(self):
        return f"Record({self.values})"
