"""The one translator from plan steps to engine calls, on whatever engine; encoding and decoding of columns."""
