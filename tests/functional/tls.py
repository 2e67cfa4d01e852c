"""A certificate authority of the tests' own, and an HTTPS server with a certificate of it."""

import contextlib
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_MAY_SIGN = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=False,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


class Authority:
    """Issues certificates; ``pem`` is what makes others trust them."""

    def __init__(self):
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Authority of the tests")])
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        certificate = self._sign(self._name, self._key.public_key(), constraints, _MAY_SIGN)
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, directory, *names):
        """The server's side of TLS, for a certificate of these names."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_name(each) for each in names])
        certificate = self._sign(x509.Name([]), key.public_key(), alternatives)
        file = directory / f"{names[0]}.pem"
        file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def _sign(self, subject, public_key, *critical):
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            # Python 3.13 goes by all of RFC 5280, which wants both.
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
            )
        )
        for extension in critical:
            builder = builder.add_extension(extension, critical=True)
        return builder.sign(self._key, hashes.SHA256())


def _name(name):
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Server:
    """Serves each connection as `behave` says, which is given the socket once a request was read.

    Attributes:
        requests: (head, body) of every request, in bytes.
        names: What clients asked TLS for.
        accepted: Number of connections.
    """

    def __init__(self, behave, tls=None, host="127.0.0.1"):
        self.requests, self.names, self.accepted = [], [], 0
        self._behave, self._tls = behave, tls
        self._listening = socket.create_server((host, 0))
        self.port = self._listening.getsockname()[1]
        if tls:
            tls.sni_callback = lambda _, name, __: self.names.append(name)
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self):
        self._listening.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            self.accepted += 1
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection):
        with contextlib.suppress(OSError), connection:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as reading:
                head = b"".join(iter(reading.readline, b"\r\n"))
                length = next(
                    int(line.split(b":")[1])
                    for line in head.splitlines()
                    if line.startswith(b"Content-Length:")
                )
                self.requests.append((head, reading.read(length)))
                self._behave(connection)


def answering(status, *headers, body=b"{}"):
    """A behaviour: one plain answer."""
    head = "".join(f"{header}\r\n" for header in (f"HTTP/1.1 {status} x", *headers))
    return lambda connection: connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
