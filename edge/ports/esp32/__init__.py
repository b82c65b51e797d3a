"""The ports on an ESP32: `machine.UART`, a ring log on flash, sockets with TLS, NVS, NTP.

Modules take what they need of the board as arguments; `board` alone imports it.
"""
