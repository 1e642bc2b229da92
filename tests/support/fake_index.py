"""A package index in memory: the files of packages with their days, as the Simple repository API lists them."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zipfile

import httpx

HOST = "https://pypi.org"
FILES = "https://files.pythonhosted.org"


class FakeIndex:
    """Answers requests for one package; `requests` has the paths that were asked for."""

    def __init__(self, package="er", links=None):
        self.package, self.links = package, links or {}
        self.files, self.contents, self.requests = [], {}, []
        self.failures = set()

    def put(self, filename, content, day, *, time="12:00:00", **entry):
        """Add a file that was uploaded on a day."""
        self.contents[f"/{filename}"] = content
        self.files.append(
            {
                "filename": filename, "url": f"{FILES}/{filename}", "size": len(content), "yanked": False,
                "upload-time": f"{day}T{time}Z", "hashes": {"sha256": hashlib.sha256(content).hexdigest()},
                **entry,
            }
        )  # fmt: skip

    def answer(self, request):
        path = request.url.path
        self.requests.append(path)
        if path in self.failures:
            return httpx.Response(403)
        if path == f"/simple/{self.package}/":
            return httpx.Response(200, json={"name": self.package, "files": self.files})
        if path == f"/pypi/{self.package}/json":
            return httpx.Response(200, json={"info": {"project_urls": self.links}})
        content = self.contents.get(path)
        return httpx.Response(404) if content is None else httpx.Response(200, content=content)

    @property
    def wire(self):
        return httpx.MockTransport(self.answer)

    @property
    def downloads(self):
        """The names of the archives that were asked for."""
        return [path[1:] for path in self.requests if path[1:] in {f["filename"] for f in self.files}]


def make_sdist(files, top="er-1.0"):
    """Return a source archive; a value that is a TarInfo is added as it is."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, content in files.items():
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            info = tarfile.TarInfo(f"{top}/{path}" if top else path)
            data = content.encode() if isinstance(content, str) else content
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return gzip.compress(buffer.getvalue(), mtime=0)


def make_wheel(files):
    """Return a wheel, or any zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return buffer.getvalue()
