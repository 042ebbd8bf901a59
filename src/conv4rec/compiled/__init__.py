"""The few loops that no library has, compiled when they are first called: docs/performance.md."""
