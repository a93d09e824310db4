# certificates.py: certificates for the tests of TLS, made with the openssl tool.
# SPDX-License-Identifier: MIT

import os
import shutil
import tempfile

import harness


class Certificates:
    """In a folder that goes with the test."""

    def __init__(self, test, kind="ed25519"):
        """`kind` is a key's: ed25519, ec, rsa."""
        self.folder = tempfile.mkdtemp(prefix="anel_tls.")
        test.addCleanup(shutil.rmtree, self.folder)
        self.new_key = {"ec": ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
                        "rsa": ["rsa:2048"]}.get(kind, [kind])
        self.root = self.path("root.pem")
        self.make("root", "/CN=anel test root", "basicConstraints=critical,CA:TRUE",
                  "keyUsage=critical,keyCertSign")

    def path(self, name):
        return os.path.join(self.folder, name)

    def openssl(self, *arguments):
        harness.run_command(["openssl", *arguments]).check_returncode()

    def make(self, name, subject, *extensions, issuer=None):
        """Returns the files of a certificate and of its key."""
        certificate, key = self.path(name + ".pem"), self.path(name + ".key")
        command = ["req", "-x509", "-newkey", *self.new_key, "-nodes", "-days", "300"]
        command += ["-subj", subject, "-out", certificate, "-keyout", key]
        for extension in extensions:
            command += ["-addext", extension]
        if issuer:
            command += ["-CA", self.path(issuer + ".pem"), "-CAkey", self.path(issuer + ".key")]
        self.openssl(*command)
        return certificate, key

    def server(self, name="server", subject="/CN=localhost", more=()):
        return self.make(name, subject, "subjectAltName=DNS:localhost,IP:127.0.0.1",
                         "basicConstraints=critical,CA:FALSE", *more, issuer="root")
