// The control words of a socket, shared by MicroPython's thread and the worker. Positions run
// freely and are masked with the ring's size - 1.
export const WROTE = 0; // worker's position in the ring
export const READ = 1; // main thread's position
export const STATE = 2;
export const REASON = 3; // errno of FAILED
export const EVENT = 4; // counts and notifies every change
export const FLUSHED = 5; // bytes that the kernel has taken
export const PAUSED = 7; // the ring is full
export const State = { NEW: 0, CONNECTED: 1, ENDED: 2, FAILED: 3 };
export const RING_BYTES = 1 << 16;
