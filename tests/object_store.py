"""An S3 server for tests: moto's, which speaks the protocol over a real socket."""

from __future__ import annotations

import contextlib
import urllib.request
from collections.abc import Iterator

import obstore
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

BUCKET = "results"
KEY, SECRET = "tester", "of-the-tests"
_SCOPE = f"{KEY}/20260101/us-east-1/s3/aws4_request"
_SIGNED = f"AWS4-HMAC-SHA256 Credential={_SCOPE}, SignedHeaders=host, Signature=0"


class ObjectStore:
    def __init__(self, url: str) -> None:
        self.variables = {
            "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }  # fmt: skip
        request = urllib.request.Request(f"{url}/{BUCKET}", method="PUT", headers={"Authorization": _SIGNED})
        urllib.request.urlopen(request).close()
        self._store = S3Store(
            BUCKET, endpoint=url, access_key_id=KEY, secret_access_key=SECRET, region="us-east-1",
            client_options={"allow_http": True},
        )  # fmt: skip

    def put(self, key: str, content: bytes = b"1") -> None:
        obstore.put(self._store, key, content)

    def delete(self, key: str) -> None:
        obstore.delete(self._store, key)


@contextlib.contextmanager
def serving() -> Iterator[ObjectStore]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield ObjectStore(f"http://{host}:{port}")
    finally:
        server.stop()
