"""What made a result, and keeping it: the statement of its code, its record, atomic files. No part of any step's code."""

from dcac.provenance.code import fingerprint
from dcac.provenance.files import atomic, json_text, make_readable, manifest, sha256, write_json
from dcac.provenance.machine import environment

__all__ = ["atomic", "environment", "fingerprint", "json_text", "make_readable", "manifest", "sha256", "write_json"]
