"""What is counted, for Prometheus. No label holds an id of a user or an item."""

from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
BATCH = (1, 2, 4, 8, 16, 32, 64, 128)


@dataclass(frozen=True)
class Meters:
    """The figures of one service."""

    registry: CollectorRegistry
    requests: Counter
    seconds: Histogram
    batch: Histogram
    waiting: Gauge
    model: Gauge
    feedback: Counter
    shown: Counter
    unknown: Counter
    store_errors: Counter

    @classmethod
    def new(cls) -> "Meters":
        """Figures at zero, in a registry of their own."""
        registry = CollectorRegistry()
        return cls(
            registry,
            Counter("conv4rec_requests", "Answers", ["route", "status"], registry=registry),
            Histogram("conv4rec_seconds", "Time to the answer", ["route"], buckets=SECONDS, registry=registry),
            Histogram("conv4rec_batch_size", "Requests scored together", buckets=BATCH, registry=registry),
            Gauge("conv4rec_waiting", "Requests that wait for the model", registry=registry),
            Gauge("conv4rec_model", "1 for the model that answers", ["model"], registry=registry),
            Counter("conv4rec_feedback", "Events stored", registry=registry),
            Counter("conv4rec_shown", "Lists recorded as shown", registry=registry),
            Counter("conv4rec_unknown_items", "Interactions left out of histories", registry=registry),
            Counter("conv4rec_store_errors", "Requests refused because of the store", registry=registry),
        )
