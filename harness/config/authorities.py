"""The certificate authorities that all our requests trust: the public ones, and your own.

In: the environment. Out: a TLS context. The browser has its own store, which this does not change.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from harness.errors import ConfigError
from harness.files import reason_of

OWN_CA = "CHATKIT_HARNESS_CA"  # set by `--ca`; added to the public ones
FILE, FOLDER = "SSL_CERT_FILE", "SSL_CERT_DIR"  # as in OpenSSL and httpx: they replace the public ones
VARIABLES = (OWN_CA, FILE, FOLDER)


def trusted(environ: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """Return the TLS context that verifies servers' certificates. Raises ConfigError when a named file has no certificate."""
    return _context(environ.get(OWN_CA, ""), environ.get(FILE, ""), environ.get(FOLDER, ""))


@lru_cache(maxsize=8)
def _context(own: str, file: str, folder: str) -> ssl.SSLContext:
    """Reading the authorities takes longer than most requests."""
    if file or folder:
        context = ssl.create_default_context(
            cafile=_checked(file, FILE) if file else None, capath=_folder(folder) if folder else None
        )
    else:
        import httpx  # commands without requests need not load it

        context = httpx.create_ssl_context(trust_env=False)
    if own:
        context.load_verify_locations(cafile=_checked(own, f"--ca ({OWN_CA})"))
    return context


def _checked(file: str, name: str) -> str:
    """Return the path of a file of certificates. Raises ConfigError when it has none."""
    path = Path(file).expanduser()
    try:
        if b"-----BEGIN CERTIFICATE-----" not in path.read_bytes():
            raise _no_authority(name, file, "it contains no certificate (-----BEGIN CERTIFICATE-----)")
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=str(path))
    except ssl.SSLError as error:
        raise _no_authority(name, file, f"its certificate cannot be read ({error.reason or error})") from error
    except OSError as error:
        raise _no_authority(name, file, reason_of(error)) from error
    return str(path)


def _folder(name: str) -> str:
    if not Path(name).is_dir():
        raise _no_authority(FOLDER, name, "the folder does not exist")
    return name


def _no_authority(name: str, given: str, what: str) -> ConfigError:
    return ConfigError(
        f"{name} is not a certificate authority: {given}: {what}\n"
        "  to fix: name a PEM file with the certificate of the authority that signed the server's certificate"
    )
