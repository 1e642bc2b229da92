"""A fake of the Hugging Face Hub, as far as an upload needs it: it checks tokens, hashes and sizes.

The requests are those that huggingface_hub 2.4 sends with HF_HUB_DISABLE_XET: create a repository, ask how to
upload each file, the LFS batch API (git-lfs's specification), PUT of the bytes, and a commit as NDJSON.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOKEN, READ_TOKEN = "hf_write", "hf_read"


class Hub:
    """The repositories: name → private or not, and files."""

    def __init__(self):
        self.repositories: dict[str, dict] = {}
        self.objects: dict[str, bytes] = {}
        self.address = ""


@contextmanager
def serve_hub():
    """Yield the hub while it answers on the loopback address."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def reply(self, status, value):
            content = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            if "error" in value:
                self.send_header("X-Error-Message", value["error"])
            self.end_headers()
            self.wfile.write(content)

        def is_allowed(self):
            token = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if token == TOKEN:
                return True
            if token == READ_TOKEN:
                self.reply(403, {"error": "You don't have the rights to create a model"})
            else:
                self.reply(401, {"error": "Invalid username or password."})
            return False

        def do_GET(self):
            self.reply(404, {"error": "Not found"})

        def do_PUT(self):
            content = self.rfile.read(int(self.headers["Content-Length"]))
            oid = self.path.rpartition("/")[2]
            if hashlib.sha256(content).hexdigest() != oid:
                self.reply(400, {"error": "wrong hash"})
                return
            hub.objects[oid] = content
            self.reply(200, {})

        def do_POST(self):
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            path = self.path.partition("?")[0]
            if not self.is_allowed():
                return
            if path == "/api/repos/create":
                body = json.loads(content)
                name = f"{body['organization']}/{body['name']}" if body.get("organization") else body["name"]
                if name in hub.repositories:
                    self.reply(409, {"error": "You already created this model repo", "url": name})
                    return
                hub.repositories[name] = {
                    "private": body.get("visibility") == "private",
                    "files": {},
                    "card": None,
                }
                self.reply(200, {"url": f"{hub.address}/{name}", "name": name, "id": name})
            elif path == "/api/validate-yaml":
                self.reply(200, {"errors": [], "warnings": []})
            elif "/preupload/" in path:
                files = json.loads(content)["files"]
                modes = [
                    {
                        "path": file["path"],
                        "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                        "shouldIgnore": False,
                        "oid": None,
                    }
                    for file in files
                ]
                self.reply(200, {"files": modes})
            elif path.endswith("/info/lfs/objects/batch"):
                objects = [
                    {**one, "actions": {"upload": {"href": f"{hub.address}/objects/{one['oid']}"}}}
                    for one in json.loads(content)["objects"]
                ]
                self.reply(200, {"transfer": "basic", "objects": objects})
            elif "/commit/" in path:
                self.commit(path, [json.loads(line) for line in content.splitlines()])
            else:
                self.reply(404, {"error": f"no such path: {path}"})

        def commit(self, path, lines):
            name = "/".join(path.split("/")[3:5])
            files = hub.repositories[name]["files"]
            for line in lines:
                value = line["value"]
                if line["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif line["key"] == "lfsFile":
                    files[value["path"]] = hub.objects[value["oid"]]
                    assert len(files[value["path"]]) == value["size"]
            oid = "0" * 40
            url = f"{hub.address}/{name}/commit/{oid}"
            self.reply(200, {"success": True, "commitOid": oid, "commitUrl": url, "hookOutput": ""})

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield hub
        finally:
            server.shutdown()
