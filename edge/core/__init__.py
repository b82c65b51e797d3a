"""The gateway's pure half: no I/O, no clock, no float. Bytes and integers in, bytes and integers out."""
