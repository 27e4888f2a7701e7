"""A real S3 server for tests: Ceph's gateway from Debian, on loopback, its data in memory.

One monitor, one OSD, one gateway, as children of the test run; about a second to start. It
checks signatures, MD5s and names as a production store does.
"""

import json
import os
import shutil
import subprocess
import tempfile
import urllib.error
import urllib.request
import uuid
from functools import cached_property
from pathlib import Path
from typing import Any

from ingest.vod.s3_settings import S3Settings
from ingest.vod.s3_store import s3_client
from tests.support.processes import free_ports, wait_until

PROGRAMS = ("radosgw", "ceph-mon", "ceph-osd")
KEY_ID, SECRET = "testkey", "testsecret-" + "s" * 29
START_S = 30.0

_CONF = """
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{mon_port}
mon initial members = a
auth cluster required = none
auth service required = none
auth client required = none
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind msgr2 = false
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 2147483648
memstore page set = false
mon allow pool size one = true
mon data avail crit = 0
mon data avail warn = 0
paxos propose interval = 0.02
paxos min wait = 0.01
osd heartbeat interval = 5
mon tick interval = 1
mon election timeout = 1
rgw run sync thread = false
rgw enable quota threads = false
mon warn on pool no redundancy = false
run dir = {folder}
log file = {folder}/$type.$id.log
admin socket = {folder}/$type.$id.asok
log to stderr = false
keyring = {folder}/keyring
[mon]
mon data = {folder}/mon
[osd]
osd data = {folder}/osd
osd class load list = *
osd class default list = *
[client]
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw dynamic resharding = false
rgw override bucket index max shards = 1
rgw gc max objs = 1
rgw lc max objs = 1
rgw enable usage log = false
rgw thread pool size = 32
rgw num rados handles = 1
"""


def missing_programs() -> list[str]:
    """What has to be installed before `S3Server` can start."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


class S3Server:
    """The server; `bucket` makes a fresh one."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="golive-s3-"))
        self.port, self._mon_port = free_ports(2)
        self._children: list[subprocess.Popen[bytes]] = []
        self._gateway: subprocess.Popen[bytes] | None = None
        self._osd: subprocess.Popen[bytes] | None = None

    @cached_property
    def _client(self) -> Any:
        return s3_client(self.settings(""))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def settings(self, bucket: str, **changes: Any) -> S3Settings:
        """How a store in that bucket is opened."""
        values = {
            "endpoint": self.endpoint,
            "region": "us-west-004",
            "access_key_id": KEY_ID,
            "secret_access_key": SECRET,
        }
        return S3Settings(bucket, **{**values, **changes})

    def bucket(self, *, public: bool = False) -> str:
        """The name of a new bucket; `public` lets anybody read its objects."""
        name = f"b{uuid.uuid4().hex[:12]}"
        client = self._client
        client.create_bucket(Bucket=name)
        if public:
            may_read = {
                "Effect": "Allow",
                "Principal": "*",
                "Action": ["s3:GetObject"],
                "Resource": [f"arn:aws:s3:::{name}/*"],
            }
            policy = {"Version": "2012-10-17", "Statement": [may_read]}
            client.put_bucket_policy(Bucket=name, Policy=json.dumps(policy))
        return name

    def limited_key(self, bucket: str, actions: list[str]) -> tuple[str, str]:
        """The id and the secret of a new key that may do no more than that with the bucket."""
        name = f"u{uuid.uuid4().hex[:12]}"
        self._run(
            "radosgw-admin", "user", "create", f"--uid={name}", "--display-name=limited",
            f"--access-key={name}", f"--secret-key=secret-of-{name}", "--max-buckets=-1",
        )  # fmt: skip
        refused = {"ListBucket", "PutObject", "GetObject", "DeleteObject"} - set(actions)
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": effect,
                    "Principal": {"AWS": [f"arn:aws:iam:::user/{name}"]},
                    "Action": [f"s3:{action}" for action in sorted(named)],
                    "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
                }
                # Refused outright: else whoever wrote an object could read it all the same.
                for effect, named in (("Allow", set(actions)), ("Deny", refused))
            ],
        }
        self._client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
        return name, f"secret-of-{name}"

    def contents(self, bucket: str) -> dict[str, bytes]:
        """Every object, by its key."""
        client = self._client
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
        found = {}
        for key in keys:
            with client.get_object(Bucket=bucket, Key=key)["Body"] as body:
                found[key] = body.read()
        return found

    def start(self) -> None:
        folder, fsid = self._folder, str(uuid.uuid4())
        (folder / "mon").mkdir()
        (folder / "osd").mkdir()
        text = _CONF.format(fsid=fsid, mon_port=self._mon_port, folder=folder, port=self.port)
        (folder / "ceph.conf").write_text(text)
        keyring = str(folder / "keyring")
        everything = [
            "--cap",
            "mon",
            "allow *",
            "--cap",
            "osd",
            "allow *",
            "--cap",
            "mgr",
            "allow *",
        ]
        self._run(
            "ceph-authtool",
            "--create-keyring",
            keyring,
            "--gen-key",
            "-n",
            "mon.",
            "--cap",
            "mon",
            "allow *",
        )
        self._run("ceph-authtool", keyring, "--gen-key", "-n", "client.admin", *everything)
        monmap = str(folder / "monmap")
        at = f"[v1:127.0.0.1:{self._mon_port}]"
        self._run("monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", at, monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        self._spawn("ceph-mon", "-f", "-i", "a")
        osd = str(uuid.uuid4())
        wait_until(lambda: self._succeeds("ceph", "osd", "new", osd), START_S, "the monitor")
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._osd = self._spawn("ceph-osd", "-f", "-i", "0")
        self.start_gateway()
        self._run(
            "radosgw-admin", "user", "create", "--uid=test", "--display-name=test",
            f"--access-key={KEY_ID}", f"--secret-key={SECRET}",
        )  # fmt: skip

    def start_gateway(self) -> None:
        """Also after `kill_gateway`: what was stored is still there."""
        self._gateway = self._spawn("radosgw", "-f", "-n", "client.admin")
        wait_until(self._answers, START_S, "the gateway")

    def kill_gateway(self) -> None:
        """The store is down; its data stay."""
        assert self._gateway is not None
        self._gateway.kill()
        self._gateway.wait(10)

    def close(self) -> None:
        if "_client" in self.__dict__:
            self._client.close()
        for child in reversed(self._children):
            child.kill()
            child.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _answers(self) -> bool:
        if self._osd is not None and self._osd.poll() is not None:
            # It came before the monitor had told all of itself the cluster's id ("wrong fsid").
            self._osd = self._spawn("ceph-osd", "-f", "-i", "0")
        try:
            with urllib.request.urlopen(self.endpoint, timeout=2):
                return True
        except urllib.error.HTTPError as error:
            error.close()
            return True
        except OSError:
            return False

    @property
    def _environment(self) -> dict[str, str]:
        return {**os.environ, "CEPH_CONF": str(self._folder / "ceph.conf")}

    def _run(self, program: str, *arguments: str) -> None:
        run = subprocess.run(
            [program, *arguments],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=START_S,
            check=False,
        )
        assert run.returncode == 0, f"{program}: {run.stderr}"

    def _succeeds(self, program: str, *arguments: str) -> bool:
        run = subprocess.run(
            [program, "--connect-timeout", "2", *arguments],
            env=self._environment,
            capture_output=True,
            timeout=START_S,
            check=False,
        )
        return run.returncode == 0

    def _spawn(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{program}.err").open("ab") as log:
            child = subprocess.Popen(
                [program, *arguments],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._children.append(child)
        return child
