"""Bounds of the sender's window over the journal, see `sync.uplink`."""

#: Batches on their way at once.
WINDOW = 4

#: Of them at most this many live ones, and as many of history, while the journal is split.
SHARE = 3

#: A session in which nothing sent was answered for this long may be deaf: a broker can lose a
#: subscription and keep the connection. A new one is begun; then after twice that, and so on.
DEAF_MS = 120_000
DEAF_MAX_MS = 600_000

#: Runs of records that left ahead of their turn, of which the sender remembers that they did.
TOLD_RUNS = 8

#: An acknowledgement is no larger.
ACK_MAX_BYTES = 1024
