"""The gateway's pure half: no I/O, no clock, no float; bytes and integers in and out."""
