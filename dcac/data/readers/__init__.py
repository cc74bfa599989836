"""Readers: one function per data set, and one for all of one's own, turns a folder or archive into labelled records."""

from dcac.data.readers.known import NO_READER, READERS, made_with, reader_of
from dcac.data.readers.layout import LayoutError, Reading

__all__ = ["NO_READER", "READERS", "LayoutError", "Reading", "made_with", "reader_of"]
