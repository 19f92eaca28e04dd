"""Certificates for loopback, created for one run: a valid one, and one for each fault."""

import shutil
import ssl
import subprocess
from pathlib import Path


class Certificates:
    """A private authority, and the certificates that it signs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.authority = folder / "authority.pem"
        self._run(
            "req", "-x509", "-subj", "/CN=tests", "-keyout", "authority.key", "-out", "authority.pem", "-days", "2"
        )

    def serving(self, name: str, *, is_signed: bool = True, is_expired: bool = False) -> ssl.SSLContext:
        """Return a server's TLS context with a certificate for this name or address."""
        stem = f"{name}-{is_signed}-{is_expired}"
        kind = "IP" if name.replace(".", "").isdecimal() else "DNS"
        self._run("req", "-subj", f"/CN={name}", "-keyout", f"{stem}.key", "-out", f"{stem}.csr")
        (self._folder / f"{stem}.ext").write_text(f"subjectAltName={kind}:{name}\n")
        dates = ["-not_before", "20200101000000Z", "-not_after", "20200102000000Z"] if is_expired else ["-days", "2"]
        signer = (
            ["-CA", "authority.pem", "-CAkey", "authority.key", "-CAcreateserial"]
            if is_signed
            else ["-key", f"{stem}.key"]
        )
        if is_expired:
            self._expired(stem)
        else:
            self._run(
                "x509",
                "-req",
                "-in",
                f"{stem}.csr",
                "-extfile",
                f"{stem}.ext",
                "-out",
                f"{stem}.pem",
                *signer,
                *dates,
                has_key=False,
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._folder / f"{stem}.pem", self._folder / f"{stem}.key")
        return context

    def _expired(self, stem: str) -> None:
        """Sign with dates in the past, which only `openssl ca` supports in every version."""
        (self._folder / "index.txt").write_text("")
        (self._folder / "serial").write_text("01\n")
        (self._folder / "ca.cnf").write_text(
            "[ca]\ndefault_ca=own\n[own]\ndatabase=index.txt\nserial=serial\nnew_certs_dir=.\ndefault_md=sha256\n"
            "policy=any\n[any]\ncommonName=supplied\n"
        )
        self._run(
            "ca", "-batch", "-config", "ca.cnf", "-in", f"{stem}.csr", "-out", f"{stem}.pem", "-cert", "authority.pem", "-keyfile",
            "authority.key", "-startdate", "20200101000000Z", "-enddate", "20200102000000Z", "-extfile", f"{stem}.ext", "-notext",
            has_key=False,
        )  # fmt: skip

    def _run(self, *words: str, has_key: bool = True) -> None:
        openssl = shutil.which("openssl")
        assert openssl, "the tests need openssl: tools/install-system-packages openssl"
        key = ["-newkey", "rsa:2048", "-nodes"] if has_key else []
        subprocess.run([openssl, *words, *key], cwd=self._folder, check=True, capture_output=True)
